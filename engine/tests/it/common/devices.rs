//! The GPUs that tests run on: natively, and in browsers, which take turns.

use engine::gpu::Options;

/// As bad as any device: with nothing but what WebGPU promises, and matrices in many pieces.
pub(crate) fn worst_options() -> Options {
    Options { plain: true, piece_bytes_max: Some(64 << 10), ..Options::default() }
}

/// The device as good as it is; `cargo xtask check` says that none is wanted.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn best_options() -> Option<Options> {
    std::env::var_os("MINNOW_WITHOUT_GPU").is_none().then(Options::default)
}

/// Whoever builds this for a browser says so (`xtask/src/scripts.rs`); in Node there is no GPU.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn best_options() -> Option<Options> {
    option_env!("MINNOW_OPS_ON_WEBGPU")?;
    Some(engine::worker::gpu_options().await.expect("this browser has a GPU"))
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn first_turn() -> usize {
    0
}

/// As `e2e/ops.mjs` says in the page's address.
#[cfg(target_arch = "wasm32")]
pub(crate) fn first_turn() -> usize {
    option_env!("MINNOW_OPS_ON_WEBGPU").map_or(0, |_| engine::worker::first_turn())
}

/// All of them; on the WebGPU of a browser, where programs that stand in for GPUs compile for minutes, one of them by turns:
/// there a type of weights meets one shape, and one tier, in each test, and others in other browsers.
pub(crate) fn for_turn<T: Copy>(turn: usize, all: &[T]) -> Vec<T> {
    let first = (first_turn() + turn) % all.len();
    let n = if option_env!("MINNOW_OPS_ON_WEBGPU").is_some() { 1 } else { all.len() };
    all.iter().cycle().skip(first).take(n).copied().collect()
}
