// The candidates that are among the k largest, in any order.
// Linked with: sample/settings, common/select, and something that has `candidate_of(i)`: key, token.

// In a place without a candidate: slices have such where they have fewer than CANDIDATES.
const NO_TOKEN: u32 = 0xFFFFFFFFu;

var<workgroup> n_found: atomic<u32>;
var<workgroup> found: array<vec2u, CANDIDATES>;

fn key_of(i: u32) -> u32 {
    return candidate_of(i).x;
}

fn weight_of(key: u32) -> u32 {
    return 1u;
}

// How many of n were found.
fn gather(n: u32, lane: u32) -> u32 {
    if lane == 0u {
        atomicStore(&n_found, 0u);
    }
    workgroupBarrier();
    let t = threshold(n, settings.top_k, lane);
    for (var i = lane; i < n; i += 256u) {
        let candidate = candidate_of(i);
        if candidate.y != NO_TOKEN && is_chosen(i, candidate.x, t) {
            let place = atomicAdd(&n_found, 1u);
            if place < CANDIDATES {
                found[place] = candidate;
            }
        }
    }
    workgroupBarrier();
    return min(atomicLoad(&n_found), CANDIDATES);
}
