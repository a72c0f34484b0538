// dst[t] = W·x[t] for many tokens and integer weights.   W [.., 32 · CHUNKS] packed, of which ROWS from FIRST_ROW; x as
// quantize.wgsl leaves it.
//
// A workgroup makes 64 rows × 32 tokens. It goes along the columns 32 at a time: integers go into workgroup memory as bytes,
// those of activations with four tokens beside each other, and each of the 16 × 8 invocations keeps 4 rows × 4 tokens of
// sums. Four products are one instruction; sums of sixteen columns are integers, and exact.
// Linked with: matmul/{tile, integers}, weights/*, scales/*, end/*, rows/count_*.   Reference: engine/src/reference/matmul.rs

@group(0) @binding(1) var<storage, read> x: array<u32>;               // [n, CHUNKS, 16]
@group(0) @binding(3) var<storage, read> x_scales: array<vec4f>;      // [n, CHUNKS]

var<workgroup> x_tile: array<vec4u, 16u * 8u>;                        // [word, token % 8]: tokens 8 apart
var<workgroup> t_tile: array<vec4f, 3u * 8u>;                         // [scale, two sums; token % 8]

@compute @workgroup_size(16, 8)
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
    for (var c = 0u; c < CHUNKS; c += 1u) {
        for (var i = lane; i < TILE_ROWS * 8u; i += 128u) {
            q_tile[i / 8u * PITCH + i % 8u] = quad(chunk_of(first_row + i / 8u, c), i % 8u);
        }
        let chunk = (first_token + id.y) * CHUNKS + c;
        let at = chunk * 16u + id.x;
        let apart = 8u * CHUNKS;
        x_tile[id.x * 8u + id.y] = vec4u(x[at], x[at + apart * 16u], x[at + apart * 32u], x[at + apart * 48u]);
        if lane < TILE_ROWS {
            s_tile[lane] = scales(chunk_of(first_row + lane, c));
        } else if lane < TILE_ROWS + 8u {
            let scaled = (first_token + lane - TILE_ROWS) * CHUNKS + c;
            let t0 = x_scales[scaled];
            let t1 = x_scales[scaled + apart];
            let t2 = x_scales[scaled + apart * 2u];
            let t3 = x_scales[scaled + apart * 3u];
            t_tile[lane - TILE_ROWS] = vec4f(t0.x, t1.x, t2.x, t3.x);
            t_tile[lane - TILE_ROWS + 8u] = vec4f(t0.y, t1.y, t2.y, t3.y);
            t_tile[lane - TILE_ROWS + 16u] = vec4f(t0.z, t1.z, t2.z, t3.z);
        }
        workgroupBarrier();
        for (var half = 0u; half < 2u; half += 1u) {
            var a0 = vec4i(0);
            var a1 = vec4i(0);
            var a2 = vec4i(0);
            var a3 = vec4i(0);
            let q = id.x * PITCH + half * 4u;
            for (var k = 0u; k < 4u; k += 1u) {
                let upper = x_tile[(half * 4u + k) * 8u + id.y];
                a0 = add(a0, q_tile[q + k], upper);
                a1 = add(a1, q_tile[q + k + 144u], upper);
                a2 = add(a2, q_tile[q + k + 288u], upper);
                a3 = add(a3, q_tile[q + k + 432u], upper);
            }
            a0 *= 256;
            a1 *= 256;
            a2 *= 256;
            a3 *= 256;
            for (var k = 0u; k < 4u; k += 1u) {
                let lower = x_tile[(8u + half * 4u + k) * 8u + id.y];
                a0 = add(a0, q_tile[q + k], lower);
                a1 = add(a1, q_tile[q + k + 144u], lower);
                a2 = add(a2, q_tile[q + k + 288u], lower);
                a3 = add(a3, q_tile[q + k + 432u], lower);
            }
            let scale = t_tile[id.y];
            let sum = t_tile[8u + half * 8u + id.y];
            y0 += weigh(id.x, half, vec4f(a0) * scale, sum);
            y1 += weigh(id.x + 16u, half, vec4f(a1) * scale, sum);
            y2 += weigh(id.x + 32u, half, vec4f(a2) * scale, sum);
            y3 += weigh(id.x + 48u, half, vec4f(a3) * scale, sum);
        }
        workgroupBarrier();
    }
    write_row(first_row + id.x, first_token + id.y, y0);
    write_row(first_row + id.x + 16u, first_token + id.y, y1);
    write_row(first_row + id.x + 32u, first_token + id.y, y2);
    write_row(first_row + id.x + 48u, first_token + id.y, y3);
}

// Four columns of one row, times those of four tokens.
fn add(sum: vec4i, q: u32, x: vec4u) -> vec4i {
    return sum + vec4i(dot4I8Packed(q, x.x), dot4I8Packed(q, x.y), dot4I8Packed(q, x.z), dot4I8Packed(q, x.w));
}

// Σ w·x over sixteen columns, from Σ q·x and Σ x.
fn weigh(row: u32, half: u32, dots: vec4f, sum: vec4f) -> vec4f {
    let s = scale_of(row, half);
    return s.x * dots + s.y * sum;
}
