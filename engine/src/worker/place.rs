//! Where a model is to run: on the GPU if there is one that computes what it should, else on the CPU, and why.
//!
//! The worker's own address can say it, for tests: `?gpu=off`, `?gpu=plain` (nothing but what every GPU can do), `?gpu=on`
//! (also one that is a program on the CPU), `?gpu=dots` (the same, with products of bytes, also where they are slow).

use super::adapter::Adapter;
use super::info;
use super::patience::{unless_cancelled, within_a_minute};
use crate::backend::BackendKind;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::{Device, Options, self_test};
use crate::protocol::{BackendWish, CacheType};
use crate::store::{Cancel, js};

/// After so many failures, the GPU is left alone.
const N_FAILURES_MAX: usize = 2;

/// What a person, or a test, wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Where it is fastest.
    Best,
    /// On the CPU.
    Cpu,
    /// On the GPU, whatever it is.
    Gpu,
    /// On the GPU, with nothing that some GPU lacks.
    Plain,
    /// On the GPU, with products of bytes.
    Dots,
}

/// What the worker's own address says; where it says nothing, what the page wishes.
pub(super) fn wish(of_page: BackendWish) -> Wish {
    let search = js::scope().location().search();
    match search.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("gpu=")) {
        Some("off") => Wish::Cpu,
        Some("on") => Wish::Gpu,
        Some("plain") => Wish::Plain,
        Some("dots") => Wish::Dots,
        Some(_) | None => match of_page {
            BackendWish::Best => Wish::Best,
            BackendWish::Cpu => Wish::Cpu,
            BackendWish::Gpu => Wish::Gpu,
        },
    }
}

/// Where a model is to run.
pub(super) struct Place {
    pub(super) kind: BackendKind,
    /// What of the device's abilities is used, and why no more, if anybody could wonder.
    pub(super) tier: String,
    /// It is the CPU, although a GPU has passed the test.
    pub(super) is_second_best: bool,
}

/// What keeps a model from the GPU.
#[derive(Debug)]
pub(super) enum Obstacle {
    NoRoomForModel,
    /// But there was room for so many tokens, if that is known.
    NoRoomForConversation(Option<usize>),
    /// What was said when it failed.
    Failure(String),
}

impl Obstacle {
    /// In words, and what can be done about it.
    fn why(&self) -> String {
        match self {
            Self::NoRoomForModel => "the GPU has not enough memory for it".to_owned(),
            Self::Failure(message) => format!("the GPU failed while it was loaded: {message}"),
            Self::NoRoomForConversation(None) => "the GPU has not enough memory for a conversation".to_owned(),
            Self::NoRoomForConversation(Some(n_ctx)) => format!(
                "the GPU has not enough memory for so long a conversation; with a context of {n_ctx} tokens, it stays there"
            ),
        }
    }
}

/// A device that has passed the test.
struct Tested {
    wish: Wish,
    device: Device,
    tier: String,
}

/// What is known of the places of this device, from one load to the next.
#[derive(Default)]
pub(super) struct Places {
    /// How often a device was lost, or refused a step, since a person chose the model or a reply came to its end.
    n_failures: usize,
    /// Of the model that is here, or on its way.
    obstacle: Option<Obstacle>,
    /// The last device that passed, for the next model.
    tested: Option<Tested>,
    /// Why there is none for a wish.
    refused: Option<(Wish, String)>,
}

impl Places {
    /// Takes note that a person chooses a model: whatever failed before may work now.
    pub(super) fn start_anew(&mut self) {
        self.n_failures = 0;
        self.obstacle = None;
        self.refused = None;
    }

    /// Takes note that a device was lost, or refused a step.
    pub(super) fn note_failure(&mut self) {
        self.n_failures += 1;
    }

    /// Takes note that a reply came to its end: what fails next, a computer's sleep between two replies, say, is something new.
    pub(super) fn note_success(&mut self) {
        self.n_failures = 0;
    }

    /// Takes note of what keeps the model from the GPU.
    pub(super) fn note_obstacle(&mut self, obstacle: Obstacle) {
        self.obstacle = Some(obstacle);
    }

