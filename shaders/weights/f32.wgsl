// Weights that are f32.
@group(0) @binding(8) var<storage, read> low: array<vec4f>;           // [rows, chunks, 8]

// Weights 4i .. 4i + 3 of a chunk.
fn weights4(chunk: u32, i: u32) -> vec4f {
    return low[chunk * 8u + i];
}

// Σ w·x over the first sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let at = chunk * 8u;
    return dot(low[at], x0)
        + dot(low[at + 1u], x1)
        + dot(low[at + 2u], x2)
        + dot(low[at + 3u], x3);
}

// Σ w·x over the second sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let at = chunk * 8u;
    return dot(low[at + 4u], x0)
        + dot(low[at + 5u], x1)
        + dot(low[at + 6u], x2)
        + dot(low[at + 7u], x3);
}
