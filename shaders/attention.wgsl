// dst[t, h] = softmax(SCALE · q[t, h] · keys) · values over the positions that token t sees.
//
// One workgroup: one head of keys and values, 4 · QUADS queries of it, a range of positions, WORKGROUP / QUADS at a time.
// First every invocation takes a position and scores it for four queries. Then each takes a pair — eight elements of a value
// (a unit), for one query — and adds up every SLICES-th position, with a running maximum and sum of its own. At the end the
// slices are put together. <https://arxiv.org/abs/2205.14135>
// Linked with: common/cache, attention/{query, whole or part}.   Reference: engine/src/reference/attention.rs

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@group(0) @binding(6) var<storage, read> keys: array<vec4u>;
@group(0) @binding(7) var<storage, read> values: array<vec4u>;

override WORKGROUP: u32;
// 4 · QUADS · HEAD_DIM8, at most WORKGROUP.
override PAIRS: u32;
// WORKGROUP / PAIRS.
override SLICES: u32;
// 2 · PAIRS, 4 · WORKGROUP, and 3 · WORKGROUP or 1: naga takes no expression as a length.
override QUERIES_LEN: u32;
override SCORES_LEN: u32;
override MERGE_LEN: u32;
const NOTHING: f32 = -1e30;

var<workgroup> queries: array<vec4f, QUERIES_LEN>;                    // [4 · QUADS, 2 · HEAD_DIM8]
var<workgroup> scores: array<f32, SCORES_LEN>;                        // [positions, 4 · QUADS]
var<workgroup> slices: array<vec4f, MERGE_LEN>;                       // [WORKGROUP, 3]: values, then maximum and sum

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = place_of(group);
    for (var i = lane; i < QUERIES_LEN; i += WORKGROUP) {
        let part = i % (HEAD_DIM8 * 2u);
        queries[i] = query_part(place.head, place.query + i / (HEAD_DIM8 * 2u), part);
    }
    let quad = lane % QUADS;
    let seen = seen_by(place.query + quad * 4u);
    workgroupBarrier();

    let query = lane % PAIRS / HEAD_DIM8;
    let unit = lane % HEAD_DIM8;
    let slice = lane / PAIRS;
    var maximum = NOTHING;
    var sum = 0.0;
    var a = vec4f(0.0);
    var b = vec4f(0.0);
    // Of all queries, so that all invocations take as many turns.
    let begin = max(place.begin, seen_by(place.query).first.x);
    let end = min(place.end, seen_by(place.query + QUADS * 4u - 4u).last.w + 1u);
    let step = WORKGROUP / QUADS;
    // From a whole block of keys on.
    for (var block = begin / 32u * 32u; block < end; block += step) {
        let position = block + lane / QUADS;
        let is_seen = vec4<bool>(position >= place.begin && position < place.end)
            & (vec4u(position) <= seen.last) & (vec4u(position) >= seen.first);
        var score = vec4f(NOTHING);
        if any(is_seen) {
            score = select(score, scores_of(place.head, position, quad), is_seen);
        }
        scores[lane * 4u] = score.x;
        scores[lane * 4u + 1u] = score.y;
        scores[lane * 4u + 2u] = score.z;
        scores[lane * 4u + 3u] = score.w;
        workgroupBarrier();
        let n = min(step, end - block);
        if slice < SLICES {
            var top = maximum;
            for (var j = slice; j < n; j += SLICES) {
                top = max(top, scores[j * QUADS * 4u + query]);
            }
            let shrink = exp(maximum - top);
            maximum = top;
            sum *= shrink;
            a *= shrink;
            b *= shrink;
            for (var j = slice; j < n; j += SLICES) {
                let score = scores[j * QUADS * 4u + query];
                // A score of NOTHING must weigh nothing, also while the maximum is NOTHING.
                let weight = select(exp(score - top), 0.0, score <= NOTHING);
                let words = values[value_at(block + j, place.head, unit)];
                sum += weight;
                a += weight * vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
                b += weight * vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
            }
        }
        workgroupBarrier();
    }

    if SLICES > 1u {
        slices[lane * 3u] = a;
        slices[lane * 3u + 1u] = b;
        slices[lane * 3u + 2u] = vec4f(maximum, sum, 0.0, 0.0);
        workgroupBarrier();
        if lane < PAIRS {
            var top = maximum;
            for (var s = 1u; s < SLICES; s += 1u) {
                top = max(top, slices[(s * PAIRS + lane) * 3u + 2u].x);
            }
            let shrink = exp(maximum - top);
            maximum = top;
            sum *= shrink;
            a *= shrink;
            b *= shrink;
            for (var s = 1u; s < SLICES; s += 1u) {
                let at = (s * PAIRS + lane) * 3u;
                let weight = exp(slices[at + 2u].x - top);
                sum += slices[at + 2u].y * weight;
                a += slices[at] * weight;
                b += slices[at + 1u] * weight;
            }
        }
    }
    if lane < PAIRS && place.query + query < state.n_tokens * GROUP {
        let index = place.query + query;
        finish(place, index / GROUP, place.head * GROUP + index % GROUP, unit, a, b, maximum, sum);
    }
}

// The key at a position times each of four queries.
fn scores_of(head: u32, position: u32, quad: u32) -> vec4f {
    var score = vec4f(0.0);
    for (var i = 0u; i < HEAD_DIM8; i += 1u) {
        let words = keys[key_at(position, head, i)];
        let a = vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
        let b = vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
        let at = quad * 4u * HEAD_DIM8 * 2u + i * 2u;
        score += vec4f(
            dot(queries[at], a) + dot(queries[at + 1u], b),
            dot(queries[at + HEAD_DIM8 * 2u], a) + dot(queries[at + HEAD_DIM8 * 2u + 1u], b),
            dot(queries[at + HEAD_DIM8 * 4u], a) + dot(queries[at + HEAD_DIM8 * 4u + 1u], b),
            dot(queries[at + HEAD_DIM8 * 6u], a) + dot(queries[at + HEAD_DIM8 * 6u + 1u], b),
        );
    }
    return score;
}
