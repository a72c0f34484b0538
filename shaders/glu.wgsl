// gate = activation(gate) · up.   gate [n, STRIDE], up [n, UP_STRIDE].
//
// One invocation an element.
// Linked with: activation/*.   Reference: engine/src/reference/activation.rs

@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> gate: array<f32>;

override COLS: u32;
override UP: u32;
override UP_STRIDE: u32;
override GATE: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    if i < COLS {
        let at = GATE + group.y * STRIDE + i;
        gate[at] = activate(gate[at]) * up[UP + group.y * UP_STRIDE + i];
    }
}
