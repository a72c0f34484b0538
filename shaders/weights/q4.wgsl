// Weights of 4 bits. Word w of a chunk holds columns 8w .. 8w + 7:
//
// byte  0         1         2         3
//       | q4 q0   | q5 q1   | q6 q2   | q7 q3   |     the right one is the low nibble
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks]

fn nibbles(word: u32) -> vec4f {
    return vec4f(unpack4xU8(word & 0x0F0F0F0Fu));
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return (low[chunk][i / 2u] >> (i % 2u * 4u)) & 0x0F0F0F0Fu;
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(nibbles(q.x), x0)
        + dot(nibbles(q.x >> 4u), x1)
        + dot(nibbles(q.y), x2)
        + dot(nibbles(q.y >> 4u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(nibbles(q.z), x0)
        + dot(nibbles(q.z >> 4u), x1)
        + dot(nibbles(q.w), x2)
        + dot(nibbles(q.w >> 4u), x3);
}
