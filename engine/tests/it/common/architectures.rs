//! A tiny random model of every architecture: whole GGUF files in memory, the same bytes on every machine.
//!
//! What tensors a file has and how large they are is what the architecture's plan asks for; a row of [`MODELS`] holds the
//! header's sizes, and the tensors that files of this architecture have beyond what all have. Sizes are odd where real ones
//! never are: heads that are no power of two, rows that are no multiple of 256, a head of another width than
//! `n_embd / n_head`, windows shorter than a prompt. Norms have a large epsilon, so that a wrong one shows.

#![allow(dead_code, reason = "the test and the maker of the golden files each use a part of it")]
#![allow(clippy::cast_possible_truncation, reason = "random weights are rounded; tests may do so anyway")]

use engine::dtype::DType;
use engine::gguf::{self, Gguf, Parsed, Strings, Writer};
use engine::model::Model;
use engine::plan::WeightInfo;
use engine::rng::Rng;
use half::f16;
use std::collections::BTreeMap;

/// Tokens of the vocabularies.
const N_VOCAB: usize = 96;
/// Weights of a block of Q8_0.
const Q8_0_LEN: usize = 32;

/// A tiny model.
pub(crate) struct TinyModel {
    /// Names its golden file.
    pub(crate) name: &'static str,
    /// `general.architecture`.
    architecture: &'static str,
    n_layer: u32,
    n_embd: u32,
    n_ff: u32,
    n_head: u32,
    n_head_kv: u32,
    head_dim: u32,
    /// More of the header, under the architecture's prefix.
    entries: &'static [(&'static str, Entry)],
    /// Tensors that a plan reads only where a file has them; `*` stands for every layer.
    optional: &'static [&'static str],
}

