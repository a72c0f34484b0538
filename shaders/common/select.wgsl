// The largest of many keys. A key is a logit's bits, put in such an order that larger logits have larger keys; a logit
// that is not a number has the least key.
//
// Bins of eight bits at a time find the k-th largest key; 256 invocations share the work.
// Linked with something that has `key_of(i)`.

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec2u;

struct Threshold {
    key: u32,       // The k-th largest.
    n_equal: u32,   // How many keys that are equal to it belong to the k largest.
}

fn key_of_logit(logit: f32) -> u32 {
    let bits = bitcast<u32>(logit);
    let is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    let key = select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
    return select(key, 0u, is_nan);
}

fn logit_of_key(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7FFFFFFFu, (key >> 31u) == 1u));
}

fn threshold(n: u32, k: u32, lane: u32) -> Threshold {
    var prefix = 0u;
    var mask = 0u;
    var wanted = min(k, n);
    for (var round = 0u; round < 4u; round += 1u) {
        let shift = 24u - 8u * round;
        atomicStore(&bins[lane], 0u);
        workgroupBarrier();
        for (var i = lane; i < n; i += 256u) {
            let key = key_of(i);
            if (key & mask) == prefix {
                atomicAdd(&bins[(key >> shift) & 255u], 1u);
            }
        }
        workgroupBarrier();
        if lane == 0u {
            var bin = 255u;
            while bin > 0u && atomicLoad(&bins[bin]) < wanted {
                wanted -= atomicLoad(&bins[bin]);
                bin -= 1u;
            }
            chosen = vec2u(prefix | (bin << shift), wanted);
        }
        let found = workgroupUniformLoad(&chosen);
        prefix = found.x;
        wanted = found.y;
        mask |= 255u << shift;
    }
    return Threshold(prefix, wanted);
}

// Whether key i is one of the k largest; of equal ones, the first are.
fn is_chosen(i: u32, key: u32, t: Threshold) -> bool {
    if key != t.key {
        return key > t.key;
    }
    var n_before = 0u;
    for (var j = 0u; j < i && n_before < t.n_equal; j += 1u) {
        n_before += u32(key_of(j) == key);
    }
    return n_before < t.n_equal;
}
