// Each is the upper half of an f32.
fn floats(words: vec2u) -> vec4f {
    return bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xFFFF0000u, words.y << 16u, words.y & 0xFFFF0000u));
}
