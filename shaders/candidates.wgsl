// The most likely tokens of each slice of the vocabulary, in the order of tokens, so that of equal ones the first are taken.
// logits [N_VOCAB], candidates [slices, CANDIDATES]: key, token.
//
// One workgroup a slice.
// Linked with: sample/settings, common/select, sample/gather.   Reference: engine/src/sampler.rs

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> candidates: array<vec2u>;

override N_VOCAB: u32;

var<private> first: u32;

fn candidate_of(i: u32) -> vec2u {
    return vec2u(key_of_logit(logits[first + i]), first + i);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    first = group.x * SLICE;
    let n_kept = gather(min(SLICE, N_VOCAB - first), lane);
    if lane < n_kept {
        let mine = found[lane];
        var rank = 0u;
        for (var i = 0u; i < n_kept; i += 1u) {
            rank += u32(found[i].y < mine.y);
        }
        candidates[group.x * CANDIDATES + rank] = mine;
    } else if lane < CANDIDATES {
        candidates[group.x * CANDIDATES + lane] = vec2u(0u, NO_TOKEN);
    }
}
