// One signed factor for 32 weights, and for 256 weights what multiplies the factors. The integer of a weight that is 0 is
// ZERO.
//
// word  0         1                     2
//       | d       | f3 | f2 | f1 | f0   | f7 | f6 | f5 | f4 |
//         f32       i8, the right one is the lowest byte

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 8, 3]

override ZERO: f32;

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let at = chunk / 8u * 3u;
    let word = scale_words[at + 1u + chunk % 8u / 4u];
    let factor = extractBits(bitcast<i32>(word), chunk % 4u * 8u, 8u);
    let scale = bitcast<f32>(scale_words[at]) * f32(factor);
    let offset = -ZERO * scale;
    return vec4f(scale, offset, scale, offset);
}
