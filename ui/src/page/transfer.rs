//! Conversations leave as a file, and come from one.

use super::{Notice, NoticeKind, Page};
use crate::browser;
use crate::state::import_export;
use crate::text;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// A file of conversations beyond this is something else.
const IMPORT_BYTES_MAX: f64 = 256e6;

impl Page {
    pub fn export(self) {
        self.dialog.set(None);
        spawn_local(async move {
            let mut chats = self.state.with_untracked(|state| state.chats.clone());
            if let Some(storage) = self.storage() {
                match storage.chats().await {
                    Ok(stored) => {
                        for chat in stored {
                            chats.entry(chat.id).or_insert(chat);
                        }
                    }
                    Err(error) => return self.trouble(text::storage::none_read(&error.to_string())),
                }
            }
            let json = import_export::export(chats.into_values().collect());
            if let Err(error) = browser::save_file("minnow-conversations.json", &json) {
                self.trouble(text::notice::file_not_written(&browser::message(&error)));
            }
        });
    }

    pub fn import(self, file: File) {
        self.dialog.set(None);
        spawn_local(async move {
            if file.size() > IMPORT_BYTES_MAX {
                return self.trouble(text::notice::IMPORT_TOO_LARGE.to_owned());
            }
            let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
            let chats =
                text.ok_or_else(|| text::notice::FILE_NOT_READ.to_owned()).and_then(|t| import_export::import(&t));
            match chats {
                Ok(chats) => {
                    for chat in &chats {
                        self.fetch(chat.id).await;
                    }
                    let n_chats = chats.len();
                    let n_new =
                        self.state.try_update(|state| state.import(chats, browser::action_context())).unwrap_or(0);
                    let text = text::transfer::imported(n_new, n_chats - n_new);
                    self.parts.update_value(|parts| parts.save_trouble.reopen());
                    if self.save_now().await {
                        self.notice.set(Some(Notice { text, kind: NoticeKind::Done }));
                    }
                }
                Err(problem) => self.trouble(problem),
            }
        });
    }

    /// A file that was dropped onto the page.
    pub(super) fn take_file(self, file: File) {
        let name = file.name().to_ascii_lowercase();
        if name.ends_with(".json") {
            self.import(file);
        } else if self.state.with_untracked(|state| state.load.is_some()) {
            self.trouble(text::notice::LOADING.to_owned());
        } else {
            self.load_file(file);
        }
    }
}
