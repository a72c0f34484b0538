//! Tiny random models, whole GGUF files in memory.

use engine::backend::{Backend, BackendKind};
use engine::cpu::Machine;
use engine::dtype::DType;
use engine::gguf::{self, Gguf, Parsed, Value, Writer};
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

/// An lfm2 of four layers, of which two have attention; its header states another width of the feed-forward layer than its tensors have.
pub(crate) fn lfm2() -> Writer {
    let n_head_kv = [0, N_HEAD / 2, 0, N_HEAD];
    let entries = [
        ("feed_forward_length", Value::from(3 * narrow(N_FF))),
        ("attention.head_count_kv", Value::from(n_head_kv.to_vec())),
    ];
    let file = metadata_with("lfm2", 4, entries).entry("lfm2.shortconv.l_cache", 3u32);
    let file = file.tensor_of("token_embd.weight", &[N_EMBD, N_VOCAB]).tensor_of("token_embd_norm.weight", &[N_EMBD]);
    (0..4).fold(file, |file, layer| {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let file = feed_forward(file, layer, &["attn_norm", "ffn_norm"]);
        if n_head_kv[layer] > 0 {
            let head = [u64::from(HEAD_DIM)];
            return attention(file, layer, n_head_kv[layer])
                .tensor_of(&name("attn_q_norm"), &head)
                .tensor_of(&name("attn_k_norm"), &head);
        }
        file.tensor_of(&name("shortconv.in_proj"), &[N_EMBD, 3 * N_EMBD])
            .tensor_of(&name("shortconv.out_proj"), &[N_EMBD, N_EMBD])
            .tensor(&name("shortconv.conv"), DType::F32, &[3, N_EMBD], random_blocks(DType::F32, 3 * 32, layer as u64))
    })
}

fn metadata(architecture: &str, n_layer: u32) -> Writer {
    metadata_with(architecture, n_layer, [])
}

/// What every header has, some of it replaced.
fn metadata_with<const N: usize>(architecture: &str, n_layer: u32, replaced: [(&str, Value); N]) -> Writer {
    let key = |key: &str| format!("{architecture}.{key}");
    let usual: [(&str, Value); 9] = [
        ("block_count", n_layer.into()),
        ("context_length", 1024u32.into()),
        ("embedding_length", narrow(N_EMBD).into()),
        ("feed_forward_length", narrow(N_FF).into()),
        ("attention.head_count", N_HEAD.into()),
        ("attention.head_count_kv", (N_HEAD / 2).into()),
        ("attention.key_length", HEAD_DIM.into()),
        ("attention.value_length", HEAD_DIM.into()),
        ("attention.layer_norm_rms_epsilon", 1e-5f32.into()),
    ];
    let file = Writer::default().entry("general.architecture", architecture);
    usual.into_iter().fold(file, |file, (name, value)| {
        let own = replaced.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
        file.entry(&key(name), own.unwrap_or(value))
    })
}

fn narrow(n: u64) -> u32 {
    u32::try_from(n).expect("small")
}

fn tensors(file: Writer, n_layer: usize, norms: &[&str]) -> Writer {
    let file = file.tensor_of("token_embd.weight", &[N_EMBD, N_VOCAB]).tensor_of("output_norm.weight", &[N_EMBD]);
    (0..n_layer).fold(file, |file, layer| attention(feed_forward(file, layer, norms), layer, N_HEAD / 2))
}

/// A layer's norms and feed-forward.
fn feed_forward(file: Writer, layer: usize, norms: &[&str]) -> Writer {
    let name = |part: &str| format!("blk.{layer}.{part}.weight");
    let file = norms.iter().fold(file, |file, norm| file.tensor_of(&name(norm), &[N_EMBD]));
    file.tensor_of(&name("ffn_gate"), &[N_EMBD, N_FF])
        .tensor_of(&name("ffn_up"), &[N_EMBD, N_FF])
        .tensor_of(&name("ffn_down"), &[N_FF, N_EMBD])
}

/// A layer's attention.
fn attention(file: Writer, layer: usize, n_head_kv: u32) -> Writer {
    let (q, kv) = (u64::from(N_HEAD * HEAD_DIM), u64::from(n_head_kv * HEAD_DIM));
    let name = |part: &str| format!("blk.{layer}.{part}.weight");
    file.tensor_of(&name("attn_q"), &[N_EMBD, q])
        .tensor_of(&name("attn_k"), &[N_EMBD, kv])
        .tensor_of(&name("attn_v"), &[N_EMBD, kv])
        .tensor_of(&name("attn_output"), &[q, N_EMBD])
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
