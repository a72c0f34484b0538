//! Conversations outlive the tab: saved to the database as they change, and in a hurry when the page closes.

use super::Page;
use crate::local_storage::{self, keys};
use crate::state::State;
use crate::state::chat::{Chat, Id};
use crate::storage::{Storage, StorageError};
use crate::text;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// A reply that grows is saved this often, so a crash costs no more than this.
const SAVE_EVERY: Duration = Duration::from_secs(1);

impl Page {
    pub(super) fn storage(self) -> Option<Storage> {
        self.parts.with_value(|parts| parts.storage.clone())
    }

    pub(super) async fn open_storage(self) {
        match Storage::open(move || self.storage_was_lost()).await {
            Ok(storage) => self.parts.update_value(|parts| parts.storage = Some(storage)),
            Err(StorageError::Newer) => self.trouble(text::storage::NEWER_PAGE.to_owned()),
            Err(_) => self.trouble(text::storage::NO_STORAGE.to_owned()),
        }
        self.rescue().await;
        self.refresh().await;
        self.go_to_address();
    }

    /// What is in memory may be the only copy now: it is saved again.
    fn storage_was_lost(self) {
        self.state.update(State::mark_all_changed);
        self.save();
    }

    /// Saves what the last page had no time to save.
    pub(super) async fn rescue(self) {
        let Some(storage) = self.storage() else { return };
        for chat in local_storage::recall_all::<Chat>(keys::UNSAVED).into_values() {
            match storage.save(chat).await {
                Ok(saved) => forget_unsaved(saved),
                Err(error) => return self.save_failed(&error),
            }
        }
    }

    /// Reads the list again: another tab may have changed it.
    pub(super) async fn refresh(self) {
        let Some(storage) = self.storage() else { return };
        match storage.summaries().await {
            Ok(summaries) => self.state.update(|state| state.set_summaries(summaries)),
            Err(error) => return self.trouble(text::storage::list_not_read(&error.to_string())),
        }
        let current = self.state.with_untracked(|state| state.current);
        let Some(id) = current else { return };
        if let Ok(Some(chat)) = storage.chat(id).await {
            self.state.maybe_update(|state| state.merge_saved(&chat));
        }
    }

    /// Saves what the person has just done. That it fails is told again, also if they have closed it before.
    pub(super) fn save_as_asked(self) {
        self.parts.update_value(|parts| parts.save_trouble.reopen());
        self.save();
    }

    /// Saves every conversation that changed, in its own time.
    pub(super) fn save(self) {
        spawn_local(async move {
            self.save_now().await;
        });
    }

    /// Saves every conversation that changed. Returns whether all of them are safe now; if not, the person knows.
    pub(super) async fn save_now(self) -> bool {
        // Without a database, what is here ends with the tab, and the person knows that too.
        let Some(storage) = self.storage() else { return true };
        let mut changed = self.state.write_untracked().take_changed();
        let mut has_saved = false;
        while let Some(id) = changed.pop_first() {
            // It may have been deleted while others were saved.
            let Some(chat) = self.state.with_untracked(|state| state.chats.get(&id).cloned()) else { continue };
            match storage.save(chat).await {
                Ok(saved) => {
                    has_saved = true;
                    self.state.maybe_update(|state| state.merge_saved(&saved));
                    forget_unsaved(saved);
                }
                Err(error) => {
                    self.state.update(|state| changed.into_iter().chain([id]).for_each(|id| state.mark_changed(id)));
                    self.copy_unsaved();
                    self.save_failed(&error);
                    return false;
                }
            }
        }
        if has_saved {
            self.save_worked();
        }
        true
    }

    /// The database may have no time to write when the page closes; the local storage writes at once.
    pub(super) fn save_in_a_hurry(self) {
        self.take_in();
        self.copy_unsaved();
        self.save();
    }

    /// Copies what the database does not have yet to the local storage, from where the next page takes it.
    fn copy_unsaved(self) {
        for chat in self.state.with_untracked(State::changed) {
            local_storage::remember(&unsaved_key(chat.id), &chat);
        }
    }

    /// Saves what changes while it changes.
    pub(super) fn save_regularly(self) {
        let every = move || {
            if self.state.with_untracked(State::has_changed) {
                self.save();
            }
        };
        // Only a page without a window has no timers.
        let _ = set_interval_with_handle(every, SAVE_EVERY);
    }
}

/// Where a conversation is kept that the database may not have yet.
pub(super) fn unsaved_key(id: Id) -> String {
    format!("{}{id}", keys::UNSAVED)
}

/// Forgets what was kept in a hurry, if it holds nothing that is not saved.
fn forget_unsaved(mut saved: Chat) {
    let key = unsaved_key(saved.id);
    if !local_storage::recall::<Chat>(&key).is_some_and(|unsaved| saved.merge(&unsaved)) {
        local_storage::forget(&key);
    }
}
