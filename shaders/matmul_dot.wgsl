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
        keep_integers(first_row, lane / 8u, c, lane % 8u);
        let chunk = (first_token + id.y) * CHUNKS + c;
        let at = chunk * 16u + id.x;
        let apart = 8u * CHUNKS;
        x_tile[id.x * 8u + id.y] = vec4u(x[at], x[at + apart * 16u], x[at + apart * 32u], x[at + apart * 48u]);
        if lane < TILE_FOURS {
            keep_scales(first_row, lane, c);
        } else if lane < TILE_FOURS + 8u {
            let token = lane - TILE_FOURS;
            let scaled = (first_token + token) * CHUNKS + c;
            let t0 = x_scales[scaled];
            let t1 = x_scales[scaled + apart];
            let t2 = x_scales[scaled + apart * 2u];
            let t3 = x_scales[scaled + apart * 3u];
            t_tile[token] = vec4f(t0.x, t1.x, t2.x, t3.x);
            t_tile[token + 8u] = vec4f(t0.y, t1.y, t2.y, t3.y);
            t_tile[token + 16u] = vec4f(t0.z, t1.z, t2.z, t3.z);
        }
        workgroupBarrier();
        for (var half = 0u; half < 2u; half += 1u) {
            var a0 = vec4i(0);
            var a1 = vec4i(0);
            var a2 = vec4i(0);
            var a3 = vec4i(0);
            for (var k = half * 4u; k < half * 4u + 4u; k += 1u) {
                let q = q_tile[k * PITCH + id.x];
                let upper = x_tile[k * 8u + id.y];
                a0 = add(a0, q.x, upper);
                a1 = add(a1, q.y, upper);
                a2 = add(a2, q.z, upper);
                a3 = add(a3, q.w, upper);
            }
            a0 *= 256;
            a1 *= 256;
            a2 *= 256;
            a3 *= 256;
            for (var k = half * 4u; k < half * 4u + 4u; k += 1u) {
                let q = q_tile[k * PITCH + id.x];
                let lower = x_tile[(8u + k) * 8u + id.y];
                a0 = add(a0, q.x, lower);
                a1 = add(a1, q.y, lower);
                a2 = add(a2, q.z, lower);
                a3 = add(a3, q.w, lower);
            }
            let scale = t_tile[id.y];
            let sum = t_tile[8u + half * 8u + id.y];
            let s = scales_of(id.x, half);
            let o = offsets_of(id.x, half);
            y0 += s.x * scale * vec4f(a0) + o.x * sum;
            y1 += s.y * scale * vec4f(a1) + o.y * sum;
            y2 += s.z * scale * vec4f(a2) + o.z * sum;
            y3 += s.w * scale * vec4f(a3) + o.w * sum;
        }
        workgroupBarrier();
    }
    let row = first_row + id.x * 4u;
    write_row(row, first_token + id.y, y0);
    write_row(row + 1u, first_token + id.y, y1);
    write_row(row + 2u, first_token + id.y, y2);
    write_row(row + 3u, first_token + id.y, y3);
}

// Four columns of one row, times those of four tokens.
fn add(sum: vec4i, q: u32, x: vec4u) -> vec4i {
    return sum + vec4i(dot4I8Packed(q, x.x), dot4I8Packed(q, x.y), dot4I8Packed(q, x.z), dot4I8Packed(q, x.w));
}
