// Sums over LANES neighbouring invocations, a power of two that is no larger than a subgroup.

fn reduce(mine: vec4f, lane: u32) -> vec4f {
    var sum = mine;
    for (var apart = LANES / 2u; apart > 0u; apart /= 2u) {
        sum += subgroupShuffleXor(sum, apart);
    }
    return sum;
}

fn reduce_one(mine: f32, lane: u32) -> f32 {
    var sum = mine;
    for (var apart = LANES / 2u; apart > 0u; apart /= 2u) {
        sum += subgroupShuffleXor(sum, apart);
    }
    return sum;
}
