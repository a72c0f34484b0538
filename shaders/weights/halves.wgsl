// Weights that are floats of 16 bits: two in a word.
// Linked with: weights/halves/*.
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks, 4]

// Weights 4i .. 4i + 3 of a chunk.
fn weights4(chunk: u32, i: u32) -> vec4f {
    let at = i % 2u * 2u;
    return floats(vec2u(low[chunk * 4u + i / 2u][at], low[chunk * 4u + i / 2u][at + 1u]));
}

// Σ w·x over the first sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let w0 = low[chunk * 4u];
    let w1 = low[chunk * 4u + 1u];
    return dot(floats(w0.xy), x0)
        + dot(floats(w0.zw), x1)
        + dot(floats(w1.xy), x2)
        + dot(floats(w1.zw), x3);
}

// Σ w·x over the second sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let w2 = low[chunk * 4u + 2u];
    let w3 = low[chunk * 4u + 3u];
    return dot(floats(w2.xy), x0)
        + dot(floats(w2.zw), x1)
        + dot(floats(w3.xy), x2)
        + dot(floats(w3.zw), x3);
}
