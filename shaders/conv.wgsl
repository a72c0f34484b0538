// dst[t, c] = activate(Σ kernel[c, i] · x[t − TAPS + 1 + i, c] + bias[c]), i < TAPS.   x [n, X_STRIDE], dst [n, STRIDE].
//
// One invocation a channel of a token.
// Linked with: conv/window, conv/{bias or no_bias}, activation/*, conv/{shift (one token) or keep (many)}.
// Reference: engine/src/reference/conv.rs

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@group(0) @binding(3) var<storage, read> kernel: array<f32>;          // [WIDTH, TAPS]

override DST: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group.x * 64u + lane;
    if c >= WIDTH {
        return;
    }
    var sum = bias_of(c);
    for (var i = 0u; i < TAPS; i += 1u) {
        sum += kernel[c * TAPS + i] * input_at(group.y + i, c);
    }
    dst[DST + group.y * STRIDE + c] = activate(sum);
    replace_state(c);
}
