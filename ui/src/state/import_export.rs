//! Conversations as a file: written whole, read with suspicion.

use super::chat::Chat;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "minnow-conversations";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Archive {
    format: String,
    version: u32,
    conversations: Vec<Chat>,
}

/// What says which file this is, read before the rest.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// The file that holds these conversations.
pub fn export(conversations: Vec<Chat>) -> String {
    let archive = Archive { format: FORMAT.to_owned(), version: VERSION, conversations };
    serde_json::to_string_pretty(&archive).expect("plain data has a JSON form")
}

/// The conversations in a file, or a sentence that says what is wrong with it.
pub fn import(json: &str) -> Result<Vec<Chat>, String> {
    let header: Header = serde_json::from_str(json)
        .map_err(|_| "This file does not hold conversations exported from Minnow.".to_owned())?;
    if header.format != FORMAT {
        return Err("This file does not hold conversations exported from Minnow.".to_owned());
    }
    if header.version > VERSION {
        return Err("This file comes from a newer Minnow. Reload the page to update, then try again.".to_owned());
    }
    let archive: Archive =
        serde_json::from_str(json).map_err(|error| format!("This file is damaged and was not imported: {error}."))?;
    for chat in &archive.conversations {
        chat.check().map_err(|problem| format!("This file is damaged and was not imported: {problem}."))?;
    }
    Ok(archive.conversations)
}

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
