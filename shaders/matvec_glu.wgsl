// dst = activation(G·x) · (U·x) for one token.   G and U [ROWS, 32 · CHUNKS] packed, one after the other; dst [ROWS].
//
// As matvec.wgsl, but the four rows of a team are two of G and the same two of U.
// Linked with: weights/*, input/* (the norm before), reduce/lanes_*, activation/*.
// Reference: engine/src/reference/{matmul,activation}.rs

@group(0) @binding(1) var<storage, read> x: array<vec4f>;             // [8 · CHUNKS]
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;       // DST of it before the first row

override ROWS: u32;
override CHUNKS: u32;
override LANES: u32;
override DST: u32;
const WORKGROUP: u32 = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) n_groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let team = (group.x + group.y * n_groups.x) * (WORKGROUP / LANES) + lane / LANES;
    let first = team * 2u;
    // A row past the end reads the last one's weights, and is not written.
    let row0 = min(first, ROWS - 1u) * CHUNKS;
    let row1 = min(first + 1u, ROWS - 1u) * CHUNKS;
    let row2 = row0 + ROWS * CHUNKS;
    let row3 = row1 + ROWS * CHUNKS;
    var sum0 = 0.0;
    var sum1 = 0.0;
    var sum2 = 0.0;
    var sum3 = 0.0;
    var squares = 0.0;
    for (var c = lane % LANES; c < CHUNKS; c += LANES) {
        let i = c * 8u;
        let ones = vec4f(1.0);
        // By halves, so that fewer activations are held at a time.
        let raw0 = x[i];
        let raw1 = x[i + 1u];
        let raw2 = x[i + 2u];
        let raw3 = x[i + 3u];
        squares += square(raw0) + square(raw1) + square(raw2) + square(raw3);
        let x0 = weigh(raw0, i);
        let x1 = weigh(raw1, i + 1u);
        let x2 = weigh(raw2, i + 2u);
        let x3 = weigh(raw3, i + 3u);
        let total0 = dot(x0 + x1 + x2 + x3, ones);
        sum0 += dot_first(row0 + c, x0, x1, x2, x3, total0);
        sum1 += dot_first(row1 + c, x0, x1, x2, x3, total0);
        sum2 += dot_first(row2 + c, x0, x1, x2, x3, total0);
        sum3 += dot_first(row3 + c, x0, x1, x2, x3, total0);
        let raw4 = x[i + 4u];
        let raw5 = x[i + 5u];
        let raw6 = x[i + 6u];
        let raw7 = x[i + 7u];
        squares += square(raw4) + square(raw5) + square(raw6) + square(raw7);
        let x4 = weigh(raw4, i + 4u);
        let x5 = weigh(raw5, i + 5u);
        let x6 = weigh(raw6, i + 6u);
        let x7 = weigh(raw7, i + 7u);
        let total1 = dot(x4 + x5 + x6 + x7, ones);
        sum0 += dot_second(row0 + c, x4, x5, x6, x7, total1);
        sum1 += dot_second(row1 + c, x4, x5, x6, x7, total1);
        sum2 += dot_second(row2 + c, x4, x5, x6, x7, total1);
        sum3 += dot_second(row3 + c, x4, x5, x6, x7, total1);
    }
    let y = reduce(vec4f(sum0, sum1, sum2, sum3), lane) * norm_scale(squares, lane);
    if lane % LANES == 0u {
        if first < ROWS {
            dst[DST + first] = activate(y.x) * y.z;
        }
        if first + 1u < ROWS {
            dst[DST + first + 1u] = activate(y.y) * y.w;
        }
    }
}
