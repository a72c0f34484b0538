//! What the page and the worker say to each other: two closed enums, sent as JSON text.
//!
//! The worker speaks first, with [`Event::Ready`]; a request sent before it is lost. A local file cannot travel as
//! text, so the message that carries [`Request::Load`] of a [`Source::Local`] is a JS array `[json, File]`; every
//! other message is the JSON string alone.

pub use crate::error::ErrorKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the page asks of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Which models does this device hold? Answered by [`Event::Stored`].
    List,
    /// Fetch what is missing of a model, and make it the one that answers.
    Load(LoadOptions),
    /// Give up the load in progress; what has arrived is kept, so that the next load goes on from there.
    CancelLoad,
    /// Remove a stored model, by [`StoredModel::id`]. Answered by [`Event::Stored`].
    Delete {
        /// The model's [`StoredModel::id`].
        id: String,
    },
    /// Continue a conversation: answered by [`Event::Prompt`], [`Event::Text`] …, and one [`Event::Done`].
    Generate(GenerateOptions),
    /// End the reply in progress within one token.
    Stop,
    /// Measure the loaded model, as llama-bench does. Answered by [`Event::Measuring`] …, and one [`Event::Measured`] for
    /// every test.
    Bench(BenchOptions),
}

/// What to measure. Tests of 0 tokens are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchOptions {
    /// `pp`: tokens of the prompt to read.
    pub n_prompt: u32,
    /// `tg`: tokens to generate, one by one.
    pub n_gen: u32,
    /// Tokens already in the context before each test.
    pub depth: u32,
    /// How often each test is repeated.
    pub reps: u32,
    /// Whether to say what takes how long, at the end of each test; on the CPU only.
    pub profile: bool,
}

/// Where a model comes from, and how to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadOptions {
    /// Where the file is.
    pub source: Source,
    /// Address of Hugging Face or a mirror of it, without a slash at the end.
    pub hub: String,
    /// The largest context wanted; the model's own limit and the memory budget can make it smaller.
    pub context_tokens: u32,
    /// Keep the file on this device for the next time.
    pub keep: bool,
    /// Where the arithmetic is wanted; [`ModelInfo::backend`] says where it is.
    pub backend: BackendWish,
    /// How keys and values are kept; [`ModelInfo::cache`] says how they are.
    pub cache: CacheType,
    /// How many threads are wanted, 0 for as many as pay off; [`ModelInfo::threads`] says how many there are.
    pub threads: u32,
}

/// Where the arithmetic is wanted. What cannot be had is replaced, and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendWish {
    /// Where it is fastest.
    #[default]
    Best,
    /// On the CPU.
    Cpu,
    /// On the GPU.
    Gpu,
}

/// How the keys and values of a context are kept, by ggml's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CacheType {
    /// As halves.
    #[default]
    #[serde(rename = "f16")]
    F16,
    /// As bytes with a scale for 32: in about half the memory.
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl CacheType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::F16, Self::Q8_0];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of 32 elements.
    pub fn bytes_of_32(self) -> usize {
        match self {
            Self::F16 => 64,
            Self::Q8_0 => 34,
        }
    }
}

/// Where a model file is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A file of a Hugging Face repository.
    Hub {
        /// `owner/name`.
        repo: String,
        /// The file's path in the repository.
        file: String,
        /// Branch, tag or commit; usually `main`.
        revision: String,
    },
    /// Any address that serves the file (absolute).
    Url(String),
    /// A file from the person's own disk; the `File` travels beside the request.
    Local {
        /// The file's name.
        name: String,
    },
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sets the scene.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What they said, without thoughts.
    pub content: String,
}

/// One reply to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerateOptions {
    /// The conversation so far, oldest first; the last message is the person's.
    pub messages: Vec<Message>,
    /// How the next token is drawn.
    pub sampling: Sampling,
    /// The longest reply, in tokens; 0 means as long as the context allows.
    pub max_tokens: u32,
    /// For models that can think before they answer: whether they should.
    pub thinking: bool,
}

