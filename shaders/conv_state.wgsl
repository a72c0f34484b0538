// state = the last TAPS − 1 rows of state and x.   x [n, X_STRIDE]. What conv.wgsl does itself for one token.
//
// One invocation a channel.
// Linked with: conv/window, conv/shift.   Reference: engine/src/reference/conv.rs

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group.x * 64u + lane;
    if c < WIDTH {
        replace_state(c);
    }
}
