//! A model is a function from its header to a plan.
//!
//! To add an architecture: a file under `model/`, which reads its own keys of the header, and its row in `ARCHITECTURES`.

mod bitnet;
mod exaone4;
mod gemma3;
mod granite;
mod hparams;
mod hunyuan;
mod keys;
mod lfm2;
mod llama;
mod mistral3;
mod olmo2;
mod parts;
mod phi3;
mod qwen2;
mod qwen3;
mod smollm3;

use crate::error::{Error, ErrorKind, Result};
use crate::gguf::Gguf;
use crate::plan::{Plan, WeightInfo};
use crate::quant::Codec;
use keys::Keys;
use std::collections::HashMap;

/// An architecture: what `general.architecture` says, and what it computes.
struct Architecture {
    name: &'static str,
    plan: fn(&Keys<'_>) -> Result<Plan>,
}

/// Every architecture that can be run.
const ARCHITECTURES: &[Architecture] = &[
    Architecture { name: "llama", plan: llama::plan },
    Architecture { name: "gemma3", plan: gemma3::plan },
    Architecture { name: "qwen2", plan: qwen2::plan },
    Architecture { name: "qwen3", plan: qwen3::plan },
    Architecture { name: "smollm3", plan: smollm3::plan },
    Architecture { name: "ernie4_5", plan: llama::plan },
    Architecture { name: "mistral3", plan: mistral3::plan },
    Architecture { name: "phi3", plan: phi3::plan },
    Architecture { name: "hunyuan-dense", plan: hunyuan::plan },
    Architecture { name: "exaone4", plan: exaone4::plan },
    Architecture { name: "olmo2", plan: olmo2::plan },
    Architecture { name: "bitnet", plan: bitnet::plan },
    Architecture { name: "lfm2", plan: lfm2::plan },
    Architecture { name: "granite", plan: granite::plan },
];

/// What the engine needs to know of a model beside its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// `general.architecture`.
    pub architecture: &'static str,
    /// Tokens of the vocabulary.
    pub n_vocab: usize,
    /// Tokens of the context the model was trained with, as far as the plan holds.
    pub n_ctx_train: usize,
}

/// A model, ready for a backend.
#[derive(Debug, Clone)]
pub struct Model {
    /// What it is, and how much it takes in.
    pub config: Config,
    /// What it computes.
    pub plan: Plan,
}

impl Model {
    /// The model that a file's header describes.
    ///
    /// # Errors
    /// `Unsupported` for an architecture or a feature that is not here, `Invalid` for a header that contradicts itself.
    pub fn new(gguf: &Gguf) -> Result<Self> {
        let model = Self::planned(gguf)?;
        check_tensors(gguf, &model.plan)?;
        Ok(model)
    }

    /// The model that a file's header describes, whatever tensors it has: their names say only which parts the model has.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn planned(gguf: &Gguf) -> Result<Self> {
        let name = gguf.metadata.str("general.architecture")?.unwrap_or_default();
        let architecture = ARCHITECTURES.iter().find(|a| a.name == name).ok_or_else(|| unknown(name))?;
        let keys = Keys::new(gguf, architecture.name);
        let plan = (architecture.plan)(&keys)?;
        let n_ctx_train = keys.size("context_length", u32::MAX as usize)?;
        let config = Config {
            architecture: keys.architecture(),
            n_vocab: keys.n_vocab()?,
            n_ctx_train: plan.n_ctx_max.map_or(n_ctx_train, |n| n.min(n_ctx_train)),
        };
        Ok(Self { config, plan })
    }

    /// By [`crate::plan::Weight`]: how its bytes become weights, in the file that this model is from.
    ///
    /// # Panics
    /// If the model is from another file.
    pub fn codecs(&self, gguf: &Gguf) -> Vec<Codec> {
        let codec = |tensor: &str| gguf.tensor(tensor).expect("the model checked its tensors").dtype.into();
        self.plan.weights.iter().map(|weight| codec(&weight.tensor)).collect()
    }
}

/// The names of the architectures that can be run.
pub fn architectures() -> impl Iterator<Item = &'static str> {
    ARCHITECTURES.iter().map(|a| a.name)
}

fn unknown(name: &str) -> Error {
    let known = architectures().collect::<Vec<_>>().join(", ");
    let what = if name.is_empty() {
        "the file does not say its architecture".to_owned()
    } else {
        format!("the architecture is {name:?}")
    };
    Error::new(ErrorKind::Unsupported, format!("This model cannot be run yet: {what}; supported are {known}."))
}

/// Every weight of the plan must be in the file, and its tensor end where the last of the tensor's weights does.
fn check_tensors(gguf: &Gguf, plan: &Plan) -> Result<()> {
    let mut ends: HashMap<&str, usize> = HashMap::new();
    for weight in &plan.weights {
        let end = ends.entry(&weight.tensor).or_default();
        *end = weight.range().end.max(*end);
    }
    for WeightInfo { tensor: name, cols, .. } in &plan.weights {
        let Some(tensor) = gguf.tensor(name) else {
            return Err(Error::new(ErrorKind::Invalid, format!("The file has no tensor {name:?}.")));
        };
        let rows = ends[name.as_str()];
        if (tensor.rows(), tensor.cols()) != (rows, *cols) {
            let message = format!(
                "Tensor {name:?} is {} × {}, but the header's sizes ask for {rows} × {cols}.",
                tensor.rows(),
                tensor.cols()
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}
