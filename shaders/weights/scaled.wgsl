// Integers and scales make weights:   w = scale · q + offset.   Linked with one of q2 .. q8, codebook4, and one of scales/*.
// Reference: engine/src/quant.rs

// Weights 4i .. 4i + 3 of a chunk.
fn weights4(chunk: u32, i: u32) -> vec4f {
    let s = scales(chunk);
    let half = select(s.zw, s.xy, i < 4u);
    return half.x * vec4f(unpack4xI8(quad(chunk, i))) + half.y;
}

// Σ w·x over the first sixteen columns of a chunk; `sum` is Σ x over them.
fn dot_first(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let s = scales(chunk).xy;
    return s.x * first(chunk, x0, x1, x2, x3) + s.y * sum;
}

// The same over the second sixteen.
fn dot_second(chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, sum: f32) -> f32 {
    let s = scales(chunk).zw;
    return s.x * second(chunk, x0, x1, x2, x3) + s.y * sum;
}
