// What a matmul's tile of rows × tokens has to do with the whole: which rows of W are meant, and where results go.
// Linked with: end/*, rows/count_*.

@group(0) @binding(2) var<storage, read_write> dst: array<f32>;       // [n, STRIDE], DST of it before the first row

override FIRST_ROW: u32;
override ROWS: u32;
// Biases before the first row's.
override BIAS: u32;
override CHUNKS: u32;
override DST: u32;
override STRIDE: u32;

// A chunk of a row of W; past the last row, of that one, whose results are not written.
fn chunk_of(row: u32, c: u32) -> u32 {
    return (FIRST_ROW + min(row, ROWS - 1u)) * CHUNKS + c;
}

// One row's results for four tokens, eight apart.
fn write_row(row: u32, token: u32, y: vec4f) {
    if row >= ROWS {
        return;
    }
    write(row, token, y.x);
    write(row, token + 8u, y.y);
    write(row, token + 16u, y.z);
    write(row, token + 24u, y.w);
}

fn write(row: u32, token: u32, y: f32) {
    if token < n_rows() {
        finish(DST + token * STRIDE + row, BIAS + row, y);
    }
}
