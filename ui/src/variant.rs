//! The builds of the worker: which of them this site has, which this browser can run, and which is the fastest.

use crate::browser;

/// What every site has and every browser can run that starts the page at all.
pub const PLAIN: &str = "plain";

/// A module that is valid only where relaxed SIMD is: one function, `i32x4.relaxed_dot_i8x16_i7x16_add_s` of zeros.
const RELAXED_PROBE: &[u8] = &[
    0, 97, 115, 109, 1, 0, 0, 0, // magic, version
    1, 5, 1, 96, 0, 1, 123, // type: () → v128
    3, 2, 1, 0, // function 0 has type 0
    10, 19, 1, 17, 0, // code: one body without locals
    65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, // three times i32.const 0, i8x16.splat
    253, 147, 2, 11, // the dot product, end
];

/// The same for threads: shared memory, and a function that loads atomically from it.
const THREADS_PROBE: &[u8] = &[
    0, 97, 115, 109, 1, 0, 0, 0, // magic, version
    1, 4, 1, 96, 0, 0, // type: () → ()
    3, 2, 1, 0, // function 0 has type 0
    5, 4, 1, 3, 1, 1, // memory: shared, one page
    10, 11, 1, 9, 0, // code: one body without locals
    65, 0, 254, 16, 2, 0, 26, 11, // i32.const 0, i32.atomic.load, drop, end
];

/// The builds that this site has and this browser can run; the fastest last.
pub async fn runnable() -> Vec<String> {
    let built = browser::fetch_text("variants.json").await.map(|fetched| fetched.text).unwrap_or_default();
    let mut variants: Vec<String> = serde_json::from_str(&built).unwrap_or_else(|_| vec![PLAIN.to_owned()]);
    variants.retain(|name| can_run(name));
    variants
}

fn can_run(name: &str) -> bool {
    match name {
        PLAIN => true,
        "plain-threads" => has_threads(),
        "relaxed" => is_valid(RELAXED_PROBE),
        "threads" => is_valid(RELAXED_PROBE) && has_threads(),
        // Built by a newer site than this page.
        _ => false,
    }
}

/// Whether memory may be shared, and is understood.
fn has_threads() -> bool {
    browser::is_isolated() && is_valid(THREADS_PROBE)
}

fn is_valid(probe: &[u8]) -> bool {
    js_sys::WebAssembly::validate(&js_sys::Uint8Array::from(probe)).unwrap_or(false)
}

/// Where the page starts a build's worker. What the page's address says about the GPU (`?gpu=off`), the worker's says too;
/// and that this is an iPad, if only the page can see it.
pub fn loader(name: &str) -> String {
    let script = if name == PLAIN { "./worker_loader.js".to_owned() } else { format!("./worker_{name}_loader.js") };
    let gpu = browser::query("gpu").map(|gpu| format!("gpu={gpu}"));
    let device = browser::is_disguised_ipad().then(|| "device=iPad".to_owned());
    let words: Vec<String> = gpu.into_iter().chain(device).collect();
    if words.is_empty() { script } else { format!("{script}?{}", words.join("&")) }
}
