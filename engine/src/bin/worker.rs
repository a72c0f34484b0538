//! The engine as a web worker: the page starts it, and everything else is a message.

fn main() {
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen::throw_str("the worker has nothing to do yet");
}
