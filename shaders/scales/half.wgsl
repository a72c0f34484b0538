// One f16 scale for 32 weights, two in a word; the integer of a weight that is 0 is ZERO.

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows · chunks / 2]

override ZERO: f32;

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let pair = unpack2x16float(scale_words[chunk / 2u]);
    let scale = select(pair.y, pair.x, chunk % 2u == 0u);
    let offset = -ZERO * scale;
    return vec4f(scale, offset, scale, offset);
}
