// One signed factor for 16 weights, and for 256 weights what multiplies the factors. The integer of a weight that is 0 is
// ZERO.
//
// word  0         1                     2 …
//       | d       | f3 | f2 | f1 | f0   | f7 | f6 | f5 | f4 | …
//         f32       i8, the right one is the lowest byte

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 8, 5]

override ZERO: f32;

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let at = chunk / 8u * 5u;
    let word = bitcast<i32>(scale_words[at + 1u + chunk % 8u / 2u]);
    let shift = chunk % 2u * 16u;
    let factors = vec2f(f32(extractBits(word, shift, 8u)), f32(extractBits(word, shift + 8u, 8u)));
    let scale = bitcast<f32>(scale_words[at]) * factors;
    return vec4f(scale.x, -ZERO * scale.x, scale.y, -ZERO * scale.y);
}
