// The integers and scales of a tile of 64 rows × 32 columns, in workgroup memory, with four rows beside each other.
// Linked with: matmul/tile, weights/*, scales/*.

const TILE_ROWS: u32 = 64u;
const TILE_TOKENS: u32 = 32u;
const TILE_FOURS: u32 = TILE_ROWS / 4u;
// One four between the words is unused, so that words that are written together lie in different banks.
const PITCH: u32 = TILE_FOURS + 1u;

var<workgroup> q_tile: array<vec4u, 8u * PITCH>;                      // [word of four columns, four rows]
var<workgroup> s_tile: array<vec4f, 4u * TILE_FOURS>;                 // [half, scale or offset, four rows]

// Keeps a word of four rows.
fn keep_integers(first_row: u32, four: u32, c: u32, word: u32) {
    let row = first_row + four * 4u;
    q_tile[word * PITCH + four] = vec4u(
        quad(chunk_of(row, c), word),
        quad(chunk_of(row + 1u, c), word),
        quad(chunk_of(row + 2u, c), word),
        quad(chunk_of(row + 3u, c), word),
    );
}

// Keeps the scales and offsets of four rows.
fn keep_scales(first_row: u32, four: u32, c: u32) {
    let row = first_row + four * 4u;
    let s0 = scales(chunk_of(row, c));
    let s1 = scales(chunk_of(row + 1u, c));
    let s2 = scales(chunk_of(row + 2u, c));
    let s3 = scales(chunk_of(row + 3u, c));
    s_tile[four] = vec4f(s0.x, s1.x, s2.x, s3.x);
    s_tile[four + TILE_FOURS] = vec4f(s0.y, s1.y, s2.y, s3.y);
    s_tile[four + TILE_FOURS * 2u] = vec4f(s0.z, s1.z, s2.z, s3.z);
    s_tile[four + TILE_FOURS * 3u] = vec4f(s0.w, s1.w, s2.w, s3.w);
}

// The scales of four rows in half a chunk.
fn scales_of(four: u32, half: u32) -> vec4f {
    return s_tile[half * 2u * TILE_FOURS + four];
}

// The offsets of four rows in half a chunk.
fn offsets_of(four: u32, half: u32) -> vec4f {
    return s_tile[(half * 2u + 1u) * TILE_FOURS + four];
}