/// How the next token is drawn from the logits. Each step is left out at its neutral value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 is the model's own distribution.
    pub temperature: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest most likely tokens that together reach this probability; 1 keeps all.
    pub top_p: f32,
    /// Drop tokens less likely than this share of the most likely one; 0 keeps all.
    pub min_p: f32,
    /// Logits of recent tokens are divided (if positive) or multiplied (if negative) by this; 1 changes nothing.
    pub repeat_penalty: f32,
    /// Subtracted once for every earlier appearance.
    pub frequency_penalty: f32,
    /// Subtracted if the token appeared at all.
    pub presence_penalty: f32,
    /// How many of the last tokens the penalties look at.
    pub penalty_last_n: u32,
    /// Same seed, same draw; none draws a new one for every reply.
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            // Small models talk nonsense sooner than large ones.
            temperature: 0.3,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_last_n: 64,
            seed: None,
        }
    }
}

/// What the worker tells the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker listens.
    Ready,
    /// The models on this device, and the room for more.
    Stored {
        /// Every model, finished or not.
        models: Vec<StoredModel>,
        /// Bytes this site uses.
        used_bytes: u64,
        /// Bytes this site may use, as the browser estimates it; 0 if it does not say.
        quota_bytes: u64,
    },
    /// A load goes on.
    Progress {
        /// What is happening.
        stage: LoadStage,
        /// Bytes that are done.
        loaded_bytes: u64,
        /// Bytes of the whole file; 0 while unknown.
        total_bytes: u64,
    },
    /// What is stored of the model is no good: the load begins again from the first byte.
    StartedOver(StartOver),
    /// The model answers from now on.
    Loaded(ModelInfo),
    /// The model was loaded again, because the GPU was lost or its memory ran out, or after another that did not come: it
    /// goes on where this says.
    Moved(ModelInfo),
    /// There is no model any more: it made room for one that did not come, or its device was lost, and it is not at hand.
    Unloaded,
    /// The load was given up, as asked.
    LoadCancelled,
    /// The prompt is being read.
    Prompt {
        /// Tokens read in this turn so far.
        done_tokens: u32,
        /// Tokens this turn has to read.
        total_tokens: u32,
    },
    /// More of the reply.
    Text {
        /// Whole characters.
        text: String,
        /// Part of the model's thoughts, not of its answer.
        thought: bool,
    },
    /// The oldest turns no longer fit into the context and were left out of this prompt.
    Dropped {
        /// How many messages were left out.
        messages: u32,
    },
    /// The reply is complete.
    Done(ReplyStats),
    /// A measurement goes on.
    Measuring {
        /// Tokens computed so far, of all tests of the request.
        done_tokens: u64,
        /// Tokens that the request takes.
        total_tokens: u64,
    },
    /// A measurement is complete.
    Measured {
        /// llama-bench's name of the test: `pp512`, `tg64`, `tg64 @ d512`.
        test: String,
        /// Tokens per second of every repetition.
        tokens_per_sec: Vec<f64>,
        /// Bytes of the wasm heap.
        heap_bytes: u64,
        /// What a token costs the GPU, of a test that generates on one.
        gpu_cost: Option<GpuCost>,
        /// What took how long on the CPU, if that was asked for.
        profile: Option<Profile>,
    },
    /// A request failed; whatever had been there before is still there, but for a model that is [unloaded](Self::Unloaded).
    Failed {
        /// Which request.
        during: Stage,
        /// What went wrong.
        kind: ErrorKind,
        /// A sentence for the person.
        message: String,
    },
}

/// What is asked of the GPU for one token, on average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GpuCost {
    /// Kernels started.
    pub dispatches: f64,
    /// Command buffers submitted.
    pub submits: f64,
    /// Bind groups made.
    pub bind_groups: f64,
    /// Writes by the host.
    pub writes: f64,
    /// Their bytes.
    pub written_bytes: f64,
    /// Reads by the host.
    pub reads: f64,
    /// Their bytes.
    pub read_bytes: f64,
    /// Pipelines made so far, for everything.
    pub pipelines: u32,
}

/// What takes how long on the CPU, for one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Of the batch.
    pub n_tokens: u32,
    /// Tokens before it.
    pub start: u32,
    /// Threads that computed it.
    pub threads: u32,
    /// Products of a weight and an activation of 16 bits that these threads can do and sum up in a second, with nothing to
    /// load or to store.
    pub products_per_sec_max: f64,
    /// Every kind of op.
    pub ops: Vec<OpTime>,
}

