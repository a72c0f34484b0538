// dst[t] = W·x[t] for many tokens and integer weights.   W [.., 32 · CHUNKS] packed, of which ROWS from FIRST_ROW;
// x [n, X_STRIDE4 · 4].
//
// A workgroup makes 64 rows × 32 tokens. It goes along the columns 32 at a time: integers go into workgroup memory as bytes,
// activations with four tokens beside each other, and each of the 8 × 8 invocations keeps 8 rows × 4 tokens of sums.
// Linked with: matmul/{tile, integers}, weights/*, scales/*, end/*, rows/count_*.   Reference: engine/src/reference/matmul.rs

@group(0) @binding(1) var<storage, read> x: array<vec4f>;

override X_STRIDE4: u32;

// As in PITCH, for four columns.
const X_PITCH: u32 = 33u;
var<workgroup> x_tile: array<vec4f, 8u * X_PITCH>;                    // [word, column % 4, token % 8]: tokens 8 apart

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) id: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    var y4 = vec4f(0.0);
    var y5 = vec4f(0.0);
    var y6 = vec4f(0.0);
    var y7 = vec4f(0.0);
    for (var c = 0u; c < CHUNKS; c += 1u) {
        if lane < TILE_FOURS {
            keep_scales(first_row, lane, c);
        }
        keep_integers(first_row, id.y, c, id.x);
        keep_integers(first_row, id.y + 8u, c, id.x);
        let at = (first_token + id.y) * X_STRIDE4 + c * 8u + id.x;
        let t0 = x[at];
        let t1 = x[at + 8u * X_STRIDE4];
        let t2 = x[at + 16u * X_STRIDE4];
        let t3 = x[at + 24u * X_STRIDE4];
        let column = id.x * X_PITCH + id.y;
        x_tile[column] = vec4f(t0.x, t1.x, t2.x, t3.x);
        x_tile[column + 8u] = vec4f(t0.y, t1.y, t2.y, t3.y);
        x_tile[column + 16u] = vec4f(t0.z, t1.z, t2.z, t3.z);
        x_tile[column + 24u] = vec4f(t0.w, t1.w, t2.w, t3.w);
        workgroupBarrier();
        for (var half = 0u; half < 2u; half += 1u) {
            let s = scales_of(id.x, half);
            let t = scales_of(id.x + 8u, half);
            let o = offsets_of(id.x, half);
            let p = offsets_of(id.x + 8u, half);
            for (var k = half * 4u; k < half * 4u + 4u; k += 1u) {
                let x0 = x_tile[k * X_PITCH + id.y];
                let x1 = x_tile[k * X_PITCH + 8u + id.y];
                let x2 = x_tile[k * X_PITCH + 16u + id.y];
                let x3 = x_tile[k * X_PITCH + 24u + id.y];
                let q = q_tile[k * PITCH + id.x];
                let r = q_tile[k * PITCH + id.x + 8u];
                y0 = add(y0, q.x, s.x, o.x, x0, x1, x2, x3);
                y1 = add(y1, q.y, s.y, o.y, x0, x1, x2, x3);
                y2 = add(y2, q.z, s.z, o.z, x0, x1, x2, x3);
                y3 = add(y3, q.w, s.w, o.w, x0, x1, x2, x3);
                y4 = add(y4, r.x, t.x, p.x, x0, x1, x2, x3);
                y5 = add(y5, r.y, t.y, p.y, x0, x1, x2, x3);
                y6 = add(y6, r.z, t.z, p.z, x0, x1, x2, x3);
                y7 = add(y7, r.w, t.w, p.w, x0, x1, x2, x3);
            }
        }
        workgroupBarrier();
    }
    let row = first_row + id.x * 4u;
    write_row(row, first_token + id.y, y0);
    write_row(row + 1u, first_token + id.y, y1);
    write_row(row + 2u, first_token + id.y, y2);
    write_row(row + 3u, first_token + id.y, y3);
    write_row(row + 32u, first_token + id.y, y4);
    write_row(row + 33u, first_token + id.y, y5);
    write_row(row + 34u, first_token + id.y, y6);
    write_row(row + 35u, first_token + id.y, y7);
}

// Four columns of one row, times those of four tokens.
fn add(sum: vec4f, bytes: u32, scale: f32, offset: f32, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> vec4f {
    let w = scale * vec4f(unpack4xI8(bytes)) + offset;
    return fma(vec4f(w.x), x0, fma(vec4f(w.y), x1, fma(vec4f(w.z), x2, fma(vec4f(w.w), x3, sum))));
}
