// How many rows there are: one for every token.

fn n_rows() -> u32 {
    return state.n_tokens;
}
