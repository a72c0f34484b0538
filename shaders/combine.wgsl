// dst[h] = Σ values · e^(max − top) / Σ sum · e^(max − top): the parts of attention{,_subgroup}.wgsl together, for one token.
//
// One workgroup a head, one invocation an element.
// Reference: engine/src/reference/attention.rs

@group(0) @binding(1) var<storage, read> parts: array<f32>;           // [n_head, PARTS_MAX, 8 · HEAD_DIM8 + 2]
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;       // [n_head, HEAD_DIM]

override HEAD_DIM: u32;
override HEAD_DIM8: u32;
override WINDOW: u32;
override PART: u32;
override PARTS_MAX: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = state.start + 1u;
    let n_parts = (n + PART - 1u) / PART - (n - min(n, WINDOW)) / PART;
    let pitch = HEAD_DIM8 * 8u + 2u;
    let head = group.x * PARTS_MAX * pitch;
    var top = parts[head + HEAD_DIM8 * 8u];
    for (var i = 1u; i < n_parts; i += 1u) {
        top = max(top, parts[head + i * pitch + HEAD_DIM8 * 8u]);
    }
    var total = 0.0;
    for (var i = 0u; i < n_parts; i += 1u) {
        let at = head + i * pitch + HEAD_DIM8 * 8u;
        total += parts[at + 1u] * exp(parts[at] - top);
    }
    for (var d = lane; d < HEAD_DIM; d += 64u) {
        var sum = 0.0;
        for (var i = 0u; i < n_parts; i += 1u) {
            let at = head + i * pitch;
            sum += parts[at + d] * exp(parts[at + HEAD_DIM8 * 8u] - top);
        }
        dst[group.x * HEAD_DIM + d] = sum / total;
    }
}
