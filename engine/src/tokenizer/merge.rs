//! Byte pair merging: of all neighbours that make a token, the best pair becomes one symbol, until none is left.
//!
//! Both algorithms are this one; they differ in what a pair makes and how good that is. Symbols form a linked list and
//! candidates a heap, so a text of n symbols takes O(n log n), also where it has no spaces.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A stretch of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    /// Its first byte.
    pub start: usize,
    /// 0 once its left neighbour has swallowed it.
    pub len: usize,
    /// What it is, if the vocabulary has it.
    pub token: Option<u32>,
    left: Option<usize>,
    right: Option<usize>,
}

/// A pair that could merge; what is greater goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<P> {
    priority: P,
    /// Among equals the leftmost.
    left: Reverse<usize>,
    right: usize,
    /// Of both together: differs from theirs if either has merged meanwhile.
    len: usize,
    token: u32,
}

/// Symbols in the text's order, each `(bytes, token)`.
pub(super) fn symbols(parts: impl Iterator<Item = (usize, Option<u32>)>) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::with_capacity(parts.size_hint().0);
    let mut start = 0;
    for (len, token) in parts {
        let at = symbols.len();
        if let Some(last) = symbols.last_mut() {
            last.right = Some(at);
        }
        symbols.push(Symbol { start, len, token, left: at.checked_sub(1), right: None });
        start += len;
    }
    symbols
}

/// Merges until `join` finds no pair that makes a token; returns what is left, in order.
pub(super) fn merge<P: Ord>(
    mut symbols: Vec<Symbol>,
    join: impl Fn(&Symbol, &Symbol) -> Option<(P, u32)>,
) -> impl Iterator<Item = Symbol> {
    let candidate = |symbols: &[Symbol], left: usize, right: usize| {
        let (priority, token) = join(&symbols[left], &symbols[right])?;
        Some(Candidate { priority, left: Reverse(left), right, len: symbols[left].len + symbols[right].len, token })
    };
    let mut heap: BinaryHeap<_> = (1..symbols.len()).filter_map(|at| candidate(&symbols, at - 1, at)).collect();
    while let Some(Candidate { left: Reverse(left), right, len, token, .. }) = heap.pop() {
        let outdated = symbols[left].len == 0 || symbols[right].len == 0;
        if outdated || symbols[left].len + symbols[right].len != len {
            continue;
        }
        let beyond = symbols[right].right;
        symbols[right].len = 0;
        symbols[left] = Symbol { len, token: Some(token), right: beyond, ..symbols[left] };
        if let Some(beyond) = beyond {
            symbols[beyond].left = Some(left);
            heap.extend(candidate(&symbols, left, beyond));
        }
        if let Some(before) = symbols[left].left {
            heap.extend(candidate(&symbols, before, left));
        }
    }
    symbols.into_iter().filter(|symbol| symbol.len > 0)
}
