//! The tokens that whoever runs a plan holds, and how far back it can go: the same rules everywhere.

use super::Snapshot;
use super::snapshot::invalid;
use crate::error::Result;

/// Places to come back to that are kept at most. Each has a copy of what cannot be cut.
pub const CHECKPOINTS_MAX: usize = 3;

/// What was read, and its checkpoints with a copy of type `C` each.
#[derive(Debug)]
pub struct History<C> {
    tokens: Vec<u32>,
    /// Tokens behind these that were computed before anybody asked for them.
    n_ahead: usize,
    /// Positions that were written so far: a ring keeps the last ones of these, also after it was cut.
    n_written: usize,
    has_state: bool,
    rings: Vec<Ring>,
    /// The one of the fewest tokens first.
    checkpoints: Vec<Checkpoint<C>>,
}

/// A windowed KV cache: position p is kept at p % len, until position p + len takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Positions that a query sees, itself included.
    pub window: usize,
    /// Positions that are kept.
    pub len: usize,
}

impl Ring {
    /// Whether all is there that the next token after the first `n` sees, when so many positions were written.
    fn sees_all(&self, n: usize, n_written: usize) -> bool {
        (n + 1).saturating_sub(self.window) + self.len >= n_written
    }
}

/// A place to come back to.
#[derive(Debug)]
struct Checkpoint<C> {
    n_tokens: usize,
    n_written: usize,
    copy: C,
}

/// What is to be done to go back.
#[derive(Debug, PartialEq, Eq)]
pub enum Rewind<'a, C> {
    /// Forget what comes after the tokens that are left.
    Cut,
    /// Take this copy of what cannot be cut, and forget what comes after.
    Restore(&'a C),
    /// Forget everything.
    Clear,
}

impl<C> History<C> {
    /// Nothing was read yet, by layers that have a recurrent state or not, and these rings.
    pub fn new(has_state: bool, rings: Vec<Ring>) -> Self {
        Self { tokens: Vec::new(), n_ahead: 0, n_written: 0, has_state, rings, checkpoints: Vec::new() }
    }

    /// The tokens that are held.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Tokens behind them that were computed before anybody asked for them.
    pub fn n_ahead(&self) -> usize {
        self.n_ahead
    }

    /// Positions that were written and may still be there.
    pub fn n_written(&self) -> usize {
        if self.rings.is_empty() { self.len() } else { self.n_written }
    }

    /// Whether what a snapshot holds can follow from reading its tokens in a context of `n_ctx`.
    ///
    /// # Errors
    /// `Invalid` if not.
    pub fn check(&self, snapshot: &Snapshot, n_ctx: usize) -> Result<()> {
        let Snapshot { tokens, n_written, .. } = snapshot;
        if *n_written > n_ctx || tokens.len() > *n_written {
            return Err(invalid("it does not fit into the context"));
        }
        if !self.rings.iter().all(|ring| ring.sees_all(tokens.len(), *n_written)) {
            return Err(invalid("a window misses what it should see"));
        }
        Ok(())
    }

