// Integers and scales make weights:   w = scale · q + offset.   Linked with one of q2 .. q8, iq4, and one of scales/*.
// Reference: engine/src/quant.rs

// Weights 4i .. 4i + 3 of a chunk.
fn weights4(chunk: u32, i: u32) -> vec4f {
    let s = scales(chunk);
    let half = select(s.zw, s.xy, i < 4u);
    return half.x * vec4f(unpack4xI8(quad(chunk, i))) + half.y;
}

// Σ w·x over a chunk; `sums` is Σ x over its first and its second sixteen columns.
fn dot32(
    chunk: u32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f, x4: vec4f, x5: vec4f, x6: vec4f, x7: vec4f, sums: vec2f,
) -> f32 {
    let s = scales(chunk);
    let d = dots(chunk, x0, x1, x2, x3, x4, x5, x6, x7);
    return s.x * d.x + s.z * d.y + s.y * sums.x + s.w * sums.y;
}
