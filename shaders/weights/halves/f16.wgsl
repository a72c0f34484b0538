// Each is an f16.
fn floats(words: vec2u) -> vec4f {
    return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
