//! Tiny random models, whole GGUF files in memory.

use engine::backend::{Backend, BackendKind};
use engine::cpu::Machine;
use engine::dtype::DType;
use engine::gguf::{self, Gguf, Parsed, Writer};
use engine::load::Loader;
use engine::quant::random_blocks;

/// Tokens of the tiny vocabularies.
pub(crate) const N_VOCAB: u64 = 40;
/// Width of the residual stream.
const N_EMBD: u64 = 32;
/// Width of the feed-forward layer.
const N_FF: u64 = 64;
/// Query heads; half as many of keys and values.
const N_HEAD: u32 = 4;
/// Elements of a head.
const HEAD_DIM: u32 = 8;

/// The header of a whole file.
pub(crate) fn parse(file: &[u8]) -> Gguf {
    match gguf::parse(file, file.len() as u64).expect("a file") {
        Parsed::Complete(gguf) => gguf,
        Parsed::NeedMore { .. } => panic!("the whole file is there"),
    }
}

/// The model in a file, with room for `n_ctx` tokens.
pub(crate) fn load(file: &[u8], kind: BackendKind, n_ctx: usize) -> Backend {
    let mut loader = Loader::new(&parse(file), kind, n_ctx, Machine::alone()).expect("it fits");
    for piece in loader.pieces() {
        let start = usize::try_from(piece.offset).expect("small");
        loader.put(&piece, &file[start..start + piece.len]).expect("it is as long as it says");
    }
    loader.finish().expect("everything is there").1
}

/// A llama of two layers, with biases, factors of its frequencies and an output matrix of its own.
pub(crate) fn llama() -> Writer {
    let file =
        tensors(metadata("llama", 2), 2, &["attn_norm", "ffn_norm"]).tensor_of("output.weight", &[N_EMBD, N_VOCAB]);
    file.tensor_of("blk.0.attn_q.bias", &[u64::from(N_HEAD * HEAD_DIM)])
        .tensor_of("blk.1.ffn_down.bias", &[N_EMBD])
        .tensor_of("rope_freqs.weight", &[u64::from(HEAD_DIM / 2)])
}

/// A gemma3 of seven layers, so that one sees more than its window.
pub(crate) fn gemma3() -> Writer {
    let file = metadata("gemma3", 7).entry("gemma3.attention.sliding_window", 3u32);
    let file = tensors(file, 7, &["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]);
    (0..7).fold(file, |file, layer| {
        let head = [u64::from(HEAD_DIM)];
        file.tensor_of(&format!("blk.{layer}.attn_q_norm.weight"), &head)
            .tensor_of(&format!("blk.{layer}.attn_k_norm.weight"), &head)
    })
}

fn metadata(architecture: &str, n_layer: u32) -> Writer {
    let key = |key: &str| format!("{architecture}.{key}");
    Writer::default()
        .entry("general.architecture", architecture)
        .entry(&key("block_count"), n_layer)
        .entry(&key("context_length"), 1024u32)
        .entry(&key("embedding_length"), u32::try_from(N_EMBD).expect("small"))
        .entry(&key("feed_forward_length"), u32::try_from(N_FF).expect("small"))
        .entry(&key("attention.head_count"), N_HEAD)
        .entry(&key("attention.head_count_kv"), N_HEAD / 2)
        .entry(&key("attention.key_length"), HEAD_DIM)
        .entry(&key("attention.value_length"), HEAD_DIM)
        .entry(&key("attention.layer_norm_rms_epsilon"), 1e-5f32)
}

fn tensors(file: Writer, n_layer: usize, norms: &[&str]) -> Writer {
    let (q, kv) = (u64::from(N_HEAD * HEAD_DIM), u64::from(N_HEAD / 2 * HEAD_DIM));
    let file = file.tensor_of("token_embd.weight", &[N_EMBD, N_VOCAB]).tensor_of("output_norm.weight", &[N_EMBD]);
    (0..n_layer).fold(file, |file, layer| {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let file = norms.iter().fold(file, |file, norm| file.tensor_of(&name(norm), &[N_EMBD]));
        file.tensor_of(&name("attn_q"), &[N_EMBD, q])
            .tensor_of(&name("attn_k"), &[N_EMBD, kv])
            .tensor_of(&name("attn_v"), &[N_EMBD, kv])
            .tensor_of(&name("attn_output"), &[q, N_EMBD])
            .tensor_of(&name("ffn_gate"), &[N_EMBD, N_FF])
            .tensor_of(&name("ffn_up"), &[N_EMBD, N_FF])
            .tensor_of(&name("ffn_down"), &[N_FF, N_EMBD])
    })
}

/// Random tensors by name: vectors are f32, matrices Q4_0.
trait Tensors {
    fn tensor_of(self, name: &str, dims: &[u64]) -> Self;
}

impl Tensors for Writer {
    fn tensor_of(self, name: &str, dims: &[u64]) -> Self {
        let dtype = if dims.len() == 1 { DType::F32 } else { DType::Q4_0 };
        let n: u64 = dims.iter().product();
        let n_blocks = usize::try_from(n).expect("small") / dtype.block_len();
        let seed = name.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
        self.tensor(name, dtype, dims, random_blocks(dtype, n_blocks, seed))
    }
}
