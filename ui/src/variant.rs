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
        "plain-threads" => browser::is_isolated(),
        "relaxed" => has_relaxed(),
        "threads" => has_relaxed() && browser::is_isolated(),
        // Built by a newer site than this page.
        _ => false,
    }
}

fn has_relaxed() -> bool {
    let probe = js_sys::Uint8Array::from(RELAXED_PROBE);
    js_sys::WebAssembly::validate(&probe).unwrap_or(false)
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
