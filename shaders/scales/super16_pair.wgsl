// Factors of scale and offset for 16 weights, of 4 bits, and for 256 weights what multiplies the factors.
//
// word  0         1         2                                   3 … 5
//       | d       | dmin    | m3 s3 | m2 s2 | m1 s1 | m0 s0     | … | m12 s12 |
//         f32       f32       4 bits each, the right one is the lowest

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 8, 6]

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let at = chunk / 8u * 6u;
    let factors = scale_words[at + 2u + chunk % 8u / 2u] >> (chunk % 2u * 16u);
    let d = bitcast<f32>(scale_words[at]);
    let dmin = -bitcast<f32>(scale_words[at + 1u]);
    let first = vec2f(d * f32(factors & 15u), dmin * f32((factors >> 4u) & 15u));
    let second = vec2f(d * f32((factors >> 8u) & 15u), dmin * f32((factors >> 12u) & 15u));
    return vec4f(first, second);
}
