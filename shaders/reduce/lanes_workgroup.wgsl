// Sums over LANES neighbouring invocations, through workgroup memory. Only the first of them gets the sum.

var<workgroup> partial: array<vec4f, 64>;
var<workgroup> partial_one: array<f32, 64>;

fn reduce(mine: vec4f, lane: u32) -> vec4f {
    partial[lane] = mine;
    workgroupBarrier();
    var sum = mine;
    if lane % LANES == 0u {
        for (var i = 1u; i < LANES; i += 1u) {
            sum += partial[lane + i];
        }
    }
    return sum;
}

fn reduce_one(mine: f32, lane: u32) -> f32 {
    partial_one[lane] = mine;
    workgroupBarrier();
    var sum = mine;
    if lane % LANES == 0u {
        for (var i = 1u; i < LANES; i += 1u) {
            sum += partial_one[lane + i];
        }
    }
    return sum;
}
