// An f16 scale and an f16 offset for 32 weights, in a word.

@group(0) @binding(10) var<storage, read> scale_words: array<u32>;    // [rows, chunks]

// Scale and offset of the first sixteen columns of a chunk, then of the second.
fn scales(chunk: u32) -> vec4f {
    let pair = unpack2x16float(scale_words[chunk]);
    return vec4f(pair, pair);
}
