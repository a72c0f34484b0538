//! The engine as a web worker: the page starts it, and everything else is a message.

#[cfg(target_arch = "wasm32")]
fn main() {
    // A thread that helps waits for its script to call it.
    if !engine::worker::is_helper() {
        engine::worker::start();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    eprintln!("The worker only runs in a browser: `cargo xtask run` builds and serves the page that starts it.");
    std::process::ExitCode::FAILURE
}