/// All ops of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpTime {
    /// Its kind; of a matmul also rows and columns.
    pub name: String,
    /// Of matmuls, products of a weight and an activation.
    pub n_products: u64,
    /// How long they took.
    pub secs: f64,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_tokens, start, threads, products_per_sec_max, .. } = self;
        let (s, at_most) = (if *threads == 1 { "" } else { "s" }, products_per_sec_max / 1e9);
        writeln!(f, "{n_tokens} tokens at {start}, {threads} thread{s}; at most {at_most:.1} G products/s")?;
        let total: f64 = self.ops.iter().map(|op| op.secs).sum();
        for OpTime { name, n_products, secs } in &self.ops {
            write!(f, "{name:<24} {:9.3} ms {:5.1} %", 1e3 * secs, 100.0 * secs / total.max(f64::MIN_POSITIVE))?;
            if *n_products > 0 && *secs > 0.0 {
                write!(f, " {:6.1} G products/s", *n_products as f64 / secs / 1e9)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The steps of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadStage {
    /// Bytes come over the network.
    Download,
    /// Bytes come from this device.
    Read,
}

/// Why a load begins again from the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartOver {
    /// The file became another one on the server.
    Changed,
    /// The server does not say whether it is still the same file.
    Unsure,
    /// The copy on this device is not what was written, or cannot be read.
    Unusable,
}

/// Which request an [`Event::Failed`] belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// [`Request::List`] or [`Request::Delete`].
    Store,
    /// [`Request::Load`].
    Load,
    /// [`Request::Generate`].
    Generate,
    /// [`Request::Bench`].
    Bench,
}

/// A model file on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredModel {
    /// The store's name for it.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// Bytes that are here.
    pub stored_bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}

/// As many threads as pay off for either, or as were asked for; 1 on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// Threads that read a prompt.
    pub prefill: u32,
    /// Threads that write a reply.
    pub decode: u32,
}

impl Threads {
    /// This thread alone.
    pub const ONE: Self = Self::all(1);

    /// The same for both.
    pub const fn all(n_threads: u32) -> Self {
        Self { prefill: n_threads, decode: n_threads }
    }

    /// The larger of the two.
    pub fn most(self) -> u32 {
        self.prefill.max(self.decode)
    }
}

/// What the page shows about the loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The file's `general.name`, else its file name.
    pub name: String,
    /// The file's `general.architecture`.
    pub architecture: String,
    /// The type of most weights, in llama.cpp's words: `Q4_K`, `Q8_0`, …
    pub weight_type: String,
    /// How many parameters it has.
    pub n_params: u64,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Tokens of context it was loaded with.
    pub context_tokens: u32,
    /// Tokens of context it was trained with.
    pub trained_context_tokens: u32,
    /// Where the arithmetic runs: `cpu` or `gpu`.
    pub backend: String,
    /// What of that device's abilities it uses: `simd128`, `relaxed-simd`, `subgroups`, …; and why it is not the GPU, if
    /// anybody could wonder.
    pub tier: String,
    /// On the CPU although a GPU has passed the test: `tier` says why.
    pub is_second_best: bool,
    /// On the CPU because the GPU had no room for so long a conversation: a context, in tokens, that it has room for.
    pub roomy_context_tokens: Option<u32>,
    /// How it keeps keys and values; on a GPU always as halves.
    pub cache: CacheType,
    /// How many threads it runs on.
    pub threads: Threads,
    /// The build of the engine: `plain`, `plain-threads`, `relaxed` or `threads`.
    pub variant: String,
    /// Whether its template can switch thinking on and off.
    pub can_think: bool,
    /// If the file has no chat template: the name of the one used instead.
    pub fallback_template: Option<String>,
    /// Seconds from the request to now.
    pub load_secs: f64,
    /// Whether the file is kept on this device; if it should have been, why not.
    pub kept: Kept,
}

/// What became of the wish to keep a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// It is on this device.
    Yes,
    /// Nobody asked.
    NotAsked,
    /// It could not be kept, for this reason.
    No(String),
}

/// How a reply went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyStats {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub n_prompt: u32,
    /// Of these, tokens that were still in the cache.
    pub n_cached: u32,
    /// Tokens of the reply.
    pub n_reply: u32,
    /// Seconds to read the prompt.
    pub prompt_secs: f64,
    /// Seconds to write the reply.
    pub reply_secs: f64,
    /// Tokens the context holds now.
    pub context_used: u32,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// The model ended it.
    End,
    /// It reached `max_tokens`.
    Length,
    /// The context is full.
    ContextFull,
    /// The person stopped it.
    Stopped,
}
