// dst = the rows of x whose logits are wanted.   x [n_tokens, X_STRIDE], dst [n_outputs, STRIDE].
//
// One invocation an element.
// Linked with: rows/outputs.   Reference: engine/src/reference.rs, Op::TakeOutputs

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

override COLS: u32;
override X: u32;
override X_STRIDE: u32;
override DST: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    if i < COLS {
        dst[DST + group.y * STRIDE + i] = x[X + source_row(group.y) * X_STRIDE + i];
    }
}
