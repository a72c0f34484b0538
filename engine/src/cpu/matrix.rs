//! Weight matrices, packed when they are loaded, and matrix × vectors on them.
//!
//! One generic matrix of blocks serves every quantised type, and one every float type; which is chosen by [`new`].

use super::activations::{Activations, Group};
use super::block::{
    Block, Bytes, COLS, Fives, Half, Nibbles, Number, ROWS, Scale, Scale16, ScaleOffset, ScaleOffset16,
};
use super::block::{Scales, Sixes, Words};
use super::vector::{Best, Vector};
use crate::dtype::DType;
use crate::quant::{self, Groups};

/// Tokens that one pass over a row of weights serves.
const TOKENS: usize = 4;

/// What a matrix multiplies: the same activations in two forms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    /// `[n_tokens, cols]`.
    pub(super) floats: &'a [f32],
    /// The same, quantised; stale if [`Matrix::reads_floats`].
    pub(super) integers: &'a Activations,
}

/// A weight matrix `[rows, cols]`.
pub(super) trait Matrix: std::fmt::Debug + Send + Sync {
    /// Packs whole rows from the file; `first_row` is a multiple of 4.
    fn put(&mut self, first_row: usize, bytes: &[u8]);

    /// Whether [`Input::floats`] is what it multiplies.
    fn reads_floats(&self) -> bool;

    /// dst[t] = self · x[t], for all tokens; dst is `[n_tokens, rows]`.
    fn matmul(&self, x: &Input<'_>, dst: &mut [f32]);

    /// dst = one row.
    fn row(&self, row: usize, dst: &mut [f32]);
}

/// An empty matrix for weights of this type.
pub(super) fn new(dtype: DType, rows: usize, cols: usize) -> Box<dyn Matrix> {
    match dtype {
        DType::F32 => Box::new(Dense::<f32>::new(dtype, rows, cols)),
        DType::F16 => Box::new(Dense::<Half>::new(dtype, rows, cols)),
        DType::BF16 => Box::new(Dense::<Brain>::new(dtype, rows, cols)),
        DType::Q4_0 => Box::new(Blocks::<Nibbles, Scale<Half>, 1>::new(dtype, rows, cols)),
        DType::Q4_1 => Box::new(Blocks::<Nibbles, ScaleOffset<Half>, 1>::new(dtype, rows, cols)),
        DType::Q5_0 => Box::new(Blocks::<Fives, Scale<Half>, 1>::new(dtype, rows, cols)),
        DType::Q5_1 => Box::new(Blocks::<Fives, ScaleOffset<Half>, 1>::new(dtype, rows, cols)),
        DType::Q8_0 | DType::IQ4_NL => Box::new(Blocks::<Bytes, Scale<Half>, 1>::new(dtype, rows, cols)),
        DType::Q2_K => Box::new(Blocks::<Nibbles, ScaleOffset16<f32>, 2>::new(dtype, rows, cols)),
        DType::Q3_K => Box::new(Blocks::<Nibbles, Scale16<f32>, 2>::new(dtype, rows, cols)),
        DType::Q4_K => Box::new(Blocks::<Nibbles, ScaleOffset<f32>, 1>::new(dtype, rows, cols)),
        DType::Q5_K => Box::new(Blocks::<Fives, ScaleOffset<f32>, 1>::new(dtype, rows, cols)),
        DType::Q6_K => Box::new(Blocks::<Sixes, Scale16<f32>, 2>::new(dtype, rows, cols)),
        DType::IQ4_XS => Box::new(Blocks::<Bytes, Scale<f32>, 1>::new(dtype, rows, cols)),
    }
}

/// A quantised matrix: four rows at a time, blocks of 32 columns along them. Missing rows of the last four are zero.
#[derive(Debug)]
struct Blocks<W, S, const N: usize> {
    dtype: DType,
    rows: usize,
    cols: usize,
    zero: i32,
    blocks: Vec<Block<W, S>>,
}

impl<W, S, const N: usize> Blocks<W, S, N> {
    fn new(dtype: DType, rows: usize, cols: usize) -> Self {
        let zero = i32::from(quant::format(dtype).expect("a quantised type").zero);
        Self { dtype, rows, cols, zero, blocks: Vec::with_capacity(rows.div_ceil(ROWS) * cols / COLS) }
    }

