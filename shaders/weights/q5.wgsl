// Weights of 5 bits: the low four as in q4.wgsl, and one word of fifth bits. Bit i of byte j of it belongs to column 4i + j.
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks]
@group(0) @binding(9) var<storage, read> high: array<u32>;            // [rows, chunks]

fn five(low: u32, high: u32) -> vec4f {
    return vec4f(unpack4xU8((low & 0x0F0F0F0Fu) | ((high & 0x01010101u) << 4u)));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return ((low[chunk][i / 2u] >> (i % 2u * 4u)) & 0x0F0F0F0Fu) | (((high[chunk] >> i) & 0x01010101u) << 4u);
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(five(q.x, h), x0)
        + dot(five(q.x >> 4u, h >> 1u), x1)
        + dot(five(q.y, h >> 2u), x2)
        + dot(five(q.y >> 4u, h >> 3u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(five(q.z, h >> 4u), x0)
        + dot(five(q.z >> 4u, h >> 5u), x1)
        + dot(five(q.w, h >> 6u), x2)
        + dot(five(q.w >> 4u, h >> 7u), x3);
}
