// What follows from a draw: its token is the only one of the next batch.

@group(0) @binding(2) var<storage, read_write> drawn: array<u32>;     // token, step, n of all tokens, then the ring
@group(0) @binding(3) var<storage, read_write> batch: array<u32>;     // common/state.wgsl, then the tokens

fn advance(token: u32) {
    drawn[0] = token;
    drawn[1] += 1u;
    drawn[3u + drawn[2] % settings.last_n] = token;
    drawn[2] += 1u;
    batch[0] += batch[1];
    batch[1] = 1u;
    batch[2] = 0u;
    batch[3] = 1u;
    batch[4] = token;
}
