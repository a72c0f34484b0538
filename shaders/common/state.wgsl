// What changes from batch to batch, in one small buffer. Not a uniform one: drivers that build uniforms into the code
// (lavapipe does) would compile every kernel again for every token.

struct State {
    start: u32,         // Position of the first token.
    n_tokens: u32,
    first_output: u32,  // The first token whose logits are wanted.
    n_outputs: u32,
}

@group(0) @binding(0) var<storage, read> state: State;
