// dst = a ⊙ b.   a [n, X_STRIDE], b [n, B_STRIDE], dst [n, STRIDE].
//
// One invocation an element.
// Reference: engine/src/reference/mul.rs

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;

override COLS: u32;
override X: u32;
override X_STRIDE: u32;
override B: u32;
override B_STRIDE: u32;
override DST: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    if i < COLS {
        dst[DST + group.y * STRIDE + i] = a[X + group.y * X_STRIDE + i] * b[B + group.y * B_STRIDE + i];
    }
}
