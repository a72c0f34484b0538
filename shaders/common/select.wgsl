// The largest of many keys. A key is a logit's bits, put in such an order that larger logits have larger keys; a logit
// that is not a number has the least key.
//
// Bins of eight bits at a time find the key where the weights of larger keys add up to k, the k-th largest if each weighs 1;
// 256 invocations share the work.
// Linked with something that has `key_of(i)` and `weight_of(key)`.

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec3u;
const ALL: u32 = 0xFFFFFFFFu;

struct Threshold {
    key: u32,       // Down to this one, weights reach k.
    end: u32,       // Of the keys that are equal to it, those before this place are needed for that.
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

// The difference of two such is finite.
const FINITE: f32 = 1.7e38;

// As the sampler takes it: what is not a number is far away, and nothing is infinitely far.
fn finite_logit(key: u32) -> f32 {
    return select(clamp(logit_of_key(key), -FINITE, FINITE), -FINITE, key == 0u);
}

fn threshold(n: u32, k: u32, lane: u32) -> Threshold {
    var prefix = 0u;
    var mask = 0u;
    var wanted = k;
    var n_equal = ALL;
    for (var round = 0u; round < 4u; round += 1u) {
        let shift = 24u - 8u * round;
        atomicStore(&bins[lane], 0u);
        workgroupBarrier();
        for (var i = lane; i < n; i += 256u) {
            let key = key_of(i);
            if (key & mask) == prefix {
                atomicAdd(&bins[(key >> shift) & 255u], weight_of(key));
            }
        }
        workgroupBarrier();
        if lane == 0u {
            var bin = 255u;
            while bin > 0u && atomicLoad(&bins[bin]) < wanted {
                wanted -= atomicLoad(&bins[bin]);
                bin -= 1u;
            }
            let key = prefix | (bin << shift);
            let each = max(weight_of(key), 1u);
            let needed = (wanted + each - 1u) / each;
            chosen = vec3u(key, wanted, select(needed, ALL, needed * each >= atomicLoad(&bins[bin])));
        }
        let found = workgroupUniformLoad(&chosen);
        prefix = found.x;
        wanted = found.y;
        n_equal = found.z;
        mask |= 255u << shift;
    }
    if n_equal == ALL {
        return Threshold(prefix, n);
    }
    return Threshold(prefix, end_of(n, prefix, n_equal, lane));
}

// The place after the first so many keys that are equal to this one: each invocation counts a stretch.
fn end_of(n: u32, key: u32, n_equal: u32, lane: u32) -> u32 {
    let stretch = (n + 255u) / 256u;
    let begin = min(lane * stretch, n);
    let end = min(begin + stretch, n);
    var count = 0u;
    for (var i = begin; i < end; i += 1u) {
        count += u32(key_of(i) == key);
    }
    atomicStore(&bins[lane], count);
    if lane == 0u {
        chosen = vec3u(n, 0u, 0u);
    }
    workgroupBarrier();
    var left = n_equal;
    for (var i = 0u; i < lane; i += 1u) {
        left -= min(left, atomicLoad(&bins[i]));
    }
    if left > 0u && left <= count {
        chosen.x = place_after(begin, key, left);
    }
    return workgroupUniformLoad(&chosen).x;
}

// The same of a stretch that has so many.
fn place_after(begin: u32, key: u32, n_equal: u32) -> u32 {
    var left = n_equal;
    var i = begin;
    while left > 0u {
        left -= u32(key_of(i) == key);
        i += 1u;
    }
    return i;
}

// Whether key i is one of the largest, down to the threshold; of those that are equal to it, the first are.
fn is_chosen(i: u32, key: u32, t: Threshold) -> bool {
    return key > t.key || (key == t.key && i < t.end);
}
