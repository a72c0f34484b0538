//! Chooses where a model runs: on the GPU if there is one that computes what it should, else on the CPU, and why.

use super::device_probe::{self, Tested};
use super::gpu_fallback::FallbackReason;
use super::gpu_request::GpuRequest;
use super::info;
use super::timeout::unless_cancelled;
use crate::backend::BackendKind;
use crate::error::{ErrorKind, Result};
use crate::gpu::Device;
use crate::protocol::CacheType;
use crate::store::Cancel;

/// After so many failures, the GPU is left alone.
const N_FAILURES_MAX: usize = 2;

/// Where a model is to run.
pub(super) struct BackendChoice {
    pub(super) kind: BackendKind,
    /// What of the device's abilities is used, and why no more, if anybody could wonder.
    pub(super) tier: String,
    /// It is the CPU, although a GPU has passed the test.
    pub(super) is_fallback: bool,
}

/// Chooses the backend, by what is known of this device, from one load to the next.
#[derive(Default)]
pub(super) struct BackendChooser {
    /// How often a device was lost, or refused a step, since a person chose the model or a reply came to its end.
    n_failures: usize,
    /// Why the model that is here, or on its way, is kept from the GPU.
    fallback: Option<FallbackReason>,
    /// The last device that passed, for the next model.
    tested: Option<Tested>,
    /// Why no device was found for a request.
    refused: Option<(GpuRequest, String)>,
}

impl BackendChooser {
    /// Takes note that a person chooses a model: whatever failed before may work now.
    pub(super) fn reset(&mut self) {
        self.n_failures = 0;
        self.fallback = None;
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
    pub(super) fn note_fallback(&mut self, reason: FallbackReason) {
        self.fallback = Some(reason);
    }

    /// Forgets what kept the model from the GPU, for it may have passed.
    pub(super) fn forget_fallback(&mut self) {
        self.fallback = None;
    }

    /// Whether anything is known to keep the model from the GPU.
    pub(super) fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    /// A context, in tokens, that the GPU has room for, where it had none for a longer one.
    pub(super) fn gpu_context(&self) -> Option<usize> {
        match self.fallback {
            Some(FallbackReason::NoRoomForConversation(n_ctx)) => n_ctx,
            Some(FallbackReason::NoRoomForModel | FallbackReason::Failure(_)) | None => None,
        }
    }

    /// Tries what is wanted, and steps down until something works; the CPU then keeps keys and values this way.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) async fn choose(
        &mut self,
        request: GpuRequest,
        cache_type: CacheType,
        cancel: &Cancel,
    ) -> Result<BackendChoice> {
        let on_cpu = |tier| BackendChoice { kind: BackendKind::Cpu(cache_type), tier, is_fallback: false };
        if request == GpuRequest::Cpu {
            return Ok(on_cpu(info::tier().to_owned()));
        }
        let because = |why: &str| format!("{}, because {why}", info::tier());
        let failed_twice = (self.n_failures >= N_FAILURES_MAX).then(|| "the GPU failed twice".to_owned());
        if let Some(why) = failed_twice.or_else(|| self.fallback.as_ref().map(FallbackReason::why)) {
            return Ok(BackendChoice { is_fallback: true, ..on_cpu(because(&why)) });
        }
        if let Some((_, why)) = self.refused.as_ref().filter(|refused| refused.0 == request) {
            return Ok(on_cpu(because(why)));
        }
        match unless_cancelled(cancel, self.device(request)).await {
            Ok((device, tier)) => Ok(BackendChoice { kind: BackendKind::Gpu(device), tier, is_fallback: false }),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(error) => {
                let why = error.to_string();
                let choice = on_cpu(because(&why));
                self.refused = Some((request, why));
                Ok(choice)
            }
        }
    }

    /// A device that has passed the test, and what is used of it.
    async fn device(&mut self, request: GpuRequest) -> Result<(Device, String)> {
        let is_good = |Tested { request: of, device, .. }: &Tested| *of == request && device.check().is_ok();
        let tested = match self.tested.take().filter(is_good) {
            Some(tested) => tested,
            None => device_probe::find(request).await?,
        };
        let Tested { device, tier, .. } = self.tested.insert(tested);
        Ok((device.without_pipelines(), tier.clone()))
    }
}
