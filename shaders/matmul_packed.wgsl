// dst[t] = W·x[t] for many tokens and integer weights.   W [.., 32 · CHUNKS] packed, of which ROWS from FIRST_ROW;
// x [n, X_STRIDE4 · 4].
//
// A workgroup makes 64 rows × 32 tokens. It goes along the columns 32 at a time: integers go into workgroup memory as bytes,
// activations with four tokens beside each other, and each of the 8 × 8 invocations keeps 8 rows × 4 tokens of sums.
// Linked with: matmul/{tile, integers}, weights/*, scales/*, end/*, rows/count_*.   Reference: engine/src/reference/matmul.rs

@group(0) @binding(1) var<storage, read> x: array<vec4f>;

override X_STRIDE4: u32;

var<workgroup> x_tile: array<vec4f, 32u * 8u>;                        // [column, token % 8]: tokens 8 apart

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
        s_tile[lane] = scales(chunk_of(first_row + lane, c));
        for (var i = id.y; i < TILE_ROWS; i += 8u) {
            q_tile[i * PITCH + id.x] = quad(chunk_of(first_row + i, c), id.x);
        }
        let at = (first_token + id.y) * X_STRIDE4 + c * 8u + id.x;
        let t0 = x[at];
        let t1 = x[at + 8u * X_STRIDE4];
        let t2 = x[at + 16u * X_STRIDE4];
        let t3 = x[at + 24u * X_STRIDE4];
        let column = id.x * 32u + id.y;
        x_tile[column] = vec4f(t0.x, t1.x, t2.x, t3.x);
        x_tile[column + 8u] = vec4f(t0.y, t1.y, t2.y, t3.y);
        x_tile[column + 16u] = vec4f(t0.z, t1.z, t2.z, t3.z);
        x_tile[column + 24u] = vec4f(t0.w, t1.w, t2.w, t3.w);
        workgroupBarrier();
        for (var half = 0u; half < 2u; half += 1u) {
            let s0 = scale_of(id.x + 0u, half);
            let s1 = scale_of(id.x + 8u, half);
            let s2 = scale_of(id.x + 16u, half);
            let s3 = scale_of(id.x + 24u, half);
            let s4 = scale_of(id.x + 32u, half);
            let s5 = scale_of(id.x + 40u, half);
            let s6 = scale_of(id.x + 48u, half);
            let s7 = scale_of(id.x + 56u, half);
            for (var k = half * 4u; k < half * 4u + 4u; k += 1u) {
                let x0 = x_tile[k * 32u + id.y];
                let x1 = x_tile[k * 32u + 8u + id.y];
                let x2 = x_tile[k * 32u + 16u + id.y];
                let x3 = x_tile[k * 32u + 24u + id.y];
                let q = id.x * PITCH + k;
                y0 = add(y0, q_tile[q + 0u], s0, x0, x1, x2, x3);
                y1 = add(y1, q_tile[q + 72u], s1, x0, x1, x2, x3);
                y2 = add(y2, q_tile[q + 144u], s2, x0, x1, x2, x3);
                y3 = add(y3, q_tile[q + 216u], s3, x0, x1, x2, x3);
                y4 = add(y4, q_tile[q + 288u], s4, x0, x1, x2, x3);
                y5 = add(y5, q_tile[q + 360u], s5, x0, x1, x2, x3);
                y6 = add(y6, q_tile[q + 432u], s6, x0, x1, x2, x3);
                y7 = add(y7, q_tile[q + 504u], s7, x0, x1, x2, x3);
            }
        }
        workgroupBarrier();
    }
    write_row(first_row + id.x + 0u, first_token + id.y, y0);
    write_row(first_row + id.x + 8u, first_token + id.y, y1);
    write_row(first_row + id.x + 16u, first_token + id.y, y2);
    write_row(first_row + id.x + 24u, first_token + id.y, y3);
    write_row(first_row + id.x + 32u, first_token + id.y, y4);
    write_row(first_row + id.x + 40u, first_token + id.y, y5);
    write_row(first_row + id.x + 48u, first_token + id.y, y6);
    write_row(first_row + id.x + 56u, first_token + id.y, y7);
}

// Four columns of one row, times those of four tokens.
fn add(sum: vec4f, bytes: u32, s: vec2f, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) -> vec4f {
    let w = s.x * vec4f(unpack4xI8(bytes)) + s.y;
    return fma(vec4f(w.x), x0, fma(vec4f(w.y), x1, fma(vec4f(w.z), x2, fma(vec4f(w.w), x3, sum))));
}
