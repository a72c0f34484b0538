// cache[start + t] = (k[t], v[t]).   k and v [n, K_STRIDE] and [n, V_STRIDE].
//
// One invocation a word of a key and the same word of a value: two elements each.
// Linked with: common/cache.   Reference: engine/src/reference.rs, Op::Store

@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(6) var<storage, read_write> keys: array<u32>;
@group(0) @binding(7) var<storage, read_write> values: array<u32>;

override HEAD_DIM: u32;
override K: u32;
override K_STRIDE: u32;
override V: u32;
override V_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    let words = HEAD_DIM8 * 4u;
    if i >= N_HEAD_KV * words {
        return;
    }
    let head = i / words;
    let word = i % words;
    // Heads have an even number of elements, so a word holds two of them or none.
    if word * 2u >= HEAD_DIM {
        return;
    }
    let position = state.start + group.y;
    let source = head * HEAD_DIM + word * 2u;
    let k_at = K + group.y * K_STRIDE + source;
    let v_at = V + group.y * V_STRIDE + source;
    keys[key_at(position, head, word / 4u) * 4u + word % 4u] = two_halves(k[k_at], k[k_at + 1u]);
    values[value_at(position, head, word / 4u) * 4u + word % 4u] = two_halves(v[v_at], v[v_at + 1u]);
}
