// The nearest finite halves: an infinite key would make every score of its head meaningless.
fn two_halves(a: f32, b: f32) -> u32 {
    return pack2x16float(clamp(vec2f(a, b), vec2f(-65504.0), vec2f(65504.0)));
}
