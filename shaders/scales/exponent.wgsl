// One power of two as scale for 32 weights, its exponent in a byte, four in a word (E8M0, half of what the byte says); the
// integer of a weight that is 0 is ZERO.   scale = 2^(e - 128), and 0 where e is 0.

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 4]

override ZERO: f32;

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let e = extractBits(scale_words[chunk / 4u], chunk % 4u * 8u, 8u);
    let scale = bitcast<f32>((max(e, 1u) - 1u) << 23u);
    let offset = -ZERO * scale;
    return vec4f(scale, offset, scale, offset);
}
