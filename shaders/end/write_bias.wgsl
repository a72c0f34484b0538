// What becomes of a row's result: it is written, with the row's bias.

@group(0) @binding(6) var<storage, read> bias: array<f32>;            // [ROWS]

fn finish(at: u32, row: u32, y: f32) {
    dst[at] = y + bias[row];
}
