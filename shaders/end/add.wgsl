// What becomes of a row's result: it is added to what is there.

fn finish(at: u32, row: u32, y: f32) {
    dst[at] += y;
}
