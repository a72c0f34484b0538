// What becomes of a row's result: scaled, it is added to what is there.

override SCALE: f32;

fn finish(at: u32, row: u32, y: f32) {
    dst[at] += SCALE * y;
}
