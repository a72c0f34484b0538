// dst = W·x for one token.   W [.., 32 · CHUNKS] packed, of which ROWS from FIRST_ROW; x [32 · CHUNKS], dst [ROWS].
//
// LANES neighbouring invocations, a team, share four rows.
// Linked with: matvec/four_rows, weights/*, input/* (the norm before), reduce/lanes_*, end/*.
// Reference: engine/src/reference/matmul.rs

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;       // DST of it before the first row

override FIRST_ROW: u32;
override ROWS: u32;
// Biases before the first row's.
override BIAS: u32;
override DST: u32;
const WORKGROUP: u32 = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) n_groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let team = (group.x + group.y * n_groups.x) * (WORKGROUP / LANES) + lane / LANES;
    let first = team * 4u;
    // A row past the end reads the last one's weights, and is not written.
    let row0 = (FIRST_ROW + min(first, ROWS - 1u)) * CHUNKS;
    let row1 = (FIRST_ROW + min(first + 1u, ROWS - 1u)) * CHUNKS;
    let row2 = (FIRST_ROW + min(first + 2u, ROWS - 1u)) * CHUNKS;
    let row3 = (FIRST_ROW + min(first + 3u, ROWS - 1u)) * CHUNKS;
    let y = four_rows(row0, row1, row2, row3, lane);
    if lane % LANES == 0u {
        if first < ROWS {
            finish(DST + first, BIAS + first, y.x);
        }
        if first + 1u < ROWS {
            finish(DST + first + 1u, BIAS + first + 1u, y.y);
        }
        if first + 2u < ROWS {
            finish(DST + first + 2u, BIAS + first + 2u, y.z);
        }
        if first + 3u < ROWS {
            finish(DST + first + 3u, BIAS + first + 3u, y.w);
        }
    }
}
