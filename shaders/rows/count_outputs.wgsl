// How many rows there are: one for every token whose logits are wanted.

fn n_rows() -> u32 {
    return state.n_outputs;
}
