// How tokens are drawn in a reply, and what was drawn so far.

struct Settings {
    temperature: f32,   // 0: the most likely token.
    top_k: u32,         // 1 ..= CANDIDATES, or more for draw_all.wgsl.
    top_p: f32,
    ln_min_p: f32,
    repeat_penalty: f32,
    frequency_penalty: f32,
    presence_penalty: f32,
    last_n: u32,        // Tokens that penalties look at: 1 ..= RECENT.
    end_tokens: array<u32, END_TOKENS>,     // Those that a reply ends with; 0xFFFFFFFF where there are fewer.
}

@group(0) @binding(0) var<storage, read> settings: Settings;

// End tokens that there is room for.
const END_TOKENS: u32 = 8u;
// Candidates of one slice of the vocabulary, and of the whole.
const CANDIDATES: u32 = 64u;
// Logits of a slice.
const SLICE: u32 = 4096u;
