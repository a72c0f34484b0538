// The activations of a matmul pass through a norm first:   W·(x / rms(x) · gain) = (W·(x · gain)) / rms(x),
// so one pass over x gives both.   gains [32 · CHUNKS], zero past the width.
// Reference: engine/src/reference/rms_norm.rs

@group(0) @binding(5) var<storage, read> gains: array<vec4f>;         // [8 · CHUNKS]

override COLS: u32;
override EPS: f32;

fn weigh(x: vec4f, i: u32) -> vec4f {
    return x * gains[i];
}

fn square(x: vec4f) -> f32 {
    return dot(x, x);
}

fn norm_scale(squares: f32, lane: u32) -> f32 {
    return 1.0 / sqrt(reduce_one(squares, lane) / f32(COLS) + EPS);
}
