// Weights of 6 bits: the low four as in q4.wgsl, and two words of the high two. Byte j of word i / 4 holds those of column
// 4i + j, at bit 2 · (i % 4).
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks]
@group(0) @binding(9) var<storage, read> high: array<vec2u>;          // [rows, chunks]

fn six(low: u32, high: u32) -> vec4f {
    return vec4f(unpack4xU8((low & 0x0F0F0F0Fu) | ((high & 0x03030303u) << 4u)));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return ((low[chunk][i / 2u] >> (i % 2u * 4u)) & 0x0F0F0F0Fu)
        | (((high[chunk][i / 4u] >> (i % 4u * 2u)) & 0x03030303u) << 4u);
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(six(q.x, h.x), x0)
        + dot(six(q.x >> 4u, h.x >> 2u), x1)
        + dot(six(q.y, h.x >> 4u), x2)
        + dot(six(q.y >> 4u, h.x >> 6u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    let h = high[chunk];
    return dot(six(q.z, h.y), x0)
        + dot(six(q.z >> 4u, h.y >> 2u), x1)
        + dot(six(q.w, h.y >> 4u), x2)
        + dot(six(q.w >> 4u, h.y >> 6u), x3);
}
