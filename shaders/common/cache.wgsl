// Where keys and values of one layer stand: as halves, two in a word, each head filled up to HEAD_DIM8 eights.
//
// keys    [position / 32, N_HEAD_KV, HEAD_DIM8, position % 32, 4 words]: neighbouring positions lie beside each other
// values  [position, N_HEAD_KV, HEAD_DIM8, 4 words]

override N_HEAD_KV: u32;
override HEAD_DIM8: u32;

// The eight elements 8i … of a key, counted in eights.
fn key_at(position: u32, head: u32, i: u32) -> u32 {
    return ((position / 32u * N_HEAD_KV + head) * HEAD_DIM8 + i) * 32u + position % 32u;
}

// The eight elements 8i … of a value, counted in eights.
fn value_at(position: u32, head: u32, i: u32) -> u32 {
    return (position * N_HEAD_KV + head) * HEAD_DIM8 + i;
}
