// Rotates pairs of elements of every head by their token's angles, in place.   x [n, STRIDE], heads of HEAD_DIM.
//
// One invocation a pair: elements PAIR_STEP · i and PAIR_STEP · i + PAIR_GAP of a head, i < HALF_ROT.
// Reference: engine/src/reference/rope.rs

@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;        // [n_ctx, HALF_ROT]: cosine, sine

override N_HEAD: u32;
override HEAD_DIM: u32;
override HALF_ROT: u32;
override PAIR_STEP: u32;
override PAIR_GAP: u32;
override X: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    if i >= N_HEAD * HALF_ROT {
        return;
    }
    let pair = i % HALF_ROT;
    let turn = angles[(state.start + group.y) * HALF_ROT + pair];
    let at = X + group.y * STRIDE + i / HALF_ROT * HEAD_DIM + pair * PAIR_STEP;
    let a = x[at];
    let b = x[at + PAIR_GAP];
    x[at] = a * turn.x - b * turn.y;
    x[at + PAIR_GAP] = a * turn.y + b * turn.x;
}
