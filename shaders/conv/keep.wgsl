// Other tokens of the batch read the state: conv_state.wgsl replaces it afterwards.

fn replace_state(c: u32) {}
