//! Conversations as a file: written whole, read with suspicion.

use super::chat::Chat;
use crate::text;
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
    let header: Header = serde_json::from_str(json).map_err(|_| text::transfer::NOT_OURS.to_owned())?;
    if header.format != FORMAT {
        return Err(text::transfer::NOT_OURS.to_owned());
    }
    if header.version > VERSION {
        return Err(text::transfer::NEWER.to_owned());
    }
    let archive: Archive = serde_json::from_str(json).map_err(|error| text::transfer::damaged(&error.to_string()))?;
    for chat in &archive.conversations {
        chat.check().map_err(|problem| text::transfer::damaged(&problem))?;
    }
    Ok(archive.conversations)
}
