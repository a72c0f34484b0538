//! Where the arithmetic is wanted: by the page, or by the worker's own address, for tests.
//!
//! In the address: `?gpu=off`, `?gpu=plain` (nothing but what every GPU can do), `?gpu=on` (also one that is a program on
//! the CPU), `?gpu=dots` (the same, with products of bytes, also where they are slow).

use crate::protocol::BackendWish;
use crate::store::js;

/// Where a person, or a test, wants the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GpuRequest {
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

/// The request in the worker's own address; where there is none, the page's.
pub(super) fn gpu_request(of_page: BackendWish) -> GpuRequest {
    let search = js::scope().location().search();
    match search.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("gpu=")) {
        Some("off") => GpuRequest::Cpu,
        Some("on") => GpuRequest::Gpu,
        Some("plain") => GpuRequest::Plain,
        Some("dots") => GpuRequest::Dots,
        Some(_) | None => match of_page {
            BackendWish::Best => GpuRequest::Best,
            BackendWish::Cpu => GpuRequest::Cpu,
            BackendWish::Gpu => GpuRequest::Gpu,
        },
    }
}
