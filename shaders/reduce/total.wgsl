// The sum over the 64 invocations of a workgroup, for all of them.

var<workgroup> partial: array<f32, 64>;

fn total(mine: f32, lane: u32) -> f32 {
    partial[lane] = mine;
    workgroupBarrier();
    for (var apart = 32u; apart > 0u; apart /= 2u) {
        if lane < apart {
            partial[lane] += partial[lane + apart];
        }
        workgroupBarrier();
    }
    return partial[0];
}
