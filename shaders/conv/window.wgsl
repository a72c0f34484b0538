// What a convolution reads: the TAPS − 1 rows before the batch, and the batch's own.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(7) var<storage, read_write> window: array<f32>;    // [TAPS − 1, WIDTH], the oldest row first

override TAPS: u32;
override WIDTH: u32;
override X: u32;
override X_STRIDE: u32;

// Row t + i is what tap i of token t sees.
fn input_at(row: u32, c: u32) -> f32 {
    if row + 1u < TAPS {
        return window[row * WIDTH + c];
    }
    return x[X + (row + 1u - TAPS) * X_STRIDE + c];
}
