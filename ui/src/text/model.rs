//! What is said of the model that answers, or is on its way.

pub const CANCEL: &str = "Cancel";
pub const CANCELLING: &str = "Cancelling…";
pub const CHANGED: &str = "The file has changed on the server, so the download began again.";
pub const CHOOSE_ANOTHER: &str = "Choose another model";
pub const DISMISS: &str = "Dismiss";
pub const LOADING_MODEL: &str = "Loading model";
pub const MODEL: &str = "Model";
pub const START_IT_AGAIN: &str = "Start it again";
pub const STOPPED: &str = "The engine has stopped. ";
pub const TRY_AGAIN: &str = "Try again";
pub const UNSURE: &str = "The server does not say whether its file is still the same, so the download began again.";
pub const UNUSABLE: &str = "The copy on this device could not be used, so the download began again.";

pub fn not_kept(reason: &str) -> String {
    format!("The model could not be kept on this device: {reason}")
}

pub fn no_template(used: &str) -> String {
    format!("This file has no chat template, so “{used}” is used. It may not be a chat model; expect odd replies.")
}

pub fn stopped(reason: &str) -> String {
    format!("The engine has stopped. {reason}")
}

pub fn not_loaded(reason: &str) -> String {
    format!("The model could not be loaded. {reason}")
}

pub fn named_not_loaded(name: &str) -> String {
    format!("{name} could not be loaded. ")
}

/// The reason why the engine is gone, and a comfort.
pub fn nothing_lost(reason: &str) -> String {
    format!("{reason} Nothing you wrote is lost.")
}

pub fn preparing(name: &str) -> String {
    format!("Preparing {name}")
}

pub fn downloading(name: &str) -> String {
    format!("Downloading {name}")
}

pub fn reading(name: &str) -> String {
    format!("Reading {name}")
}

pub fn part_of(done: &str, total: &str) -> String {
    format!("{done} of {total}")
}

pub fn time_left(time: &str) -> String {
    format!("{time} left")
}

/// Where the model runs, in how many threads, and what it uses there.
pub fn place(backend: &str, n_threads: u32, capabilities: &str) -> String {
    match (backend, n_threads) {
        ("cpu", 1) => format!("The model now runs on the CPU, in one thread: {capabilities}. "),
        ("cpu", n) => format!("The model now runs on the CPU, in {n} threads: {capabilities}. "),
        (other, _) => format!("The model now runs on the {}: {capabilities}. ", other.to_uppercase()),
    }
}
