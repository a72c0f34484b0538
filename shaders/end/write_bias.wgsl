// What becomes of a row's result: with the row's bias and scaled, it is written.

@group(0) @binding(6) var<storage, read> bias: array<f32>;            // [ROWS]

override SCALE: f32;

fn finish(at: u32, row: u32, y: f32) {
    dst[at] = SCALE * (y + bias[row]);
}