/// A value of a header, as a constant.
#[derive(Clone, Copy)]
enum Entry {
    U32(u32),
    F32(f32),
    Str(&'static str),
    U32s(&'static [u32]),
    Bool(bool),
}

const LLAMA: TinyModel = TinyModel {
    name: "llama",
    architecture: "llama",
    n_layer: 2,
    n_embd: 96,
    n_ff: 160,
    n_head: 6,
    n_head_kv: 2,
    head_dim: 20,
    entries: &[],
    optional: &["output.weight", "rope_freqs.weight"],
};

const YARN: &[(&str, Entry)] = &[
    ("rope.scaling.type", Entry::Str("yarn")),
    ("rope.scaling.factor", Entry::F32(4.0)),
    ("rope.scaling.original_context_length", Entry::U32(64)),
];

/// All of them: at least one of every architecture.
pub(crate) const MODELS: &[TinyModel] = &[
    LLAMA,
    TinyModel { name: "llama-yarn", entries: YARN, optional: &[], ..LLAMA },
    TinyModel {
        name: "gemma3",
        architecture: "gemma3",
        n_layer: 7,
        head_dim: 12,
        entries: &[("attention.sliding_window", Entry::U32(9)), ("rope.freq_base", Entry::F32(1e6))],
        optional: &[],
        ..LLAMA
    },
    TinyModel {
        name: "qwen2",
        architecture: "qwen2",
        n_embd: 84,
        n_head: 7,
        n_head_kv: 1,
        head_dim: 12,
        entries: &[("rope.freq_base", Entry::F32(1e6))],
        optional: &["blk.*.attn_q.bias", "blk.*.attn_k.bias", "blk.*.attn_v.bias"],
        ..LLAMA
    },
    TinyModel {
        name: "qwen3",
        architecture: "qwen3",
        head_dim: 24,
        entries: &[("rope.freq_base", Entry::F32(1e6))],
        optional: &[],
        ..LLAMA
    },
    TinyModel { name: "smollm3", architecture: "smollm3", n_layer: 5, optional: &[], ..LLAMA },
    TinyModel { name: "ernie4_5", architecture: "ernie4_5", optional: &[], ..LLAMA },
    TinyModel { name: "mistral3", architecture: "mistral3", entries: MISTRAL3, ..LLAMA },
    TinyModel {
        name: "phi3",
        architecture: "phi3",
        head_dim: 16,
        entries: &[
            ("rope.dimension_count", Entry::U32(12)),
            ("rope.scaling.attn_factor", Entry::F32(1.19)),
            // llama.cpp's contexts are multiples of 256: a shorter one would make it take the long factors.
            ("rope.scaling.original_context_length", Entry::U32(256)),
        ],
        optional: &["output.weight", "rope_factors_short.weight", "rope_factors_long.weight"],
        ..LLAMA
    },
    TinyModel { name: "hunyuan-dense", architecture: "hunyuan-dense", optional: &[], ..LLAMA },
    TinyModel { name: "exaone4", architecture: "exaone4", head_dim: 16, ..LLAMA },
    TinyModel { name: "olmo2", architecture: "olmo2", head_dim: 16, optional: &["output.weight"], ..LLAMA },
    TinyModel {
        name: "olmo3",
        architecture: "olmo2",
        n_layer: 5,
        head_dim: 16,
        entries: OLMO3,
        optional: &["output.weight"],
        ..LLAMA
    },
    TinyModel { name: "bitnet", architecture: "bitnet", head_dim: 16, optional: &[], ..LLAMA },
    TinyModel {
        name: "lfm2",
        architecture: "lfm2",
        n_layer: 5,
        head_dim: 16,
        entries: &[
            ("attention.head_count_kv", Entry::U32s(&[0, 0, 2, 0, 3])),
            ("shortconv.l_cache", Entry::U32(4)),
            ("rope.freq_base", Entry::F32(1e6)),
        ],
        optional: &[],
        ..LLAMA
    },
    TinyModel {
        name: "granite",
        architecture: "granite",
        head_dim: 16,
        entries: GRANITE,
        optional: &["blk.1.attn_output.bias"],
        ..LLAMA
    },
    TinyModel {
        name: "granite-nope",
        architecture: "granite",
        head_dim: 16,
        entries: &[GRANITE[0], GRANITE[1], GRANITE[2], GRANITE[3], ("rope.scaling.finetuned", Entry::Bool(false))],
        optional: &["output.weight"],
        ..LLAMA
    },
];

/// Scales as odd as real ones, but for logits, so that likely tokens stay likely.
const GRANITE: &[(&str, Entry)] = &[
    ("embedding_scale", Entry::F32(1.7)),
    ("residual_scale", Entry::F32(0.62)),
    ("attention.scale", Entry::F32(0.17)),
    ("logit_scale", Entry::F32(0.8)),
];

/// YaRN, and windows.
const OLMO3: &[(&str, Entry)] = &[YARN[0], YARN[1], YARN[2], ("attention.sliding_window", Entry::U32(9))];

const MISTRAL3: &[(&str, Entry)] = &[
    YARN[0],
    YARN[1],
    YARN[2],
    ("rope.scaling.yarn_log_multiplier", Entry::F32(1.0)),
    ("attention.temperature_scale", Entry::F32(0.1)),
];

impl TinyModel {
    /// The model as a GGUF file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let stub = |file: Writer, name: &str| file.tensor(name, DType::F32, &[1], vec![0; 4]);
        let embedding = [self.n_embd.into(), N_VOCAB as u64];
        let header = self.header().tensor(
            "token_embd.weight",
            DType::F16,
            &embedding,
            vec![0; 2 * N_VOCAB * self.n_embd as usize],
        );
        let header = self.optional().iter().fold(header, |file, name| stub(file, name));
        let plan = Model::planned(&parse(&header.finish())).expect("a model").plan;
        let shapes = shapes(&plan.weights);
        let absent = self.optional().into_iter().filter(|name| !shapes.contains_key(name.as_str()));
        let unread: Vec<String> = absent.collect();
        let shapes = shapes.iter().map(|(name, shape)| (*name, *shape));
        // Long rotary factors are in the file of a model whose plan reads the short ones.
        let short = plan.weights.iter().find(|w| w.tensor == "rope_factors_short.weight").map_or(0, |w| w.cols);
        let shapes = shapes.chain(unread.iter().map(|name| (name.as_str(), (1, short))));
        let file = shapes.fold(self.header(), |file, (name, (rows, cols))| {
            let (dtype, bytes) = tensor(name, rows, cols);
            let dims = [cols as u64, rows as u64];
            file.tensor(name, dtype, if rows == 1 { &dims[..1] } else { &dims }, bytes)
        });
        file.finish()
    }

    fn header(&self) -> Writer {
        let key = |key: &str| format!("{}.{key}", self.architecture);
        let file = Writer::default()
            .entry("general.architecture", self.architecture)
            .entry(&key("block_count"), self.n_layer)
            .entry(&key("context_length"), 256u32)
            .entry(&key("embedding_length"), self.n_embd)
            .entry(&key("feed_forward_length"), self.n_ff)
            .entry(&key("attention.head_count"), self.n_head)
            .entry(&key("attention.key_length"), self.head_dim)
            .entry(&key("attention.value_length"), self.head_dim)
            .entry(&key("attention.layer_norm_rms_epsilon"), 0.03f32);
        let usual = [("attention.head_count_kv", self.n_head_kv), ("rope.dimension_count", self.head_dim)];
        let is_own = |name: &str| self.entries.iter().any(|(own, _)| *own == name);
        let usual = usual.into_iter().filter(|(name, _)| !is_own(name));
        let file = usual.fold(file, |file, (name, value)| file.entry(&key(name), value));
        let file = self.entries.iter().fold(file, |file, (name, entry)| match *entry {
            Entry::U32(value) => file.entry(&key(name), value),
            Entry::F32(value) => file.entry(&key(name), value),
            Entry::Str(value) => file.entry(&key(name), value),
            Entry::U32s(values) => file.entry(&key(name), values.to_vec()),
            Entry::Bool(value) => file.entry(&key(name), value),
        });
        vocabulary(file)
    }

    fn optional(&self) -> Vec<String> {
        let layers = |name: &&str| match name.contains('*') {
            true => (0..self.n_layer).map(|layer| name.replace('*', &layer.to_string())).collect(),
            false => vec![(*name).to_owned()],
        };
        self.optional.iter().flat_map(layers).collect()
    }
}

/// A vocabulary that llama.cpp takes; no test writes text with it.
fn vocabulary(file: Writer) -> Writer {
    let tokens: Strings = (0..N_VOCAB).map(|id| format!("t{id}")).collect();
    let merges: Strings = ["t 1"].map(str::to_owned).into_iter().collect();
    file.entry("tokenizer.ggml.model", "gpt2")
        .entry("tokenizer.ggml.pre", "gpt-2")
        .entry("tokenizer.ggml.tokens", tokens)
        .entry("tokenizer.ggml.merges", merges)
        .entry("tokenizer.ggml.token_type", vec![1i32; N_VOCAB])
}

/// The tensors that weights are rows of, and their rows and columns.
fn shapes(weights: &[WeightInfo]) -> BTreeMap<&str, (usize, usize)> {
    let mut shapes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for weight in weights {
        let shape = shapes.entry(&weight.tensor).or_insert((0, weight.cols));
        shape.0 = shape.0.max(weight.range().end);
    }
    shapes
}

/// Random numbers as large as makes a model of random numbers sensible: what layers add is as large as what they get, and
/// likely tokens are a few times as likely as others. Matrices are Q8_0 where their rows are whole blocks, else F16; kernels
/// of convolutions are F32.
fn tensor(name: &str, rows: usize, cols: usize) -> (DType, Vec<u8>) {
    let seed = name.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut rng = Rng::new(seed);
    let is_vocabulary = matches!(name, "token_embd.weight" | "output.weight");
    let (mean, deviation) = match rows {
        1 if name.starts_with("rope_") => (2.0, 0.4),
        1 if name.ends_with(".bias") => (0.0, 0.3),
        1 => (1.0, 0.25),
        _ if is_vocabulary => (0.0, 2.5 / (cols as f32).sqrt()),
        _ => (0.0, 1.2 / (cols as f32).sqrt()),
    };
    let values: Vec<f32> = (0..rows * cols).map(|_| mean + deviation * gaussian(&mut rng)).collect();
    match rows {
        1 => floats(&values),
        _ if name.ends_with("conv.weight") => floats(&values),
        _ if cols.is_multiple_of(Q8_0_LEN) => (DType::Q8_0, values.chunks_exact(Q8_0_LEN).flat_map(q8_0).collect()),
        _ => (DType::F16, values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
    }
}

fn floats(values: &[f32]) -> (DType, Vec<u8>) {
    (DType::F32, values.iter().flat_map(|x| x.to_le_bytes()).collect())
}

/// Near enough to a normal distribution, without functions that differ from machine to machine: a sum of twelve.
#[expect(clippy::cast_possible_truncation, reason = "a random number may lose digits")]
fn gaussian(rng: &mut Rng) -> f32 {
    ((0..12).map(|_| rng.unit()).sum::<f64>() - 6.0) as f32
}

/// A block of Q8_0.
#[expect(clippy::cast_possible_truncation, reason = "it is rounded and within ±127")]
fn q8_0(values: &[f32]) -> Vec<u8> {
    let scale = f16::from_f32(values.iter().fold(0.0f32, |max, x| max.max(x.abs())) / 127.0);
    let quantized = values.iter().map(|x| (x / f32::from(scale)).round().clamp(-127.0, 127.0) as i8);
    scale.to_le_bytes().into_iter().chain(quantized.map(i8::cast_unsigned)).collect()
}

/// The header of a whole file.
pub(crate) fn parse(file: &[u8]) -> Gguf {
    match gguf::parse(file, file.len() as u64).expect("a file") {
        Parsed::Complete(gguf) => gguf,
        Parsed::NeedMore { .. } => panic!("the whole file is there"),
    }
}
