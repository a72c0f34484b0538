// Weights of 3 bits: the low two as in q2.wgsl, and one word of third bits. Bit i of byte j of it belongs to column 4i + j.
@group(0) @binding(8) var<storage, read> low: array<vec2u>;           // [rows, chunks]
@group(0) @binding(9) var<storage, read> high: array<u32>;            // [rows, chunks]

fn three(low: u32, high: u32) -> vec4f {
    return vec4f(unpack4xU8((low & 0x03030303u) | ((high & 0x01010101u) << 2u)));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return ((low[chunk][i / 4u] >> (i % 4u * 2u)) & 0x03030303u) | (((high[chunk] >> i) & 0x01010101u) << 2u);
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(three(q.x, h), x0)
        + dot(three(q.x >> 2u, h >> 1u), x1)
        + dot(three(q.x >> 4u, h >> 2u), x2)
        + dot(three(q.x >> 6u, h >> 3u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(three(q.y, h >> 4u), x0)
        + dot(three(q.y >> 2u, h >> 5u), x1)
        + dot(three(q.y >> 4u, h >> 6u), x2)
        + dot(three(q.y >> 6u, h >> 7u), x3);
}
