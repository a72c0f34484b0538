// Four rows of W · x, over LANES neighbouring invocations; `row0` … are the rows' first chunks.
//
// Each takes every LANES-th chunk of 32 columns, so that its activations serve four rows and its neighbours read neighbouring
// words. The sums of the four rows are then added up over the lanes.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;             // [8 · CHUNKS]

override CHUNKS: u32;
override LANES: u32;

fn four_rows(row0: u32, row1: u32, row2: u32, row3: u32, lane: u32) -> vec4f {
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
    return reduce(vec4f(sum0, sum1, sum2, sum3), lane) * norm_scale(squares, lane);
}
