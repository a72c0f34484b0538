// No bias.

fn bias_of(c: u32) -> f32 {
    return 0.0;
}
