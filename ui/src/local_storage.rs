//! Small things that outlive the tab, in the browser's local storage: it writes at once, also while the page closes.

use crate::browser;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use web_sys::Storage;

/// The keys of what is kept.
pub mod keys {
    pub const SETTINGS: &str = "minnow.settings";
    /// Before a draft's key.
    pub const DRAFTS: &str = "minnow.draft.";
    /// The model that answered last.
    pub const MODEL: &str = "minnow.model";
    /// Before a conversation's id.
    pub const UNSAVED: &str = "minnow.unsaved.";
    /// The address of a mirror of Hugging Face.
    pub const HUB: &str = "minnow.hub";
}

/// A value from the local storage, if there is one that still parses.
pub fn recall<T: DeserializeOwned>(key: &str) -> Option<T> {
    serde_json::from_str(&recall_text(key)?).ok()
}

pub fn recall_text(key: &str) -> Option<String> {
    local_storage()?.get_item(key).ok().flatten()
}

/// The values whose keys in the local storage begin with `prefix`, by the rest of their keys.
pub fn recall_all<T: DeserializeOwned>(prefix: &str) -> BTreeMap<String, T> {
    let Some(storage) = local_storage() else { return BTreeMap::new() };
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|n| storage.key(n).ok().flatten());
    keys.filter_map(|key| Some((key.strip_prefix(prefix)?.to_owned(), recall(&key)?))).collect()
}

/// Keeps a value in the local storage. Returns whether there was room.
pub fn remember<T: Serialize>(key: &str, value: &T) -> bool {
    let json = serde_json::to_string(value).expect("plain data has a JSON form");
    local_storage().is_some_and(|storage| storage.set_item(key, &json).is_ok())
}

pub fn forget(key: &str) {
    if let Some(storage) = local_storage() {
        // Removing can only fail where nothing can be kept either.
        let _ = storage.remove_item(key);
    }
}

/// None where the person has switched storage off.
fn local_storage() -> Option<Storage> {
    browser::window().local_storage().ok().flatten()
}
