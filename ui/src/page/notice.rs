//! The short message at the bottom. Saving is tried every second; that it fails is said once.

use super::Page;
use crate::state::load::place;
use crate::state::number_settings::CONTEXT;
use crate::storage::StorageError;
use crate::text;
use leptos::prelude::*;
use protocol::ModelInfo;

/// A short message at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub kind: NoticeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    Done,
    /// A conversation was deleted, and can come back.
    Deleted,
    Trouble,
    /// The GPU had no room for so long a conversation; it has for a context of so many tokens.
    NoRoom(u32),
}

impl NoticeKind {
    /// Something went wrong: it stays until it is closed.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Trouble | Self::NoRoom(_))
    }
}

impl Page {
    pub fn close_notice(self) {
        let shown = self.notice.get_untracked();
        self.parts.update_value(|parts| parts.save_trouble.close(shown.as_ref()));
        self.notice.set(None);
    }

    pub(super) fn trouble(self, text: String) {
        self.notice.set(Some(Notice { text, kind: NoticeKind::Trouble }));
    }

    /// The model left the GPU: says why, and offers what would bring it back.
    pub(super) fn left_the_gpu(self, info: &ModelInfo) {
        let offer = info.roomy_context_tokens.filter(|n| CONTEXT.accepts((*n).into()));
        let kind = offer.map_or(NoticeKind::Trouble, NoticeKind::NoRoom);
        self.notice.set(Some(Notice { text: place(info).trim_end().to_owned(), kind }));
    }

    /// What was offered for the model before is void.
    pub(super) fn forget_offer(self) {
        if self.notice.with_untracked(|notice| notice.as_ref().is_some_and(|n| matches!(n.kind, NoticeKind::NoRoom(_))))
        {
            self.notice.set(None);
        }
    }

    /// Loads the model again with a context of so many tokens, from now on.
    pub fn shrink_context(self, context_tokens: u32) {
        if self.state.with_untracked(|state| state.load.is_some()) {
            return;
        }
        self.state.update(|state| state.settings.context_tokens = context_tokens);
        self.reload_model();
    }

    /// Tells the person that saving has failed, unless they know.
    pub(super) fn save_failed(self, error: &StorageError) {
        let shown = self.notice.get_untracked();
        let told = self.parts.try_update_value(|parts| parts.save_trouble.tell(error, shown.as_ref()));
        if let Some(notice) = told.flatten() {
            self.notice.set(Some(notice));
        }
    }

    /// There is room again: what was said of it is over.
    pub(super) fn save_worked(self) {
        let shown = self.notice.get_untracked();
        let is_over =
            self.parts.try_update_value(|parts| std::mem::take(&mut parts.save_trouble).is_in(shown.as_ref()));
        if is_over == Some(true) {
            self.notice.set(None);
        }
    }
}

/// Why saving fails, if it does.
#[derive(Debug, Default)]
pub struct SaveTrouble {
    /// What the person was told; empty if nothing.
    text: String,
    /// They closed it.
    is_closed: bool,
}

impl SaveTrouble {
    /// What there is to show, instead of what is shown. A button to undo something is left to be reached.
    fn tell(&mut self, error: &StorageError, shown: Option<&Notice>) -> Option<Notice> {
        let text = explain(error);
        if self.text != text {
            *self = Self { text, is_closed: false };
        }
        let has_place = shown.is_none_or(|notice| notice.kind != NoticeKind::Deleted) && !self.is_in(shown);
        (has_place && !self.is_closed).then(|| Notice { text: self.text.clone(), kind: NoticeKind::Trouble })
    }

    /// The person closes what is shown.
    fn close(&mut self, shown: Option<&Notice>) {
        self.is_closed |= self.is_in(shown);
    }

    /// The person asks for something that must be saved, so they are told again.
    pub fn reopen(&mut self) {
        self.is_closed = false;
    }

    fn is_in(&self, shown: Option<&Notice>) -> bool {
        shown.is_some_and(|notice| notice.text == self.text)
    }
}

/// What a person can do about it.
fn explain(error: &StorageError) -> String {
    match error {
        StorageError::Full => text::storage::FULL.to_owned(),
        StorageError::Newer => text::storage::NEWER_PAGE.to_owned(),
        StorageError::NoAnswer => text::storage::NO_ANSWER.to_owned(),
        StorageError::Other(reason) => text::storage::not_saved(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &StorageError = &StorageError::Full;

    fn notice(kind: NoticeKind) -> Notice {
        Notice { text: "Something else.".to_owned(), kind }
    }

    #[test]
    fn full_storage_is_explained_once() {
        let mut trouble = SaveTrouble::default();
        let told = trouble.tell(FULL, None).expect("it is news");
        assert!(told.text.contains("delete conversations") && !told.text.contains("Quota"), "{}", told.text);
        assert_eq!(trouble.tell(FULL, Some(&told)), None);
        trouble.close(Some(&told));
        assert_eq!(trouble.tell(FULL, None), None);
        assert!(
            trouble
                .tell(&StorageError::Other("another reason".to_owned()), None)
                .is_some_and(|told| told.text.contains("another reason"))
        );
        assert_eq!(trouble.tell(FULL, None), Some(told));
    }

    #[test]
    fn other_notices_are_not_mistaken_for_it() {
        let mut trouble = SaveTrouble::default();
        let deleted = notice(NoticeKind::Deleted);
        assert_eq!(trouble.tell(FULL, Some(&deleted)), None);
        trouble.close(Some(&deleted));
        assert!(!trouble.is_in(Some(&deleted)) && !trouble.is_in(None));
        assert!(trouble.tell(FULL, Some(&notice(NoticeKind::Done))).is_some());
    }

    #[test]
    fn who_asks_is_told_again() {
        let mut trouble = SaveTrouble::default();
        let told = trouble.tell(FULL, None);
        trouble.close(told.as_ref());
        trouble.reopen();
        assert_eq!(trouble.tell(FULL, None), told);
    }
}
