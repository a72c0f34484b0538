// Activations as 16-bit integers with a scale for 32:   x ≈ scale · (256 · upper + lower), two bytes each.
//
// Eight bits would do for speed, but not for agreement: rounding to them changes the most likely token at one position in
// twenty. One invocation a chunk of 32 columns of a token.
// Reference: engine/src/reference/matmul.rs, whose activations these are

@group(0) @binding(1) var<storage, read> x: array<vec4f>;             // [n, X_STRIDE4]
@group(0) @binding(2) var<storage, read_write> bytes: array<u32>;     // [n, CHUNKS, 16]: upper bytes, then lower ones
@group(0) @binding(3) var<storage, read_write> scales: array<vec4f>;  // [n, CHUNKS]: scale, Σ x of the first and second 16

override CHUNKS: u32;
override X_STRIDE4: u32;
// The upper byte of the largest integer, rounded, still is a byte.
const LARGEST: f32 = 127.0 * 256.0;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group.x * 32u + lane;
    if c >= CHUNKS {
        return;
    }
    let at = group.y * X_STRIDE4 + c * 8u;
    var most = vec4f(0.0);
    for (var i = 0u; i < 8u; i += 1u) {
        most = max(most, abs(x[at + i]));
    }
    let largest = max(max(most.x, most.y), max(most.z, most.w));
    let scale = largest / LARGEST;
    // What is almost nothing is nothing: its inverse would be infinite.
    let inverse = select(0.0, LARGEST / largest, largest > 1e-30);
    let chunk = group.y * CHUNKS + c;
    let first = pack(at, chunk * 16u, inverse);
    let second = pack(at + 4u, chunk * 16u + 4u, inverse);
    scales[chunk] = vec4f(scale, scale * f32(first), scale * f32(second), 0.0);
}

// Sixteen columns, and the sum of their integers.
fn pack(source: u32, to: u32, inverse: f32) -> i32 {
    var sum = vec4i(0);
    for (var i = 0u; i < 4u; i += 1u) {
        let q = vec4i(round(x[source + i] * inverse));
        let upper = (q + 128) >> vec4u(8u);
        bytes[to + i] = pack4xI8(upper);
        bytes[to + 8u + i] = pack4xI8(q - (upper << vec4u(8u)));
        sum += q;
    }
    return sum.x + sum.y + sum.z + sum.w;
}
