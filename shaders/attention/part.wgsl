// A workgroup of attention sees a part of the positions, for one token; combine.wgsl puts the parts together.
// dst [n_head, PARTS_MAX, 8 · HEAD_DIM8 + 2]: values not yet divided by the sum of weights, the maximum, the sum.

struct Place {
    head: u32,      // Of keys and values.
    query: u32,     // The first of 4 · QUADS heads within the group.
    begin: u32,     // Positions.
    end: u32,
    part: u32,
}

// Positions of one part, and as many parts as there can be.
override PART: u32;
override PARTS_MAX: u32;

fn place_of(group: vec3u) -> Place {
    let n = state.start + 1u;
    let first_part = (n - min(n, WINDOW)) / PART;
    let begin = (first_part + group.y) * PART;
    return Place(group.x % N_HEAD_KV, group.x / N_HEAD_KV * 4u * QUADS, begin, min(begin + PART, n), group.y);
}

fn finish(place: Place, token: u32, head: u32, unit: u32, first: vec4f, second: vec4f, top: f32, total: f32) {
    let at = (head * PARTS_MAX + place.part) * (HEAD_DIM8 * 8u + 2u);
    let i = at + unit * 8u;
    dst[i] = first.x;
    dst[i + 1u] = first.y;
    dst[i + 2u] = first.z;
    dst[i + 3u] = first.w;
    dst[i + 4u] = second.x;
    dst[i + 5u] = second.y;
    dst[i + 6u] = second.z;
    dst[i + 7u] = second.w;
    if unit == 0u {
        dst[at + HEAD_DIM8 * 8u] = top;
        dst[at + HEAD_DIM8 * 8u + 1u] = total;
    }
}
