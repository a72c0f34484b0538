// The most likely tokens of each slice of the vocabulary, in the order of tokens, so that of equal ones the first are taken.
// logits [N_VOCAB], candidates [slices, CANDIDATES]: key, token.
//
// One workgroup a slice.
// Linked with: sample/settings, common/select.   Reference: engine/src/sampler.rs

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> candidates: array<vec2u>;

override N_VOCAB: u32;

var<workgroup> n_found: atomic<u32>;
var<workgroup> found: array<vec2u, 64>;
var<workgroup> first: u32;

fn key_of(i: u32) -> u32 {
    return key_of_logit(logits[first + i]);
}

fn weight_of(key: u32) -> u32 {
    return 1u;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    if lane == 0u {
        first = group.x * SLICE;
        atomicStore(&n_found, 0u);
    }
    workgroupBarrier();
    let n = min(SLICE, N_VOCAB - group.x * SLICE);
    let t = threshold(n, settings.top_k, lane);
    for (var i = lane; i < n; i += 256u) {
        let key = key_of(i);
        if is_chosen(i, key, t) {
            let place = atomicAdd(&n_found, 1u);
            if place < CANDIDATES {
                found[place] = vec2u(key, group.x * SLICE + i);
            }
        }
    }
    workgroupBarrier();
    let n_kept = min(atomicLoad(&n_found), CANDIDATES);
    if lane < n_kept {
        let mine = found[lane];
        var rank = 0u;
        for (var i = 0u; i < n_kept; i += 1u) {
            rank += u32(found[i].y < mine.y);
        }
        candidates[group.x * CANDIDATES + rank] = mine;
    } else if lane < CANDIDATES {
        candidates[group.x * CANDIDATES + lane] = vec2u(0u, 0xFFFFFFFFu);
    }
}
