// The integers and scales of a tile of 64 rows × 32 columns, in workgroup memory.   Linked with: weights/*, scales/*.

const TILE_ROWS: u32 = 64u;
const TILE_TOKENS: u32 = 32u;
// A row of a tile is 8 words, and one unused so that neighbouring rows lie in different banks.
const PITCH: u32 = 9u;

var<workgroup> q_tile: array<u32, TILE_ROWS * PITCH>;
var<workgroup> s_tile: array<vec4f, TILE_ROWS>;

// Scale and offset of half a row.
fn scale_of(row: u32, half: u32) -> vec2f {
    let s = s_tile[row];
    return select(s.zw, s.xy, half == 0u);
}
