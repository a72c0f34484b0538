// Factors of scale and offset for 32 weights, and for 256 weights what multiplies the factors.
//
// word  0         1         2                     3 … 5
//       | d       | dmin    | m1 | s1 | m0 | s0   | … | m7 | s7 | m6 | s6 |
//         f32       f32       u8, the right one is the lowest byte

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 8, 6]

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let at = chunk / 8u * 6u;
    let factors = scale_words[at + 2u + chunk % 8u / 2u] >> (chunk % 2u * 16u);
    let scale = bitcast<f32>(scale_words[at]) * f32(factors & 255u);
    let offset = -bitcast<f32>(scale_words[at + 1u]) * f32((factors >> 8u) & 255u);
    return vec4f(scale, offset, scale, offset);
}
