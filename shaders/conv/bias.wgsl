// A bias for every channel.

@group(0) @binding(6) var<storage, read> bias: array<f32>;            // [WIDTH]

fn bias_of(c: u32) -> f32 {
    return bias[c];
}