    /// The blocks of rows 4·quad ….
    fn quad(&self, quad: usize) -> &[Block<W, S>] {
        let n = self.cols / COLS;
        &self.blocks[quad * n..][..n]
    }
}

/// Scale and offset of the two halves of block `block` of a row.
fn halves(values: &[f32], block: usize, group_len: usize) -> [f32; 2] {
    [0, 16].map(|col| values.get((block * COLS + col) / group_len).copied().unwrap_or(0.0))
}

impl<W: Words, S: Scales<N>, const N: usize> Blocks<W, S, N> {
    fn pack(&mut self, rows: &[Groups]) {
        let group_len = quant::format(self.dtype).expect("a quantised type").group_len;
        for block in 0..self.cols / COLS {
            let mut q = [[0; COLS]; ROWS];
            let (mut scale, mut offset) = ([[0.0; 2]; ROWS], [[0.0; 2]; ROWS]);
            for (row, groups) in rows.iter().enumerate() {
                q[row].copy_from_slice(&groups.q[block * COLS..][..COLS]);
                scale[row] = halves(&groups.scale, block, group_len);
                offset[row] = halves(&groups.offset, block, group_len);
            }
            self.blocks.push(Block { words: W::pack(&q), scales: S::pack(scale, offset) });
        }
    }

    /// Four rows × T tokens.
    #[inline(always)]
    fn dot<V: Vector, const T: usize>(&self, quad: usize, x: [&[Group<V>]; T]) -> [V::F; T] {
        let blocks = self.quad(quad);
        let x = x.map(|x| &x[..blocks.len()]);
        let mut sums = [V::splat(0.0); T];
        for (i, block) in blocks.iter().enumerate() {
            for t in 0..T {
                let x = &x[t][i];
                let dots = block.words.dot::<V, N>(x, S::starts::<V>(x, self.zero));
                sums[t] = block.scales.add::<V>(sums[t], dots, x);
            }
        }
        sums
    }
}

impl<W, S, const N: usize> Matrix for Blocks<W, S, N>
where
    W: Words + std::fmt::Debug + Send + Sync,
    S: Scales<N> + std::fmt::Debug + Send + Sync,
{
    fn put(&mut self, first_row: usize, bytes: &[u8]) {
        assert_eq!(self.blocks.len(), first_row / ROWS * self.cols / COLS, "rows come in order, by fours");
        let row_bytes = self.dtype.row_bytes(self.cols).expect("the file's rows are whole blocks");
        let mut groups: [Groups; ROWS] = std::array::from_fn(|_| Groups::default());
        for quad in bytes.chunks(ROWS * row_bytes) {
            let rows = quad.chunks_exact(row_bytes).zip(&mut groups);
            let n = rows.map(|(row, groups)| quant::unpack(self.dtype, row, groups)).count();
            self.pack(&groups[..n]);
        }
    }

    fn reads_floats(&self) -> bool {
        false
    }

    fn matmul(&self, x: &Input<'_>, dst: &mut [f32]) {
        let x = x.integers;
        let four = |quad, token| self.dot::<Best, TOKENS>(quad, std::array::from_fn(|i| x.row(token + i)));
        let one = |quad, token| self.dot::<Best, 1>(quad, [x.row(token)]);
        by_tiles::<Best>(self.rows, dst, four, one);
    }

    fn row(&self, row: usize, dst: &mut [f32]) {
        let blocks = self.quad(row / ROWS);
        for (col, dst) in dst.iter_mut().enumerate() {
            let block = &blocks[col / COLS];
            let (scale, offset) = block.scales.get(row % ROWS, col % COLS);
            let q = i32::from(block.words.get(row % ROWS, col % COLS)) - self.zero;
            *dst = scale * q as f32 + offset;
        }
    }
}

/// Fills dst `[n_tokens, rows]` by tiles of four rows × four tokens; the last tokens one by one.
#[inline(always)]
fn by_tiles<V: Vector>(
    rows: usize,
    dst: &mut [f32],
    four: impl Fn(usize, usize) -> [V::F; TOKENS],
    one: impl Fn(usize, usize) -> [V::F; 1],
) {
    let n_tokens = dst.len() / rows;
    let tiled = n_tokens - n_tokens % TOKENS;
    for quad in 0..rows.div_ceil(ROWS) {
        for token in (0..tiled).step_by(TOKENS) {
            let sums = four(quad, token);
            for (i, sum) in sums.into_iter().enumerate() {
                store::<V>(sum, &mut dst[(token + i) * rows..][..rows], quad);
            }
        }
        for token in tiled..n_tokens {
            let [sum] = one(quad, token);
            store::<V>(sum, &mut dst[token * rows..][..rows], quad);
        }
    }
}

/// Writes rows 4·quad … of one token's results.
#[inline(always)]
fn store<V: Vector>(sum: V::F, dst: &mut [f32], quad: usize) {
    let dst = &mut dst[quad * ROWS..];
    if let Some(dst) = dst.first_chunk_mut::<ROWS>() {
        V::store(sum, dst);
    } else {
        let mut four = [0.0; ROWS];
        V::store(sum, &mut four);
        dst.copy_from_slice(&four[..dst.len()]);
    }
}

/// The upper half of an f32.
#[derive(Debug, Clone, Copy, Default)]
#[repr(transparent)]
struct Brain(u16);

impl Number for Brain {
    fn new(x: f32) -> Self {
        Self(half::bf16::from_f32(x).to_bits())
    }
    fn value(self) -> f32 {
        half::bf16::from_bits(self.0).to_f32()
    }
    #[inline(always)]
    fn load<V: Vector>(x: &[Self; 4]) -> V::F {
        V::load(&x.map(|x| f32::from_bits(u32::from(x.0) << 16)))
    }
}

/// A float matrix: the four rows' numbers of a column beside each other.
#[derive(Debug)]
struct Dense<N> {
    dtype: DType,
    rows: usize,
    cols: usize,
    columns: Vec<[N; ROWS]>,
}

impl<N: Number> Dense<N> {
    fn new(dtype: DType, rows: usize, cols: usize) -> Self {
        Self { dtype, rows, cols, columns: Vec::with_capacity(rows.div_ceil(ROWS) * cols) }
    }

