// What becomes of a row's result: it is written.

fn finish(at: u32, row: u32, y: f32) {
    dst[at] = y;
}
