// A channel's state becomes its last TAPS − 1 inputs; of a batch without tokens, it stays as it is. Upwards, so that nothing is read
// after it was replaced.

fn replace_state(c: u32) {
    for (var row = 0u; row + 1u < TAPS; row += 1u) {
        window[row * WIDTH + c] = input_at(state.n_tokens + row, c);
    }
}
