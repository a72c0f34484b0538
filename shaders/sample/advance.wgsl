// What follows from a draw: its token is the only one of the next batch. After an end token there is no next batch: whatever
// has been submitted meanwhile reads no token, and changes no memory that counts.

@group(0) @binding(2) var<storage, read_write> drawn: array<u32>;     // token, step, n of all tokens, then the ring
@group(0) @binding(3) var<storage, read_write> batch: array<u32>;     // common/state.wgsl, then the tokens

fn advance(token: u32) {
    drawn[0] = token;
    drawn[1] += 1u;
    drawn[3u + drawn[2] % settings.last_n] = token;
    drawn[2] += 1u;
    let goes_on = batch[1] > 0u && !is_end(token);
    batch[0] += batch[1];
    batch[1] = u32(goes_on);
    batch[2] = 0u;
    batch[3] = 1u;
    batch[4] = token;
}

fn is_end(token: u32) -> bool {
    for (var i = 0u; i < END_TOKENS; i += 1u) {
        if settings.end_tokens[i] == token {
            return true;
        }
    }
    return false;
}
