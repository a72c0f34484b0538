// dst[t, h] = softmax(SCALE · q[t, h] · keys) · values over the positions that token t sees.
//
// One workgroup: one head of keys and values, 4 · QUADS queries of it, a range of positions. UNITS neighbouring invocations
// take a position and four queries, each eight elements (a unit) of its key and its value: their parts of the scores are
// added up by subgroup operations, so that what an invocation reads in the loop is two vectors, and it waits for nobody. The
// next UNITS take the same position and the next four queries. The slices, all QUADS of a position, take turns, each with a
// running maximum and sum of its own, and are put together at the end.
// <https://arxiv.org/abs/2205.14135>
// Linked with: common/cache, attention/{query, whole or part}.   Reference: engine/src/reference/attention.rs

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@group(0) @binding(6) var<storage, read> keys: array<vec4u>;
@group(0) @binding(7) var<storage, read> values: array<vec4u>;

// HEAD_DIM8, filled up to a power of two that is no larger than a subgroup. UNITS · QUADS is at most WORKGROUP.
override UNITS: u32;
const WORKGROUP: u32 = 64u;
const NOTHING: f32 = -1e30;

var<workgroup> sums: array<vec4f, WORKGROUP * 8u>;                    // [slices, QUADS, UNITS, 4 queries, 8 elements]
var<workgroup> tops: array<vec4f, WORKGROUP>;                         // [slices, QUADS]: the largest score of each query,
var<workgroup> totals: array<vec4f, WORKGROUP>;                       // and the sum of weights.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = place_of(group);
    let unit = lane % UNITS;
    let quad = lane / UNITS % QUADS;
    let slice = lane / UNITS / QUADS;
    let query = place.query + quad * 4u;
    let seen = seen_by(query);
    // An invocation past the last unit has zeros for queries, and reads what another one needs.
    let held = min(unit, HEAD_DIM8 - 1u);
    let q0a = query_part(place.head, query, unit * 2u);
    let q0b = query_part(place.head, query, unit * 2u + 1u);
    let q1a = query_part(place.head, query + 1u, unit * 2u);
    let q1b = query_part(place.head, query + 1u, unit * 2u + 1u);
    let q2a = query_part(place.head, query + 2u, unit * 2u);
    let q2b = query_part(place.head, query + 2u, unit * 2u + 1u);
    let q3a = query_part(place.head, query + 3u, unit * 2u);
    let q3b = query_part(place.head, query + 3u, unit * 2u + 1u);
    var maximum = vec4f(NOTHING);
    var total = vec4f(0.0);
    var s0a = vec4f(0.0);
    var s0b = vec4f(0.0);
    var s1a = vec4f(0.0);
    var s1b = vec4f(0.0);
    var s2a = vec4f(0.0);
    var s2b = vec4f(0.0);
    var s3a = vec4f(0.0);
    var s3b = vec4f(0.0);
    // Of all queries, so that all invocations take as many turns.
    let begin = max(place.begin, seen_by(place.query).first.x);
    let end = min(place.end, seen_by(place.query + QUADS * 4u - 4u).last.w + 1u);
    for (var turn = begin; turn < end; turn += WORKGROUP / UNITS / QUADS) {
        let position = turn + slice;
        let read = min(position, end - 1u);
        let key = keys[key_at(read, place.head, held)];
        let value = values[value_at(read, place.head, held)];
        let ka = vec4f(unpack2x16float(key.x), unpack2x16float(key.y));
        let kb = vec4f(unpack2x16float(key.z), unpack2x16float(key.w));
        var score = vec4f(
            dot(q0a, ka) + dot(q0b, kb),
            dot(q1a, ka) + dot(q1b, kb),
            dot(q2a, ka) + dot(q2b, kb),
            dot(q3a, ka) + dot(q3b, kb),
        );
        for (var apart = UNITS / 2u; apart > 0u; apart /= 2u) {
            score += subgroupShuffleXor(score, apart);
        }
        let is_seen = vec4<bool>(position < end) & (vec4u(position) <= seen.last) & (vec4u(position) >= seen.first);
        let top = max(maximum, select(vec4f(NOTHING), score, is_seen));
        if any(top > maximum) {
            let shrink = exp(maximum - top);
            maximum = top;
            total *= shrink;
            s0a *= shrink.x;
            s0b *= shrink.x;
            s1a *= shrink.y;
            s1b *= shrink.y;
            s2a *= shrink.z;
            s2b *= shrink.z;
            s3a *= shrink.w;
            s3b *= shrink.w;
        }
        let weight = select(vec4f(0.0), exp(score - maximum), is_seen);
        total += weight;
        let va = vec4f(unpack2x16float(value.x), unpack2x16float(value.y));
        let vb = vec4f(unpack2x16float(value.z), unpack2x16float(value.w));
        s0a += weight.x * va;
        s0b += weight.x * vb;
        s1a += weight.y * va;
        s1b += weight.y * vb;
        s2a += weight.z * va;
        s2b += weight.z * vb;
        s3a += weight.w * va;
        s3b += weight.w * vb;
    }

    // Where there are few positions, the last slices have none.
    let slices = min(end - begin, WORKGROUP / UNITS / QUADS);
    if slice < slices {
        sums[lane * 8u] = s0a;
        sums[lane * 8u + 1u] = s0b;
        sums[lane * 8u + 2u] = s1a;
        sums[lane * 8u + 3u] = s1b;
        sums[lane * 8u + 4u] = s2a;
        sums[lane * 8u + 5u] = s2b;
        sums[lane * 8u + 6u] = s3a;
        sums[lane * 8u + 7u] = s3b;
        if unit == 0u {
            tops[lane / UNITS] = maximum;
            totals[lane / UNITS] = total;
        }
    }
    workgroupBarrier();
    for (var pair = lane; pair < QUADS * 4u * HEAD_DIM8; pair += WORKGROUP) {
        put_together(place, pair / HEAD_DIM8, pair % HEAD_DIM8, slices);
    }
}

// Eight elements for one query, out of all slices.
fn put_together(place: Place, i: u32, unit: u32, slices: u32) {
    let query = place.query + i;
    if query >= state.n_tokens * GROUP {
        return;
    }
    var top = NOTHING;
    for (var slice = 0u; slice < slices; slice += 1u) {
        top = max(top, tops[slice * QUADS + i / 4u][i % 4u]);
    }
    var total = 0.0;
    var a = vec4f(0.0);
    var b = vec4f(0.0);
    for (var slice = 0u; slice < slices; slice += 1u) {
        let quad = slice * QUADS + i / 4u;
        let at = (quad * UNITS + unit) * 8u + i % 4u * 2u;
        let shrink = exp(tops[quad][i % 4u] - top);
        total += totals[quad][i % 4u] * shrink;
        a += sums[at] * shrink;
        b += sums[at + 1u] * shrink;
    }
    finish(place, query / GROUP, place.head * GROUP + query % GROUP, unit, a, b, top, total);
}
