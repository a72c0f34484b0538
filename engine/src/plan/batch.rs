//! What a plan is run for.

/// Which tokens of a batch need their logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// None: the batch only fills the memory.
    None,
    /// The last one's.
    Last,
    /// Everyone's.
    All,
}

/// Tokens of one conversation. They follow what was read before: a batch has no position of its own.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Token ids, all below `n_vocab`.
    pub tokens: &'a [u32],
    /// Which logits are wanted.
    pub outputs: Outputs,
}

impl<'a> Batch<'a> {
    /// The rows, of the batch's own, whose logits are wanted.
    pub fn output_rows(&self) -> std::ops::Range<usize> {
        let n = self.tokens.len();
        match self.outputs {
            Outputs::None => n..n,
            Outputs::Last => n.saturating_sub(1)..n,
            Outputs::All => 0..n,
        }
    }

    /// Batches of at most `n_max` tokens that give the same logits one after the other.
    pub fn chunks(&self, n_max: usize) -> impl Iterator<Item = Batch<'a>> + use<'a> {
        let Self { tokens, outputs } = *self;
        let n_chunks = tokens.len().div_ceil(n_max);
        tokens.chunks(n_max).zip(1..).map(move |(tokens, i)| {
            let outputs = match outputs {
                Outputs::Last if i < n_chunks => Outputs::None,
                Outputs::None | Outputs::Last | Outputs::All => outputs,
            };
            Batch { tokens, outputs }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_the_last_chunk_has_the_last_output() {
        let chunks = |outputs| -> Vec<_> {
            let batch = Batch { tokens: &[1, 2, 3, 4, 5], outputs };
            batch.chunks(2).map(|chunk| (chunk.tokens.to_vec(), chunk.output_rows())).collect()
        };
        assert_eq!(chunks(Outputs::Last), [(vec![1, 2], 2..2), (vec![3, 4], 2..2), (vec![5], 0..1)]);
        assert_eq!(chunks(Outputs::All), [(vec![1, 2], 0..2), (vec![3, 4], 0..2), (vec![5], 0..1)]);
        assert_eq!(chunks(Outputs::None), [(vec![1, 2], 2..2), (vec![3, 4], 2..2), (vec![5], 1..1)]);
    }
}
