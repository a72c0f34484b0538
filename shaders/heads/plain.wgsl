// Queries and keys have no norm of their own.

fn norm_scale(squares: f32, lane: u32) -> f32 {
    return 1.0;
}

fn normed(x: f32, scale: f32, i: u32, is_q: bool) -> f32 {
    return x;
}
