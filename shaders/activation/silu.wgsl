// x · σ(x).   Reference: engine/src/reference/activation.rs

fn activate(x: f32) -> f32 {
    return x / (1.0 + exp(-x));
}
