//! Finds a GPU, and tests on the person's own device that it computes what it should.

use super::adapter::Adapter;
use super::gpu_request::GpuRequest;
use super::timeout::with_timeout;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::{Device, Options, self_test};

/// A device that has passed the test.
pub(super) struct Tested {
    /// The request it was found for.
    pub(super) request: GpuRequest,
    pub(super) device: Device,
    /// What of its abilities is used, and why no more, if a step before failed.
    pub(super) tier: String,
}

/// Finds a device for a request, and tests it.
///
/// # Errors
/// Why there is none.
pub(super) async fn find(request: GpuRequest) -> Result<Tested> {
    let none = |why| Error::new(ErrorKind::Unsupported, why);
    let silent = || none("the GPU does not answer");
    let adapter = with_timeout(Adapter::find()).await.ok_or_else(silent)?;
    let adapter = adapter.ok_or_else(|| none("this browser offers no GPU to compute with"))?;
    if adapter.is_software && request == GpuRequest::Best {
        return Err(none("the browser's GPU is a program, and slower"));
    }
    let plain = Options { plain: true, ..Options::default() };
    let mut steps =
        vec![adapter.options(adapter.has_dots || request == GpuRequest::Dots), adapter.options(false), plain];
    steps.dedup();
    let mut failure = None;
    for options in steps.into_iter().filter(|options| options.plain || request != GpuRequest::Plain) {
        match with_timeout(tested(options)).await.ok_or_else(silent)? {
            Ok(device) => {
                let tier = match &failure {
                    None => device.tier().to_string(),
                    Some(error) => format!("{}, because more failed: {error}", device.tier()),
                };
                return Ok(Tested { request, device: device.without_pipelines(), tier });
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
