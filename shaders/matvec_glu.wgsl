// dst = activation(G·x) · (U·x) for one token.   G and U [ROWS, 32 · CHUNKS] packed, one after the other; dst [ROWS].
//
// As matvec.wgsl, but the four rows of a team are two of G and the same two of U.
// Linked with: matvec/four_rows, weights/*, input/* (the norm before), reduce/lanes_*, activation/*.
// Reference: engine/src/reference/{matmul,activation}.rs

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;       // DST of it before the first row

override ROWS: u32;
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
    let y = four_rows(row0, row1, row2, row3, lane);
    if lane % LANES == 0u {
        if first < ROWS {
            dst[DST + first] = activate(y.x) * y.z;
        }
        if first + 1u < ROWS {
            dst[DST + first + 1u] = activate(y.y) * y.w;
        }
    }
}
