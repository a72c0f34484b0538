//! What is said of conversations as a file.

pub const NEWER: &str = "This file comes from a newer Minnow. Reload the page to update, then try again.";
pub const NOT_OURS: &str = "This file does not hold conversations exported from Minnow.";

/// What is said of an import.
pub fn imported(n_new: usize, n_here: usize) -> String {
    let new = match n_new {
        1 => "Imported 1 conversation".to_owned(),
        n => format!("Imported {n} conversations"),
    };
    match n_here {
        0 => format!("{new}."),
        1 => format!("{new}; 1 was here already."),
        n => format!("{new}; {n} were here already."),
    }
}

pub fn damaged(reason: &str) -> String {
    format!("This file is damaged and was not imported: {reason}.")
}

pub fn orphan(title: &str) -> String {
    format!("in “{title}”, a message follows one that is not there")
}

pub fn twice(title: &str) -> String {
    format!("in “{title}”, two messages have the same id")
}

pub fn no_end(title: &str) -> String {
    format!("“{title}” ends in a message that is not there")
}
