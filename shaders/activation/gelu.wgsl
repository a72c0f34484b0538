// The tanh approximation of GELU, written with exp: tanh(z) = 1 − 2 / (exp(2z) + 1).
// Reference: engine/src/reference/activation.rs

const SQRT_2_OVER_PI: f32 = 0.7978846;
const GELU_CUBIC: f32 = 0.044715;

fn activate(x: f32) -> f32 {
    // Past ±10 the result is ±1 in f32, and exp would overflow.
    let z = clamp(SQRT_2_OVER_PI * x * (1.0 + GELU_CUBIC * x * x), -10.0, 10.0);
    return x * (1.0 - 1.0 / (exp(2.0 * z) + 1.0));
}
