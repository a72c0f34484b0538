// What happens to queries, keys and values between their matmuls and attention, in one go:
// q = rope(norm(q)) in place;   keys[start + t] = rope(norm(k));   values[start + t] = v.   qkv [n, STRIDE].
//
// One workgroup a head of q, k or v, through workgroup memory.
// Linked with: common/{cache, halves}, heads/{plain, normed}.
// Reference: engine/src/reference/{rms_norm,rope}.rs and reference.rs, Op::Store

@group(0) @binding(2) var<storage, read_write> qkv: array<f32>;       // Q, K and V: where each of them begins in a row
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;        // [n_ctx, HALF_ROT]: cosine, sine
@group(0) @binding(6) var<storage, read_write> keys: array<u32>;
@group(0) @binding(7) var<storage, read_write> values: array<u32>;

override N_HEAD: u32;
override HEAD_DIM: u32;
override HALF_ROT: u32;
override PAIR_STEP: u32;
override PAIR_GAP: u32;
override STRIDE: u32;
override Q: u32;
override K: u32;
override V: u32;

var<workgroup> head_of: array<f32, HEAD_DIM>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let is_q = group.x < N_HEAD;
    let is_v = group.x >= N_HEAD + N_HEAD_KV;
    let head = select(select(group.x - N_HEAD, group.x - N_HEAD - N_HEAD_KV, is_v), group.x, is_q);
    let source = group.y * STRIDE + head * HEAD_DIM + select(select(K, V, is_v), Q, is_q);
    let position = state.start + group.y;

    var squares = 0.0;
    for (var i = lane; i < HEAD_DIM; i += 64u) {
        let x = qkv[source + i];
        squares += x * x;
    }
    let scale = norm_scale(squares, lane);
    for (var i = lane; i < HEAD_DIM; i += 64u) {
        head_of[i] = select(normed(qkv[source + i], scale, i, is_q), qkv[source + i], is_v);
    }
    workgroupBarrier();
    if !is_v {
        for (var i = lane; i < HALF_ROT; i += 64u) {
            let turn = angles[position * HALF_ROT + i];
            let at = i * PAIR_STEP;
            let a = head_of[at];
            let b = head_of[at + PAIR_GAP];
            head_of[at] = a * turn.x - b * turn.y;
            head_of[at + PAIR_GAP] = a * turn.y + b * turn.x;
        }
    }
    workgroupBarrier();
    if is_q {
        for (var i = lane; i < HEAD_DIM; i += 64u) {
            qkv[source + i] = head_of[i];
        }
        return;
    }
    // Heads have an even number of elements.
    for (var word = lane; word < HEAD_DIM / 2u; word += 64u) {
        let pair = two_halves(head_of[word * 2u], head_of[word * 2u + 1u]);
        if is_v {
            values[value_at(position, head, word / 4u) * 4u + word % 4u] = pair;
        } else {
            keys[key_at(position, head, word / 4u) * 4u + word % 4u] = pair;
        }
    }
}
