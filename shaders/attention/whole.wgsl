// A workgroup of attention sees all positions, for many tokens: what it finds is the result.   dst [n, STRIDE].

struct Place {
    head: u32,      // Of keys and values.
    query: u32,     // The first of 4 · QUADS: token · GROUP + head within the group.
    begin: u32,     // Positions.
    end: u32,
}

override STRIDE: u32;

fn place_of(group: vec3u) -> Place {
    return Place(group.x, group.y * 4u * QUADS, 0u, state.start + state.n_tokens);
}

fn finish(place: Place, token: u32, head: u32, unit: u32, first: vec4f, second: vec4f, top: f32, total: f32) {
    let at = token * STRIDE + head * HEAD_DIM;
    let i = unit * 8u;
    write(at, i, first.x / total);
    write(at, i + 1u, first.y / total);
    write(at, i + 2u, first.z / total);
    write(at, i + 3u, first.w / total);
    write(at, i + 4u, second.x / total);
    write(at, i + 5u, second.y / total);
    write(at, i + 6u, second.z / total);
    write(at, i + 7u, second.w / total);
}

fn write(at: u32, i: u32, y: f32) {
    if i < HEAD_DIM {
        dst[at + i] = y;
    }
}
