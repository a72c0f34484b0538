// dst[t] = W[token[t]] · SCALE.   W [.., 32 · CHUNKS] packed; dst [n, STRIDE], from DST on.
//
// This buffer has ROWS tokens from FIRST_TOKEN on, in rows from FIRST_ROW on; a token that is in another buffer is left to
// another dispatch. One invocation makes four elements of one token.
// Linked with: weights/*.   Reference: engine/src/reference/embed.rs

// The state of the batch as in common/state.wgsl, then its tokens.
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

override FIRST_TOKEN: u32;
override FIRST_ROW: u32;
override ROWS: u32;
override CHUNKS: u32;
override COLS: u32;
override SCALE: f32;
override DST: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * 64u + lane;
    // A token before the first becomes a very large number.
    let row = tokens[4u + group.y] - FIRST_TOKEN;
    if i * 4u >= COLS || row >= ROWS {
        return;
    }
    let four = weights4((FIRST_ROW + row) * CHUNKS + i / 8u, i % 8u) * SCALE;
    let at = DST + group.y * STRIDE;
    write(at, i * 4u, four.x);
    write(at, i * 4u + 1u, four.y);
    write(at, i * 4u + 2u, four.z);
    write(at, i * 4u + 3u, four.w);
}

fn write(at: u32, i: u32, y: f32) {
    if i < COLS {
        dst[at + i] = y;
    }
}
