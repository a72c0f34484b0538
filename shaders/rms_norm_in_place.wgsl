// x[t, g] = x[t, g] / rms(x[t, g]) · gain, for each group g of COLS elements.   x [n, STRIDE].
//
// One workgroup a group.
// Linked with: reduce/total.   Reference: engine/src/reference/rms_norm.rs

@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read> gains: array<f32>;           // [COLS]

override COLS: u32;
override X: u32;
override STRIDE: u32;
override EPS: f32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = X + group.y * STRIDE + group.x * COLS;
    var squares = 0.0;
    for (var i = lane; i < COLS; i += 64u) {
        squares += x[first + i] * x[first + i];
    }
    let scale = 1.0 / sqrt(total(squares, lane) / f32(COLS) + EPS);
    for (var i = lane; i < COLS; i += 64u) {
        x[first + i] = x[first + i] * scale * gains[i];
    }
}
