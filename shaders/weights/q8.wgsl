// Weights of 8 bits, signed. Byte j of word i of a chunk is column 4i + j.
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks, 2]

fn bytes(word: u32) -> vec4f {
    return vec4f(unpack4xI8(word));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return low[chunk * 2u + i / 4u][i % 4u];
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk * 2u];
    return dot(bytes(q.x), x0)
        + dot(bytes(q.y), x1)
        + dot(bytes(q.z), x2)
        + dot(bytes(q.w), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let r = low[chunk * 2u + 1u];
    return dot(bytes(r.x), x0)
        + dot(bytes(r.y), x1)
        + dot(bytes(r.z), x2)
        + dot(bytes(r.w), x3);
}
