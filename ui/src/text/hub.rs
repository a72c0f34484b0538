//! What is said of Hugging Face and of addresses.

pub const NO_ANSWER: &str = "Hugging Face does not answer. Try again later.";
pub const NOT_HTTP: &str = "Only http:// and https:// addresses can be fetched.";
pub const PASSWORD: &str = "Browsers fetch nothing from an address with a name or a password in it.";
pub const UNREACHABLE: &str = "Hugging Face cannot be reached. Check the connection, then try again.";

pub fn no_list(hub: &str) -> String {
    format!("{hub} gave an answer that is not a list of files.")
}

pub fn no_files(repo: &str) -> String {
    format!("{repo} has no .gguf files. Look for a repository whose name ends in GGUF.")
}

pub fn no_repository(repo: &str) -> String {
    format!("There is no public repository {repo}. Check the spelling: owner/name.")
}

pub fn no_revision(repo: &str, revision: &str) -> String {
    format!("There is no public repository {repo} with a revision “{revision}”. Check the spelling.")
}

pub fn status(status: u16) -> String {
    format!("Hugging Face answered with status {status}. Try again later.")
}

pub fn is_repository(repo: &str) -> String {
    format!("{repo} is a repository: list its files under “From Hugging Face”, then load one of them.")
}

pub fn no_site(address: &str) -> String {
    format!("{address} names no site.")
}
