//! What is said in the page that measures.

pub const BACK_TO_THE_CHAT: &str = "Back to the chat";
pub const BUILD: &str = "Build";
pub const CACHE: &str = "Cache";
pub const COPIED: &str = "Copied";
pub const COPY_AS_JSON: &str = "Copy as JSON";
pub const COPY_AS_MARKDOWN: &str = "Copy as Markdown";
pub const DEPTH: &str = "Depth";
pub const DEPTH_MEANING: &str = "Tokens in the context before.";
pub const FAILED: &str = "It could not be measured.";
pub const FASTER: &str = "whatever is faster";
pub const FASTEST: &str = "the fastest";
pub const FIRST_TOKEN: &str = "Waiting for a first token…";
pub const HEADLINE: &str = "How fast is this device?";
pub const MODEL: &str = "Model";
pub const MODEL_MEANING: &str = "From the list, owner/name/file.gguf on Hugging Face, or any address of a GGUF file.";
pub const NO: &str = "no";
pub const NOT_YET: &str = "Which engines there are is not known yet: try again in a moment.";
pub const PROFILE: &str = "Profile";
pub const PROGRESS: &str = "Progress";
pub const PROMPT: &str = "Prompt";
pub const PROMPT_MEANING: &str = "Tokens to read. Several: 128,512";
pub const REPETITIONS: &str = "Repetitions";
pub const REPETITIONS_MEANING: &str = "After one that does not count.";
pub const REPLY: &str = "Reply";
pub const REPLY_MEANING: &str = "Tokens to write, one by one.";
pub const RESULT: &str = "Result";
pub const RUNS_ON: &str = "Runs on";
pub const START: &str = "Start";
pub const STARTING: &str = "Starting the engine…";
pub const STOP: &str = "Stop";
pub const STOPPED: &str = "Stopped.";
pub const TABLE: &str = "Table";
pub const THREADS: &str = "Threads";
pub const THREADS_MEANING: &str = "0 for as many as pay off.";
pub const TITLE: &str = "Speed – Minnow";
pub const WAS_STOPPED: &str = "It was stopped.";
pub const YES: &str = "yes";

pub fn loading(model: &str) -> String {
    format!("Loading {model}…")
}

pub fn test_of(number: usize, n_tests: usize) -> String {
    format!("Test {number} of {n_tests}. Leave this tab in front.")
}

pub fn no_variant(wanted: &str, known: &str) -> String {
    format!("There is no variant “{wanted}” that this browser can run here; there is {known}.")
}
