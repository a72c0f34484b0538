//! Streams a file's tensors into a backend, so that the file is never in memory whole.

use crate::backend::{Backend, BackendKind};
use crate::cpu::{Cpu, Machine};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::Gguf;
use crate::gpu::Gpu;
use crate::model::Model;
use crate::plan::Weight;
use crate::reference::Reference;

/// A piece of a tensor is at most this long (unless one row is longer).
const PIECE_BYTES_MAX: usize = 8 << 20;
/// Pieces hold a multiple of this many rows, except the last one of a tensor: packed layouts interleave rows.
const PIECE_ROWS_STEP: usize = 8;

/// Whole rows of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where the bytes start in the file.
    pub offset: u64,
    /// How many there are.
    pub len: usize,
    weight: Weight,
    first_row: usize,
}

/// A backend on its way.
#[derive(Debug)]
pub struct Loader {
    model: Model,
    backend: Backend,
    pieces: Vec<Piece>,
    n_put: usize,
}

impl Loader {
    /// A loader for the model that `gguf` describes, with room for `n_ctx` tokens; `machine` is what the CPU backend computes with.
    ///
    /// # Errors
    /// As [`Model::new`] and [`Gpu::new`].
    pub fn new(gguf: &Gguf, kind: BackendKind, n_ctx: usize, machine: Machine) -> Result<Self> {
        let model = Model::new(gguf)?;
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, weight) in model.plan.weights.iter().enumerate() {
            let tensor = gguf.tensor(&weight.tensor).expect("the model checked its tensors");
            let row_bytes = size(tensor.size_bytes)? / tensor.rows();
            let step = (PIECE_BYTES_MAX / row_bytes / PIECE_ROWS_STEP).max(1) * PIECE_ROWS_STEP;
            pieces.extend((0..weight.rows).step_by(step).map(|first_row| Piece {
                offset: tensor.offset + ((weight.first_row + first_row) * row_bytes) as u64,
                len: step.min(weight.rows - first_row) * row_bytes,
                weight: Weight(index),
                first_row,
            }));
        }
        pieces.sort_by_key(|p| p.offset);
        let codecs = model.codecs(gguf);
        let n_ctx = n_ctx.min(model.config.n_ctx_train);
        let backend = match kind {
            BackendKind::Reference => Backend::Reference(Box::new(Reference::new(model.plan.clone(), codecs, n_ctx))),
            BackendKind::Cpu(cache_type) => {
                Backend::Cpu(Box::new(Cpu::new(model.plan.clone(), codecs, n_ctx, cache_type, machine)))
            }
            BackendKind::Gpu(device) => {
                let mut gpu = Gpu::new(device, model.plan.clone(), codecs, n_ctx)?;
                gpu.warm_up();
                Backend::Gpu(Box::new(gpu))
            }
        };
        Ok(Self { model, backend, pieces, n_put: 0 })
    }

    /// Every piece the backend needs, in the order of the file.
    pub fn pieces(&self) -> Vec<Piece> {
        self.pieces.clone()
    }

    /// Sees whether a GPU multiplies weights of this model's types as it should, and does what other models have no op for: the test
    /// that a device has passed before knows no model, and everything would take it long.
    ///
    /// # Errors
    /// As [`Gpu::test_products`] and [`Gpu::test_ops`].
    pub async fn test(&self) -> Result<()> {
        match &self.backend {
            Backend::Reference(_) | Backend::Cpu(_) => Ok(()),
            Backend::Gpu(gpu) => {
                gpu.test_products().await?;
                gpu.test_ops().await
            }
        }
    }

    /// Takes the bytes of a piece.
    ///
    /// # Errors
    /// `Invalid` if the bytes are not as many as the piece says; what a GPU says: it is lost, it has no memory left.
    pub fn put(&mut self, piece: &Piece, bytes: &[u8]) -> Result<()> {
        if bytes.len() != piece.len {
            let message =
                format!("The file ends early: {} bytes at {} were {} bytes.", piece.len, piece.offset, bytes.len());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        match &mut self.backend {
            Backend::Reference(reference) => reference.put(piece.weight, piece.first_row, bytes),
            Backend::Cpu(cpu) => cpu.put(piece.weight, piece.first_row, bytes),
            Backend::Gpu(gpu) => {
                gpu.put(piece.weight, piece.first_row, bytes);
                gpu.device().check()?;
            }
        }
        self.n_put += 1;
        Ok(())
    }

    /// The model, when every piece has been put.
    ///
    /// # Panics
    /// If one has not.
    pub fn finish(mut self) -> Result<(Model, Backend)> {
        assert_eq!(self.n_put, self.pieces.len(), "every piece is put once");
        match &mut self.backend {
            Backend::Reference(_) | Backend::Gpu(_) => {}
            Backend::Cpu(cpu) => cpu.tune(),
        }
        Ok((self.model, self.backend))
    }
}

fn size(bytes: u64) -> Result<usize> {
    usize::try_from(bytes)
        .map_err(|_| Error::new(ErrorKind::Memory, format!("A tensor of {bytes} bytes is too large for this device.")))
}
