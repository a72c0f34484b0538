//! Matrices of floats.

use super::super::activations::TOKENS;
use super::super::block::ROWS;
use super::super::dot::WORDS;
use super::super::pool::Columns;
use super::super::scales::Number;
use super::super::vector::{NativeSimd, Vector};
use super::{Input, Matrix, Tiles, bytes_of_eights, fill, matvec_streams};
use crate::quant::Codec;
use std::array::from_fn;

/// A float matrix: the eight rows' numbers of a column beside each other.
#[derive(Debug)]
pub(super) struct Dense<N> {
    codec: Codec,
    cols: usize,
    columns: Vec<[N; ROWS]>,
}

impl<N: Number> Dense<N> {
    pub(super) fn new(codec: Codec, rows: usize, cols: usize) -> Self {
        Self { codec, cols, columns: Vec::with_capacity(rows.div_ceil(ROWS) * cols) }
    }

    /// E times eight rows × T tokens.
    #[inline(always)]
    fn dot<V: Vector, const E: usize, const T: usize>(
        &self,
        eights: [usize; E],
        x: [&[f32]; T],
    ) -> [[[V::F; WORDS]; T]; E] {
        let eights = eights.map(|eight| &self.columns[eight * self.cols..][..self.cols]);
        let x = x.map(|x| &x[..self.cols]);
        let mut sums = [[[V::splat(0.0); WORDS]; T]; E];
        for i in 0..self.cols {
            for (sums, columns) in sums.iter_mut().zip(&eights) {
                let w = N::load::<V>(&columns[i]);
                for t in 0..T {
                    let x = V::splat(x[t][i]);
                    for word in 0..WORDS {
                        sums[t][word] = V::mul_add(w[word], x, sums[t][word]);
                    }
                }
            }
        }
        sums
    }
}

impl<N: Number + std::fmt::Debug + Send + Sync> Matrix for Dense<N> {
    fn put(&mut self, first_row: usize, bytes: &[u8]) {
        assert_eq!(self.columns.len(), first_row / ROWS * self.cols, "rows come in order, by eights");
        let row_bytes = self.codec.row_bytes(self.cols).expect("float types have blocks of one");
        let mut floats = vec![0.0; self.cols];
        for eight in bytes.chunks(ROWS * row_bytes) {
            let start = self.columns.len();
            self.columns.resize(start + self.cols, [N::default(); ROWS]);
            for (row, bytes) in eight.chunks_exact(row_bytes).enumerate() {
                self.codec.dequantize(bytes, &mut floats);
                let columns = self.columns[start..].iter_mut();
                columns.zip(&floats).for_each(|(column, x)| column[row] = N::new(*x));
            }
        }
    }

    fn reads_floats(&self) -> bool {
        true
    }

    fn matmul(&self, x: &Input<'_>, dst: Columns<'_>) {
        fill::<NativeSimd>(DenseTimes { matrix: self, x: x.floats }, size_of::<f32>() * self.cols, dst);
    }

    fn matvec(&self, x: &Input<'_>, dst: Columns<'_>) {
        matvec_streams::<NativeSimd>(&DenseTimes { matrix: self, x: x.floats }, dst);
    }

    fn row(&self, row: usize, dst: &mut [f32]) {
        let columns = &self.columns[row / ROWS * self.cols..];
        dst.iter_mut().zip(columns).for_each(|(dst, column)| *dst = column[row % ROWS].value());
    }

    fn bytes_of(&self, rows: usize) -> u64 {
        bytes_of_eights(rows, self.cols, size_of::<[N; ROWS]>())
    }
}

/// Floats × floats.
struct DenseTimes<'a, N> {
    matrix: &'a Dense<N>,
    x: &'a [f32],
}

impl<N> DenseTimes<'_, N> {
    fn token(&self, token: usize) -> &[f32] {
        &self.x[token * self.matrix.cols..][..self.matrix.cols]
    }
}

impl<N: Number> Tiles<NativeSimd> for DenseTimes<'_, N> {
    fn prepare(&mut self, _: usize) {}
    #[inline(always)]
    fn four(&self, eight: usize, token: usize) -> [[<NativeSimd as Vector>::F; WORDS]; TOKENS] {
        let [sums] = self.matrix.dot::<NativeSimd, 1, TOKENS>([eight], from_fn(|i| self.token(token + i)));
        sums
    }
    #[inline(always)]
    fn one(&self, eight: usize, token: usize) -> [<NativeSimd as Vector>::F; WORDS] {
        let [[sums]] = self.matrix.dot::<NativeSimd, 1, 1>([eight], [self.token(token)]);
        sums
    }
    #[inline(always)]
    fn places<const E: usize>(&self, eights: [usize; E]) -> [[<NativeSimd as Vector>::F; WORDS]; E] {
        self.matrix.dot::<NativeSimd, E, 1>(eights, [self.token(0)]).map(|[sums]| sums)
    }
}
