// What changes from batch to batch, in one small buffer.

struct State {
    start: u32,         // Position of the first token.
    n_tokens: u32,
    first_output: u32,  // The first token whose logits are wanted.
    n_outputs: u32,
}

@group(0) @binding(0) var<uniform> state: State;
