// Each head of queries and keys passes through a norm, with the gains of queries or of keys.
// Linked with: reduce/total.   Reference: engine/src/reference/rms_norm.rs

@group(0) @binding(4) var<storage, read> q_gains: array<f32>;         // [HEAD_DIM]
@group(0) @binding(5) var<storage, read> k_gains: array<f32>;         // [HEAD_DIM]

override EPS: f32;

fn norm_scale(squares: f32, lane: u32) -> f32 {
    return 1.0 / sqrt(total(squares, lane) / f32(HEAD_DIM) + EPS);
}

fn normed(x: f32, scale: f32, i: u32, is_q: bool) -> f32 {
    return x * scale * select(k_gains[i], q_gains[i], is_q);
}