    /// Forgets what did, for it may have passed.
    pub(super) fn forget_obstacle(&mut self) {
        self.obstacle = None;
    }

    /// Whether anything is known to.
    pub(super) fn has_obstacle(&self) -> bool {
        self.obstacle.is_some()
    }

    /// A context with which nothing would, if its size does.
    pub(super) fn roomy_context(&self) -> Option<usize> {
        match self.obstacle {
            Some(Obstacle::NoRoomForConversation(n_ctx)) => n_ctx,
            Some(Obstacle::NoRoomForModel | Obstacle::Failure(_)) | None => None,
        }
    }

    /// Tries what is wished, and steps down until something works; the CPU then keeps keys and values this way.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) async fn choose(&mut self, wish: Wish, cache_type: CacheType, cancel: &Cancel) -> Result<Place> {
        let on_cpu = |tier| Place { kind: BackendKind::Cpu(cache_type), tier, is_second_best: false };
        if wish == Wish::Cpu {
            return Ok(on_cpu(info::tier().to_owned()));
        }
        let because = |why: &str| format!("{}, because {why}", info::tier());
        let failed_twice = (self.n_failures >= N_FAILURES_MAX).then(|| "the GPU failed twice".to_owned());
        if let Some(why) = failed_twice.or_else(|| self.obstacle.as_ref().map(Obstacle::why)) {
            return Ok(Place { is_second_best: true, ..on_cpu(because(&why)) });
        }
        if let Some((_, why)) = self.refused.as_ref().filter(|refused| refused.0 == wish) {
            return Ok(on_cpu(because(why)));
        }
        match unless_cancelled(cancel, self.device(wish)).await {
            Ok((device, tier)) => Ok(Place { kind: BackendKind::Gpu(device), tier, is_second_best: false }),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(error) => {
                let why = error.to_string();
                let place = on_cpu(because(&why));
                self.refused = Some((wish, why));
                Ok(place)
            }
        }
    }

    /// A device that has passed the test, and what is used of it.
    async fn device(&mut self, wish: Wish) -> Result<(Device, String)> {
        let is_good = |Tested { wish: of, device, .. }: &Tested| *of == wish && device.check().is_ok();
        let tested = match self.tested.take().filter(is_good) {
            Some(tested) => tested,
            None => find(wish).await?,
        };
        let Tested { device, tier, .. } = self.tested.insert(tested);
        Ok((device.without_pipelines(), tier.clone()))
    }
}

/// Finds a device for a wish, and tests it.
///
/// # Errors
/// Why there is none.
async fn find(wish: Wish) -> Result<Tested> {
    let none = |why| Error::new(ErrorKind::Unsupported, why);
    let silent = || none("the GPU does not answer");
    let adapter = within_a_minute(Adapter::find()).await.ok_or_else(silent)?;
    let adapter = adapter.ok_or_else(|| none("this browser offers no GPU to compute with"))?;
    if adapter.is_software && wish == Wish::Best {
        return Err(none("the browser's GPU is a program, and slower"));
    }
    let plain = Options { plain: true, ..Options::default() };
    let mut steps = vec![adapter.options(adapter.has_dots || wish == Wish::Dots), adapter.options(false), plain];
    steps.dedup();
    let mut failure = None;
    for options in steps.into_iter().filter(|options| options.plain || wish != Wish::Plain) {
        match within_a_minute(tested(options)).await.ok_or_else(silent)? {
            Ok(device) => {
                let tier = match &failure {
                    None => device.tier().to_string(),
                    Some(error) => format!("{}, because more failed: {error}", device.tier()),
                };
                return Ok(Tested { wish, device: device.without_pipelines(), tier });
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.expect("plain is always tried"))
}

async fn tested(options: Options) -> Result<Device> {
    let mut trial = Trial { device: Device::open(options).await?, has_passed: false };
    self_test(&trial.device).await?;
    trial.has_passed = true;
    Ok(trial.device.clone())
}

/// A device on trial: unless it passes, what it holds is given back, also if nobody waits for the end.
struct Trial {
    device: Device,
    has_passed: bool,
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.has_passed {
            self.device.destroy();
        }
    }
}
