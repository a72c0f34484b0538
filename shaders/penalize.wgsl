// Makes tokens that appeared in the last `last_n` less likely.   logits [n_vocab].
//
// One invocation a place in the ring of recent tokens; the first place of a token does its work.
// Linked with: sample/settings.   Reference: engine/src/sampler.rs

@group(0) @binding(1) var<storage, read> drawn: array<u32>;           // token, step, n of all tokens, then the ring
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;

override N_VOCAB: u32;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let n = min(drawn[2], settings.last_n);
    if lane >= n {
        return;
    }
    let token = drawn[3u + lane];
    var count = 0u;
    for (var i = 0u; i < n; i += 1u) {
        if drawn[3u + i] == token {
            if i < lane {
                return;
            }
            count += 1u;
        }
    }
    if token >= N_VOCAB {
        return;
    }
    let logit = logits[token];
    let repeated = select(logit * settings.repeat_penalty, logit / settings.repeat_penalty, logit > 0.0);
    logits[token] = repeated - (f32(count) * settings.frequency_penalty + settings.presence_penalty);
}
