// Weights of 2 bits. Byte j of word i / 4 of a chunk holds column 4i + j, at bit 2 · (i % 4).
@group(0) @binding(8) var<storage, read> low: array<vec2u>;           // [rows, chunks]

fn two(low: u32) -> vec4f {
    return vec4f(unpack4xU8(low & 0x03030303u));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return (low[chunk][i / 4u] >> (i % 4u * 2u)) & 0x03030303u;
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(two(q.x), x0)
        + dot(two(q.x >> 2u), x1)
        + dot(two(q.x >> 4u), x2)
        + dot(two(q.x >> 6u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(two(q.y), x0)
        + dot(two(q.y >> 2u), x1)
        + dot(two(q.y >> 4u), x2)
        + dot(two(q.y >> 6u), x3);
}
