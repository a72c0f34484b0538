// Draws the next token from the candidates: top-k, top-p, min-p, temperature.
//
// One workgroup.
// Linked with: sample/settings, sample/advance, common/select, sample/gather.   Reference: engine/src/sampler.rs

@group(0) @binding(1) var<storage, read> candidates: array<vec2u>;    // [N_CANDIDATES]: key, token
@group(0) @binding(4) var<storage, read> chances: array<f32>;         // of [0, 1)

override N_CANDIDATES: u32;

var<workgroup> sorted: array<vec2u, CANDIDATES>;

fn candidate_of(i: u32) -> vec2u {
    return candidates[i];
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let n = gather(N_CANDIDATES, lane);
    if lane < n {
        let mine = found[lane];
        var rank = 0u;
        for (var i = 0u; i < n; i += 1u) {
            let other = found[i];
            rank += u32(other.x > mine.x || (other.x == mine.x && other.y < mine.y));
        }
        sorted[rank] = mine;
    }
    workgroupBarrier();
    if lane == 0u {
        advance(choose(n, chances[drawn[1] % arrayLength(&chances)]));
    }
}

// The token where the sum of probabilities passes `chance`.
fn choose(n: u32, chance: f32) -> u32 {
    let best = finite_logit(sorted[0].x);
    if settings.temperature <= 0.0 || n <= 1u {
        return sorted[0].y;
    }
    var total = 0.0;
    for (var i = 0u; i < n; i += 1u) {
        total += exp(finite_logit(sorted[i].x) - best);
    }
    var n_kept = n;
    if settings.top_p < 1.0 {
        var sum = 0.0;
        for (var i = 0u; i < n; i += 1u) {
            sum += exp(finite_logit(sorted[i].x) - best);
            if sum >= total * settings.top_p {
                n_kept = i + 1u;
                break;
            }
        }
    }
    var weights = 0.0;
    for (var i = 0u; i < n_kept; i += 1u) {
        weights += weight(i, best);
    }
    var rest = chance * weights;
    for (var i = 0u; i < n_kept; i += 1u) {
        rest -= weight(i, best);
        if rest < 0.0 {
            return sorted[i].y;
        }
    }
    // Only rounding leads here.
    return sorted[0].y;
}

fn weight(i: u32, best: f32) -> f32 {
    let apart = finite_logit(sorted[i].x) - best;
    return select(0.0, exp(apart / settings.temperature), apart >= settings.ln_min_p);
}
