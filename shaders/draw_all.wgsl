// Draws the next token from the whole vocabulary: top-k, top-p, min-p, temperature, where more than CANDIDATES may be left.
//
// One workgroup. Top-k and top-p each leave the tokens from some key up: the one that so many tokens reach, or so much of
// their sum. What is left is weighed in the order of tokens, a stretch by each invocation.
// Linked with: sample/settings, sample/advance, common/select.   Reference: engine/src/sampler.rs

@group(0) @binding(1) var<storage, read> logits: array<f32>;          // [N_VOCAB]
@group(0) @binding(4) var<storage, read> chances: array<f32>;         // of [0, 1)

override N_VOCAB: u32;

// The likelihoods of all tokens together, where they are counted in whole numbers.
const WHOLE: f32 = 1073741824.0;

var<workgroup> sums: array<f32, 256>;
var<workgroup> found: array<vec2u, 256>;                              // key, token
var<workgroup> token: u32;
// The largest logit, and what a likelihood of 1 counts: 0 where tokens are counted.
var<private> best: f32;
var<private> one: f32;

fn key_of(i: u32) -> u32 {
    return key_of_logit(logits[i]);
}

fn weight_of(key: u32) -> u32 {
    return select(u32(round(likelihood(key) * one)), 1u, one == 0.0);
}

// As a multiple of the largest.
fn likelihood(key: u32) -> f32 {
    return exp(apart(key));
}

// From the largest logit.
fn apart(key: u32) -> f32 {
    return finite_logit(key) - best;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let likeliest = largest(lane);
    best = finite_logit(likeliest.x);
    var t = Threshold(0u, N_VOCAB);
    if settings.top_k < N_VOCAB {
        t = threshold(N_VOCAB, settings.top_k, lane);
    }
    if settings.top_p < 1.0 {
        var of_all = 0.0;
        var of_chosen = 0.0;
        for (var i = lane; i < N_VOCAB; i += 256u) {
            let key = key_of(i);
            of_all += likelihood(key);
            of_chosen += select(0.0, likelihood(key), is_chosen(i, key, t));
        }
        one = WHOLE / total(of_all, lane);
        let wanted = settings.top_p * total(of_chosen, lane) * one;
        t = stricter(t, threshold(N_VOCAB, max(u32(wanted), 1u), lane));
    }

    let stretch = (N_VOCAB + 255u) / 256u;
    let begin = min(lane * stretch, N_VOCAB);
    let end = min(begin + stretch, N_VOCAB);
    var mine = 0.0;
    for (var i = begin; i < end; i += 1u) {
        mine += weight(i, t);
    }
    let all = total(mine, lane);
    sums[lane] = mine;
    if lane == 0u {
        // Where rounding leaves nobody with the token.
        token = likeliest.y;
    }
    workgroupBarrier();
    var rest = chances[drawn[1] % arrayLength(&chances)] * all;
    for (var i = 0u; i < lane; i += 1u) {
        rest -= sums[i];
    }
    if rest >= 0.0 && rest < mine {
        token = where_passed(begin, end, rest, t);
    }
    workgroupBarrier();
    if lane == 0u {
        advance(token);
    }
}

// The key of the most likely token, and the first such token.
fn largest(lane: u32) -> vec2u {
    var mine = vec2u(0u, 0u);
    for (var i = lane; i < N_VOCAB; i += 256u) {
        let key = key_of(i);
        if key > mine.x {
            mine = vec2u(key, i);
        }
    }
    found[lane] = mine;
    for (var n = 128u; n > 0u; n /= 2u) {
        workgroupBarrier();
        if lane < n {
            let other = found[lane + n];
            if other.x > found[lane].x || (other.x == found[lane].x && other.y < found[lane].y) {
                found[lane] = other;
            }
        }
    }
    return workgroupUniformLoad(&found[0]);
}

// The sum over all invocations.
fn total(mine: f32, lane: u32) -> f32 {
    sums[lane] = mine;
    for (var n = 128u; n > 0u; n /= 2u) {
        workgroupBarrier();
        if lane < n {
            sums[lane] += sums[lane + n];
        }
    }
    return workgroupUniformLoad(&sums[0]);
}

// The one that lets fewer pass.
fn stricter(a: Threshold, b: Threshold) -> Threshold {
    if a.key == b.key {
        return Threshold(a.key, min(a.end, b.end));
    }
    if a.key > b.key {
        return a;
    }
    return b;
}

// 0 for a token that is filtered away.
fn weight(i: u32, t: Threshold) -> f32 {
    let key = key_of(i);
    let is_kept = key != 0u && apart(key) >= settings.ln_min_p && is_chosen(i, key, t);
    return select(0.0, exp(apart(key) / settings.temperature), is_kept);
}

// The token of a stretch where the sum of weights passes `chance`.
fn where_passed(begin: u32, end: u32, chance: f32, t: Threshold) -> u32 {
    var rest = chance;
    var last = begin;
    for (var i = begin; i < end; i += 1u) {
        let mine = weight(i, t);
        if mine > 0.0 {
            last = i;
            rest -= mine;
            if rest < 0.0 {
                break;
            }
        }
    }
    return last;
}
