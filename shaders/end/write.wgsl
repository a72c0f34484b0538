// What becomes of a row's result: scaled, it is written.

override SCALE: f32;

fn finish(at: u32, row: u32, y: f32) {
    dst[at] = SCALE * y;
}
