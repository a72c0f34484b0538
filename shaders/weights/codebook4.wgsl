// Weights of 4 bits that choose from CODEBOOK, the format's table of sixteen numbers, which the kernel declares. Words as in
// q4.wgsl.
@group(0) @binding(8) var<storage, read> low: array<vec4u>;           // [rows, chunks]

fn entries(word: u32) -> vec4f {
    let place = unpack4xU8(word & 0x0F0F0F0Fu);
    return vec4f(CODEBOOK[place.x], CODEBOOK[place.y], CODEBOOK[place.z], CODEBOOK[place.w]);
}

// Integers 4i .. 4i + 3 of a chunk, as signed bytes.
fn quad(chunk: u32, i: u32) -> u32 {
    return pack4xI8(vec4i(entries(low[chunk][i / 2u] >> (i % 2u * 4u))));
}

// Σ q·x over the first sixteen columns of a chunk.
fn first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(entries(q.x), x0)
        + dot(entries(q.x >> 4u), x1)
        + dot(entries(q.y), x2)
        + dot(entries(q.y >> 4u), x3);
}

// Σ q·x over the second sixteen columns of a chunk.
fn second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> f32 {
    let q = low[chunk];
    return dot(entries(q.z), x0)
        + dot(entries(q.z >> 4u), x1)
        + dot(entries(q.w), x2)
        + dot(entries(q.w >> 4u), x3);
}
