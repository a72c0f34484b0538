// dst[t, h] = softmax(SCALE · q[t, h] · keys) · values over the positions that token t sees.
//
// One workgroup: one head of keys and values, four queries of it, a range of positions, 64 at a time. First every
// invocation takes a position and scores it for the four queries. Then the invocations divide values among them: each
// takes eight elements (its unit) of every SLICES-th position, with a running maximum and sum of its own. At the end the
// slices are put together. <https://arxiv.org/abs/2205.14135>
// Linked with: common/cache, attention/{whole, part}.   Reference: engine/src/reference/attention.rs

@group(0) @binding(1) var<storage, read> q: array<f32>;               // [n, Q_STRIDE], Q of it before the first head
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@group(0) @binding(6) var<storage, read> keys: array<vec4u>;
@group(0) @binding(7) var<storage, read> values: array<vec4u>;

override HEAD_DIM: u32;
// Query heads that share a head of keys and values.
override GROUP: u32;
override Q: u32;
override Q_STRIDE: u32;
override SCALE: f32;
// Positions a query sees, itself included.
override WINDOW: u32;
const WORKGROUP: u32 = 64u;
// WORKGROUP / HEAD_DIM8.
override SLICES: u32;
const NOTHING: f32 = -1e30;

// 8 · HEAD_DIM8: naga takes no expression as a length.
override QUERIES_LEN: u32;

var<workgroup> queries: array<vec4f, QUERIES_LEN>;                    // [4, 2 · HEAD_DIM8]
var<workgroup> scores: array<vec4f, WORKGROUP>;
var<workgroup> maxima: array<vec4f, WORKGROUP>;
var<workgroup> sums: array<vec4f, WORKGROUP>;
var<workgroup> halves: array<vec4f, 128>;                             // [WORKGROUP, 2]

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = place_of(group);
    let n_queries = state.n_tokens * GROUP;
    let first_query = place.query;
    for (var i = lane; i < QUERIES_LEN; i += WORKGROUP) {
        queries[i] = query_part(place.head, min(first_query + i / (HEAD_DIM8 * 2u), n_queries - 1u), i % (HEAD_DIM8 * 2u));
    }
    // The position of each query's token: the last one that it sees.
    let last = vec4u(state.start) + min(vec4u(first_query) + vec4u(0u, 1u, 2u, 3u), vec4u(n_queries - 1u)) / GROUP;
    let first = last - min(last, vec4u(WINDOW - 1u));
    workgroupBarrier();

    let unit = lane % HEAD_DIM8;
    let slice = lane / HEAD_DIM8;
    var maximum = vec4f(NOTHING);
    var sum = vec4f(0.0);
    var a0 = vec4f(0.0); var b0 = vec4f(0.0);
    var a1 = vec4f(0.0); var b1 = vec4f(0.0);
    var a2 = vec4f(0.0); var b2 = vec4f(0.0);
    var a3 = vec4f(0.0); var b3 = vec4f(0.0);
    for (var block = max(place.begin, first.x) / WORKGROUP * WORKGROUP; block < min(place.end, last.w + 1u); block += WORKGROUP) {
        let position = block + lane;
        let is_seen = vec4<bool>(position >= place.begin && position < place.end)
            & (vec4u(position) <= last) & (vec4u(position) >= first);
        var score = vec4f(NOTHING);
        if any(is_seen) {
            score = select(score, scores_of(place.head, position) * SCALE, is_seen);
        }
        scores[lane] = score;
        workgroupBarrier();
        if slice < SLICES {
            var top = maximum;
            for (var j = slice; j < WORKGROUP; j += SLICES) {
                top = max(top, scores[j]);
            }
            let shrink = exp(maximum - top);
            maximum = top;
            sum *= shrink;
            a0 *= shrink.x; b0 *= shrink.x;
            a1 *= shrink.y; b1 *= shrink.y;
            a2 *= shrink.z; b2 *= shrink.z;
            a3 *= shrink.w; b3 *= shrink.w;
            for (var j = slice; j < WORKGROUP && block + j < place.end; j += SLICES) {
                // A score of NOTHING must weigh nothing, also while the maximum is NOTHING.
                let weight = select(exp(scores[j] - top), vec4f(0.0), scores[j] <= vec4f(NOTHING));
                sum += weight;
                let words = values[value_at(block + j, place.head, unit)];
                let a = vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
                let b = vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
                a0 += weight.x * a; b0 += weight.x * b;
                a1 += weight.y * a; b1 += weight.y * b;
                a2 += weight.z * a; b2 += weight.z * b;
                a3 += weight.w * a; b3 += weight.w * b;
            }
        }
        workgroupBarrier();
    }

    // Every unit of a slice has the slice's maximum and sum.
    maxima[lane] = maximum;
    sums[lane] = sum;
    workgroupBarrier();
    var top = vec4f(NOTHING);
    for (var s = 0u; s < SLICES; s += 1u) {
        top = max(top, maxima[s * HEAD_DIM8]);
    }
    var total = vec4f(0.0);
    for (var s = 0u; s < SLICES; s += 1u) {
        total += sums[s * HEAD_DIM8] * exp(maxima[s * HEAD_DIM8] - top);
    }
    let shrink = exp(maximum - top);
    merge(a0 * shrink.x, b0 * shrink.x, lane, place, 0u, top.x, total.x, n_queries);
    merge(a1 * shrink.y, b1 * shrink.y, lane, place, 1u, top.y, total.y, n_queries);
    merge(a2 * shrink.z, b2 * shrink.z, lane, place, 2u, top.z, total.z, n_queries);
    merge(a3 * shrink.w, b3 * shrink.w, lane, place, 3u, top.w, total.w, n_queries);
}