    /// Four rows × T tokens.
    #[inline(always)]
    fn dot<V: Vector, const T: usize>(&self, quad: usize, x: [&[f32]; T]) -> [V::F; T] {
        let columns = &self.columns[quad * self.cols..][..self.cols];
        let x = x.map(|x| &x[..columns.len()]);
        let mut sums = [V::splat(0.0); T];
        for (i, column) in columns.iter().enumerate() {
            let w = N::load::<V>(column);
            for t in 0..T {
                sums[t] = V::mul_add(w, V::splat(x[t][i]), sums[t]);
            }
        }
        sums
    }
}

impl<N: Number + std::fmt::Debug + Send + Sync> Matrix for Dense<N> {
    fn put(&mut self, first_row: usize, bytes: &[u8]) {
        assert_eq!(self.columns.len(), first_row / ROWS * self.cols, "rows come in order, by fours");
        let row_bytes = self.dtype.row_bytes(self.cols).expect("float types have blocks of one");
        let mut floats = vec![0.0; self.cols];
        for quad in bytes.chunks(ROWS * row_bytes) {
            let start = self.columns.len();
            self.columns.resize(start + self.cols, [N::default(); ROWS]);
            for (row, bytes) in quad.chunks_exact(row_bytes).enumerate() {
                quant::dequantize(self.dtype, bytes, &mut floats);
                let columns = self.columns[start..].iter_mut();
                columns.zip(&floats).for_each(|(column, x)| column[row] = N::new(*x));
            }
        }
    }

    fn reads_floats(&self) -> bool {
        true
    }

    fn matmul(&self, x: &Input<'_>, dst: &mut [f32]) {
        let x = |token: usize| &x.floats[token * self.cols..][..self.cols];
        let four = |quad, token| self.dot::<Best, TOKENS>(quad, std::array::from_fn(|i| x(token + i)));
        let one = |quad, token| self.dot::<Best, 1>(quad, [x(token)]);
        by_tiles::<Best>(self.rows, dst, four, one);
    }

    fn row(&self, row: usize, dst: &mut [f32]) {
        let columns = &self.columns[row / ROWS * self.cols..];
        dst.iter_mut().zip(columns).for_each(|(dst, column)| *dst = column[row % ROWS].value());
    }
}
