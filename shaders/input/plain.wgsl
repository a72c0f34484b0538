// The activations of a matmul are taken as they are.

fn weigh(x: vec4f, i: u32) -> vec4f {
    return x;
}

fn square(x: vec4f) -> f32 {
    return 0.0;
}

fn norm_scale(squares: f32, lane: u32) -> f32 {
    return 1.0;
}
