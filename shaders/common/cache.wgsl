// Where keys and values of one layer stand: as halves, two in a word, each head filled up to HEAD_DIM8 eights.
//
// keys    [slot / 32, N_HEAD_KV, HEAD_DIM8, slot % 32, 4 words]: neighbouring positions lie beside each other
// values  [slot, N_HEAD_KV, HEAD_DIM8, 4 words]
// Linked with: common/{whole_context or ring}.

override N_HEAD_KV: u32;
override HEAD_DIM8: u32;

// The eight elements 8i … of a key, counted in eights.
fn key_at(position: u32, head: u32, i: u32) -> u32 {
    let slot = slot_of(position);
    return ((slot / 32u * N_HEAD_KV + head) * HEAD_DIM8 + i) * 32u + slot % 32u;
}

// The eight elements 8i … of a value, counted in eights.
fn value_at(position: u32, head: u32, i: u32) -> u32 {
    return (slot_of(position) * N_HEAD_KV + head) * HEAD_DIM8 + i;
}
