// Weights that are the upper halves of f32: two in a word.
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks, 4]

fn upper(words: vec2u) -> vec4f {
    return bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xFFFF0000u, words.y << 16u, words.y & 0xFFFF0000u));
}

// Weights 4i .. 4i + 3 of a chunk.
fn weights4(chunk: u32, i: u32) -> vec4f {
    let at = i % 2u * 2u;
    return upper(vec2u(low[chunk * 4u + i / 2u][at], low[chunk * 4u + i / 2u][at + 1u]));
}

// Σ w·x over the first sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let w0 = low[chunk * 4u];
    let w1 = low[chunk * 4u + 1u];
    return dot(upper(w0.xy), x0)
        + dot(upper(w0.zw), x1)
        + dot(upper(w1.xy), x2)
        + dot(upper(w1.zw), x3);
}

// Σ w·x over the second sixteen columns of a chunk; `sum` is for weights with offsets.
fn dot_second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let w2 = low[chunk * 4u + 2u];
    let w3 = low[chunk * 4u + 3u];
    return dot(upper(w2.xy), x0)
        + dot(upper(w2.zw), x1)
        + dot(upper(w3.xy), x2)
        + dot(upper(w3.zw), x3);
}