// Four elements of a query, zero past its end.
fn query_part(head: u32, query: u32, i: u32) -> vec4f {
    let at = Q + query / GROUP * Q_STRIDE + (head * GROUP + query % GROUP) * HEAD_DIM + i * 4u;
    var part = vec4f(0.0);
    if i * 4u < HEAD_DIM {
        part = vec4f(q[at], q[at + 1u], 0.0, 0.0);
    }
    if i * 4u + 2u < HEAD_DIM {
        part = vec4f(part.xy, q[at + 2u], q[at + 3u]);
    }
    return part;
}

// The key at a position times each of the four queries.
fn scores_of(head: u32, position: u32) -> vec4f {
    var score = vec4f(0.0);
    for (var i = 0u; i < HEAD_DIM8; i += 1u) {
        let words = keys[key_at(position, head, i)];
        let a = vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
        let b = vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
        let at = i * 2u;
        score += vec4f(
            dot(queries[at], a) + dot(queries[at + 1u], b),
            dot(queries[at + HEAD_DIM8 * 2u], a) + dot(queries[at + HEAD_DIM8 * 2u + 1u], b),
            dot(queries[at + HEAD_DIM8 * 4u], a) + dot(queries[at + HEAD_DIM8 * 4u + 1u], b),
            dot(queries[at + HEAD_DIM8 * 6u], a) + dot(queries[at + HEAD_DIM8 * 6u + 1u], b),
        );
    }
    return score;
}

// Adds the slices of one query up, and hands its result over.
fn merge(a: vec4f, b: vec4f, lane: u32, place: Place, i: u32, top: f32, total: f32, n_queries: u32) {
    halves[lane * 2u] = a;
    halves[lane * 2u + 1u] = b;
    workgroupBarrier();
    if lane < HEAD_DIM8 {
        var first = a;
        var second = b;
        for (var s = 1u; s < SLICES; s += 1u) {
            first += halves[(s * HEAD_DIM8 + lane) * 2u];
            second += halves[(s * HEAD_DIM8 + lane) * 2u + 1u];
        }
        let query = place.query + i;
        if query < n_queries {
            finish(place, query / GROUP, place.head * GROUP + query % GROUP, lane, first, second, top, total);
        }
    }
    workgroupBarrier();
}
