// x.   Reference: engine/src/reference/conv.rs

fn activate(x: f32) -> f32 {
    return x;
}