    /// Takes over what a snapshot holds, whose memories were copied. There are no checkpoints.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.tokens.clone_from(&snapshot.tokens);
        self.n_ahead = 0;
        self.n_written = snapshot.n_written;
        self.checkpoints.clear();
    }

    /// Takes note of tokens that are read, after those that are held.
    pub fn extend(&mut self, tokens: &[u32]) {
        assert_eq!(self.n_ahead, 0, "what was computed ahead is asked for, or rewound");
        self.tokens.extend_from_slice(tokens);
        self.n_written = self.n_written.max(self.len());
    }

    /// Takes note of `n` more tokens that are computed before anybody asks for them.
    pub fn run_ahead(&mut self, n: usize) {
        self.n_ahead += n;
        self.n_written = self.n_written.max(self.len() + self.n_ahead);
    }

    /// Takes note that the first token that was computed ahead is asked for: it is this one.
    pub fn catch_up(&mut self, token: u32) {
        self.n_ahead -= 1;
        self.tokens.push(token);
    }

    /// Takes note that what was to be computed ahead has changed nothing: the reply had ended.
    pub fn nothing_was_ahead(&mut self) {
        self.n_ahead = 0;
    }

    /// Whether some memory cannot be cut everywhere, so that checkpoints are worth their copies.
    pub fn needs_checkpoints(&self) -> bool {
        self.has_state || !self.rings.is_empty()
    }

    /// Makes here a place to come back to, with a copy of what cannot be cut, if there is anything of the kind. The first one
    /// (a system prompt ends there) and the last ones are kept.
    pub fn checkpoint(&mut self, copy: impl FnOnce() -> C) {
        assert_eq!(self.n_ahead, 0, "a checkpoint stands behind tokens that were asked for");
        let n_tokens = self.len();
        let is_known = self.checkpoints.last().is_some_and(|last| last.n_tokens == n_tokens);
        if !self.needs_checkpoints() || n_tokens == 0 || is_known {
            return;
        }
        if self.checkpoints.len() == CHECKPOINTS_MAX {
            self.checkpoints.remove(1);
        }
        self.checkpoints.push(Checkpoint { n_tokens, n_written: self.n_written, copy: copy() });
    }

    /// Forgets the tokens from `n` on, or from the newest checkpoint before. [`Self::len`] says how many are left.
    pub fn rewind(&mut self, n: usize) -> Rewind<'_, C> {
        let n = n.min(self.len());
        self.checkpoints.retain(|checkpoint| checkpoint.n_tokens <= n);
        if self.can_cut(n) {
            self.tokens.truncate(n);
            self.n_ahead = 0;
            return Rewind::Cut;
        }
        self.n_ahead = 0;
        match self.checkpoints.last() {
            Some(checkpoint) => {
                self.tokens.truncate(checkpoint.n_tokens);
                self.n_written = checkpoint.n_written;
                Rewind::Restore(&checkpoint.copy)
            }
            None => {
                self.tokens.clear();
                self.n_written = 0;
                Rewind::Clear
            }
        }
    }

    /// Whether what follows the first `n` tokens can be forgotten, and nothing before.
    fn can_cut(&self, n: usize) -> bool {
        let is_here = n == self.len() && self.n_ahead == 0;
        is_here || (!self.has_state && self.rings.iter().all(|ring| ring.sees_all(n, self.n_written)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(history: &mut History<usize>, n: usize) {
        let tokens: Vec<u32> = (0..).take(n).collect();
        history.extend(&tokens);
    }

    fn checkpoint(history: &mut History<usize>) {
        let n = history.len();
        history.checkpoint(|| n);
    }

    /// What is to be done to go back, and how many tokens are left.
    fn rewound(history: &mut History<usize>, n: usize) -> (String, usize) {
        (format!("{:?}", history.rewind(n)), history.len())
    }

    #[test]
    fn keys_and_values_are_cut_anywhere() {
        let mut history: History<usize> = History::new(false, Vec::new());
        read(&mut history, 10);
        checkpoint(&mut history);
        assert_eq!(rewound(&mut history, 7), ("Cut".to_owned(), 7));
        read(&mut history, 1);
        assert_eq!(rewound(&mut history, 20), ("Cut".to_owned(), 8));
        assert_eq!(rewound(&mut history, 0), ("Cut".to_owned(), 0));
    }

    #[test]
    fn a_state_goes_back_to_a_checkpoint() {
        let mut history: History<usize> = History::new(true, Vec::new());
        read(&mut history, 4);
        checkpoint(&mut history);
        read(&mut history, 4);
        assert_eq!(rewound(&mut history, 8), ("Cut".to_owned(), 8));
        checkpoint(&mut history);
        read(&mut history, 4);
        assert_eq!(rewound(&mut history, 9), ("Restore(8)".to_owned(), 8));
        assert_eq!(rewound(&mut history, 7), ("Restore(4)".to_owned(), 4));
        assert_eq!(rewound(&mut history, 3), ("Clear".to_owned(), 0));
        read(&mut history, 5);
        assert_eq!(rewound(&mut history, 4), ("Clear".to_owned(), 0));
    }

    #[test]
    fn a_ring_is_cut_as_far_as_it_holds_what_the_window_sees() {
        let mut history: History<usize> = History::new(false, vec![Ring { window: 4, len: 10 }]);
        read(&mut history, 20);
        // Positions 10 .. 20 are held; after 13 tokens, the next sees 10 .. 14.
        assert_eq!(rewound(&mut history, 13), ("Cut".to_owned(), 13));
        assert_eq!(rewound(&mut history, 12), ("Clear".to_owned(), 0));
        read(&mut history, 10);
        assert_eq!(rewound(&mut history, 0), ("Cut".to_owned(), 0));
    }

    #[test]
    fn what_was_computed_ahead_is_rewound() {
        for (has_state, expected) in [(false, 6), (true, 5)] {
            let mut history = History::new(has_state, Vec::new());
            read(&mut history, 5);
            checkpoint(&mut history);
            history.run_ahead(3);
            history.catch_up(7);
            history.rewind(6);
            assert_eq!((history.len(), history.n_ahead()), (expected, 0));
        }
    }

    #[test]
    fn the_first_and_the_last_checkpoints_are_kept() {
        let mut history: History<usize> = History::new(true, Vec::new());
        for _ in 0..6 {
            read(&mut history, 10);
            checkpoint(&mut history);
        }
        assert_eq!(history.rewind(59), Rewind::Restore(&50));
        assert_eq!(history.rewind(49), Rewind::Restore(&10));
    }
}
