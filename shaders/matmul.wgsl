// dst[t] = W·x[t] for many tokens and float weights.   W [.., 32 · CHUNKS] packed, of which ROWS from FIRST_ROW; x [n, X_STRIDE4 · 4].
//
// A workgroup makes 32 rows × 32 tokens. It goes along the columns 32 at a time: weights are unpacked into workgroup
// memory once for 32 tokens, and each of the 8 × 8 invocations keeps 4 × 4 sums.
// Linked with: matmul/tile, weights/*, end/*, rows/count_*.   Reference: engine/src/reference/matmul.rs

@group(0) @binding(1) var<storage, read> x: array<vec4f>;

override X_STRIDE4: u32;
const TILE: u32 = 32u;
// A row of a tile is 8 vectors of four columns, and one unused so that neighbouring rows lie in different banks.
const PITCH: u32 = 9u;

var<workgroup> w_tile: array<vec4f, TILE * PITCH>;
var<workgroup> x_tile: array<vec4f, TILE * PITCH>;

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) id: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_row = group.x * TILE;
    let first_token = group.y * TILE;
    var s00 = 0.0; var s01 = 0.0; var s02 = 0.0; var s03 = 0.0;
    var s10 = 0.0; var s11 = 0.0; var s12 = 0.0; var s13 = 0.0;
    var s20 = 0.0; var s21 = 0.0; var s22 = 0.0; var s23 = 0.0;
    var s30 = 0.0; var s31 = 0.0; var s32 = 0.0; var s33 = 0.0;
    for (var c = 0u; c < CHUNKS; c += 1u) {
        for (var i = lane; i < TILE * 8u; i += 64u) {
            w_tile[i / 8u * PITCH + i % 8u] = weights4(chunk_of(first_row + i / 8u, c), i % 8u);
            x_tile[i / 8u * PITCH + i % 8u] = x[(first_token + i / 8u) * X_STRIDE4 + c * 8u + i % 8u];
        }
        workgroupBarrier();
        for (var k = 0u; k < 8u; k += 1u) {
            let w0 = w_tile[id.x * PITCH + k];
            let w1 = w_tile[(id.x + 8u) * PITCH + k];
            let w2 = w_tile[(id.x + 16u) * PITCH + k];
            let w3 = w_tile[(id.x + 24u) * PITCH + k];
            let x0 = x_tile[id.y * PITCH + k];
            let x1 = x_tile[(id.y + 8u) * PITCH + k];
            let x2 = x_tile[(id.y + 16u) * PITCH + k];
            let x3 = x_tile[(id.y + 24u) * PITCH + k];
            s00 = add_dot(w0, x0, s00); s01 = add_dot(w0, x1, s01); s02 = add_dot(w0, x2, s02); s03 = add_dot(w0, x3, s03);
            s10 = add_dot(w1, x0, s10); s11 = add_dot(w1, x1, s11); s12 = add_dot(w1, x2, s12); s13 = add_dot(w1, x3, s13);
            s20 = add_dot(w2, x0, s20); s21 = add_dot(w2, x1, s21); s22 = add_dot(w2, x2, s22); s23 = add_dot(w2, x3, s23);
            s30 = add_dot(w3, x0, s30); s31 = add_dot(w3, x1, s31); s32 = add_dot(w3, x2, s32); s33 = add_dot(w3, x3, s33);
        }
        workgroupBarrier();
    }
    write_row(first_row + id.x, first_token + id.y, vec4f(s00, s01, s02, s03));
    write_row(first_row + id.x + 8u, first_token + id.y, vec4f(s10, s11, s12, s13));
    write_row(first_row + id.x + 16u, first_token + id.y, vec4f(s20, s21, s22, s23));
    write_row(first_row + id.x + 24u, first_token + id.y, vec4f(s30, s31, s32, s33));
}

fn add_dot(a: vec4f, b: vec4f, sum: f32) -> f32 {
    return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}
