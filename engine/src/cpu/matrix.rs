//! Weight matrices, packed when they are loaded, and matrix × vectors on them.
//!
//! One generic matrix of blocks serves every quantised type, and one every float type; which is chosen by [`new`].

mod dense;

use super::activations::{Activations, Group, Quantized, TOKEN_PAIR, TOKENS};
use super::block::{Block, COLS, Codebook4, PackedInts, ROWS, U4, U5, U6, U8, dot_panel, panel_len};
use super::dot::{Dot, DotI16x2, PanelLane, WORDS};
use super::pool::{Columns, Pool};
use super::scales::{Bf16, Floats, Half, Scale, Scale16, ScaleOffset, ScaleOffset16, Scales};
use super::vector::{NativeSimd, Vector, fetch};
use crate::quant::{self, Codec, Format, Groups, Values};
use dense::Dense;
use std::array::from_fn;
use std::marker::PhantomData;

/// Activations that a pass over all rows of weights reads, in bytes: half of a small second-level cache.
const ACTIVATIONS_BYTES: usize = 256 << 10;

/// Places that the weights are read from in turns for one token, the first of these numbers that divides the eights of rows:
/// memory gives more to several readers than to one, because a processor does not foresee the next page.
const STREAMS: [usize; 2] = [6, 4];

/// Of these, so many are multiplied at once, so that an activation is loaded once for all of them: their sums are as many as
/// the registers hold.
const AT_ONCE: usize = 2;

/// For every thread there are at least so many eights of each place, so that one that is slow can leave some to the others; a
/// smaller matrix is read in order.
const EIGHTS_PER_THREAD: usize = 2;

/// What a matrix multiplies: the same activations in two forms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    /// `[n_tokens, cols]`.
    pub(super) floats: &'a [f32],
    /// The same, quantised; stale if every matrix [reads floats](Matrix::reads_floats).
    pub(super) integers: &'a Activations,
}

/// A weight matrix `[rows, cols]`.
pub(super) trait Matrix: std::fmt::Debug + Send + Sync {
    /// Packs whole rows from the file; `first_row` is a multiple of 8.
    fn put(&mut self, first_row: usize, bytes: &[u8]);

    /// Whether [`Input::floats`] is what it multiplies.
    fn reads_floats(&self) -> bool;

    /// dst[t] = self · x[t], for all tokens t and these rows, which start at a multiple of 8.
    fn matmul(&self, x: &Input<'_>, dst: Columns<'_>);

    /// The same of one token, but dst is `[n_streams, rows / n_streams]`: these rows of every place.
    fn matvec(&self, x: &Input<'_>, dst: Columns<'_>);

    /// dst = one row.
    fn row(&self, row: usize, dst: &mut [f32]);

    /// What so many of its rows take.
    fn bytes_of(&self, rows: usize) -> u64;
}

/// A matrix to be multiplied.
#[derive(Debug)]
pub(super) struct MatMul<'a> {
    pub(super) matrix: &'a dyn Matrix,
    pub(super) rows: usize,
    /// `[n_tokens, rows]`.
    pub(super) dst: &'a mut [f32],
}

impl MatMul<'_> {
    /// How many places its weights are read from in turns; none for several tokens, or where no number fits.
    fn n_streams(&self, n_threads: usize) -> Option<usize> {
        let least = ROWS * EIGHTS_PER_THREAD * n_threads;
        let fits = |n: &usize| self.rows.is_multiple_of(ROWS * n) && self.rows / n >= least;
        STREAMS.into_iter().find(fits).filter(|_| self.dst.len() == self.rows)
    }
}

/// dst = matrix · x of every token and product, as one job.
pub(super) fn multiply(pool: &Pool, x: &Input<'_>, products: &mut [MatMul<'_>]) {
    let how: Vec<_> = products.iter().map(|p| (p.matrix, p.n_streams(pool.n_threads()))).collect();
    let dsts = products.iter_mut().zip(&how).map(|(p, (_, n_streams))| (&mut *p.dst, p.rows / n_streams.unwrap_or(1)));
    pool.columns(dsts, ROWS, |of, dst| match how[of] {
        (matrix, Some(_)) => matrix.matvec(x, dst),
        (matrix, None) => matrix.matmul(x, dst),
    });
}

/// What a matrix of such weights takes.
pub(super) fn bytes(codec: Codec, rows: usize, cols: usize) -> u64 {
    new::<DotI16x2<NativeSimd>>(codec, 0, cols).bytes_of(rows)
}

/// What eights of rows take, of `n` pieces each: more than can be addressed, where a file says so.
fn bytes_of_eights(rows: usize, n: usize, piece_bytes: usize) -> u64 {
    (rows.div_ceil(ROWS) as u64).saturating_mul(n as u64).saturating_mul(piece_bytes as u64)
}

/// An empty matrix for weights that come by this codec, to be multiplied this way.
pub(super) fn new<D: Dot>(codec: Codec, rows: usize, cols: usize) -> Box<dyn Matrix> {
    match codec.format() {
        Format::F32 => Box::new(Dense::<f32>::new(codec, rows, cols)),
        Format::F16 => Box::new(Dense::<Half>::new(codec, rows, cols)),
        Format::BF16 => Box::new(Dense::<Bf16>::new(codec, rows, cols)),
        Format::Quantized(format) => blocks::<D>(codec, format, rows, cols),
    }
}

/// An empty matrix of blocks. Every combination of integers and scales is code of its own for every way to multiply, so there
/// are only those that formats have: integers of 4, 5, 6 or 8 bits or a table; a scale for 32 or 16, as a half or a float; a zero
/// or an offset.
fn blocks<D: Dot>(codec: Codec, format: quant::Quantized, rows: usize, cols: usize) -> Box<dyn Matrix> {
    use Values::{Linear, Table16};
    use quant::Scale::{E8M0, F16, Super};
    macro_rules! blocks {
        ($words:ty, $scales:ty, $n:literal) => {
            Box::new(Blocks::<D, $words, $scales, $n>::new(codec, format, rows, cols))
        };
    }
    let quant::Quantized { values, group_len, scale, has_offset } = format;
    match (values, scale, group_len, has_offset) {
        (Linear { bits: ..=4, zero: 8 }, F16, 32.., false) => blocks!(U4, Scale<Half, 3>, 1),
        (Linear { bits: ..=4, zero: 0 }, F16, 32.., true) => blocks!(U4, ScaleOffset<Half>, 1),
        (Linear { bits: 5, zero: 16 }, F16, 32.., false) => blocks!(U5, Scale<Half, 4>, 1),
        (Linear { bits: 5, zero: 0 }, F16, 32.., true) => blocks!(U5, ScaleOffset<Half>, 1),
        (Linear { bits: 8, zero: 128 }, F16, 32.., false) => blocks!(U8, Scale<Half, 7>, 1),
        (Linear { bits: ..=4, zero: 0 }, Super { .. }, 16, true) => blocks!(U4, ScaleOffset16<f32>, 2),
        (Linear { bits: ..=4, zero: 4 }, Super { .. }, 16, false) => blocks!(U4, Scale16<f32, 2>, 2),
        (Linear { bits: ..=4, zero: 0 }, Super { .. }, 32.., true) => blocks!(U4, ScaleOffset<f32>, 1),
        (Linear { bits: 5, zero: 0 }, Super { .. }, 32.., true) => blocks!(U5, ScaleOffset<f32>, 1),
        (Linear { bits: 6, zero: 32 }, Super { .. }, 16, false) => blocks!(U6, Scale16<f32, 5>, 2),
        (Table16(_), F16, 32.., false) => blocks!(Codebook4, Scale<Half, 7>, 1),
        (Table16(_), Super { .. }, 32.., false) => blocks!(Codebook4, Scale<f32, 7>, 1),
        // Every power of two that a byte says is the upper half of an f32.
        (Table16(_), E8M0, 32.., false) => blocks!(Codebook4, Scale<Bf16, 7>, 1),
        (Linear { .. } | Table16(_), F16 | E8M0 | Super { .. }, _, _) => unreachable!("no kernel for {format:?}"),
    }
}

/// A quantised matrix: eight rows at a time, blocks of 32 columns along them. Missing rows of the last eight are zero.
#[derive(Debug)]
struct Blocks<D, W: PackedInts, S, const N: usize> {
    codec: Codec,
    group_len: usize,
    tables: W::Tables,
    cols: usize,
    blocks: Vec<Block<W, S>>,
    dot: PhantomData<D>,
}

impl<D, W: PackedInts, S, const N: usize> Blocks<D, W, S, N> {
    fn new(codec: Codec, format: quant::Quantized, rows: usize, cols: usize) -> Self {
        let (group_len, tables) = (format.group_len, W::tables(format.values));
        Self {
            codec,
            group_len,
            tables,
            cols,
            blocks: Vec::with_capacity(rows.div_ceil(ROWS) * cols / COLS),
            dot: PhantomData,
        }
    }

    /// The blocks of rows 8·eight ….
    fn eight(&self, eight: usize) -> &[Block<W, S>] {
        let n = self.cols / COLS;
        &self.blocks[eight * n..][..n]
    }
}

/// Scale and offset of the two halves of block `block` of a row.
fn halves(values: &[f32], block: usize, group_len: usize) -> [f32; 2] {
    [0, 16].map(|col| values.get((block * COLS + col) / group_len).copied().unwrap_or(0.0))
}

impl<D: Dot, W: PackedInts, S: Scales<N>, const N: usize> Blocks<D, W, S, N> {
    fn pack(&mut self, rows: &[Groups]) {
        for block in 0..self.cols / COLS {
            let mut q = [[0; COLS]; ROWS];
            let (mut scale, mut offset) = ([[0.0; 2]; ROWS], [[0.0; 2]; ROWS]);
            for (row, groups) in rows.iter().enumerate() {
                q[row].copy_from_slice(&groups.q[block * COLS..][..COLS]);
                scale[row] = halves(&groups.scale, block, self.group_len);
                offset[row] = halves(&groups.offset, block, self.group_len);
            }
            self.blocks.push(Block { words: W::pack(&q), scales: S::pack(scale, offset) });
        }
    }

    /// E times eight rows × one token, P of them at once.
    #[inline(always)]
    fn dot<const E: usize, const P: usize>(&self, eights: [usize; E], x: &Quantized<1>) -> [[Floats<D>; WORDS]; E] {
        let eights = eights.map(|eight| &self.eight(eight)[..x.groups.len()]);
        const { assert!(E.is_multiple_of(P), "no eight is left over") };
        let tables = self.tables;
        let mut sums = [[D::V::splat(0.0); WORDS]; E];
        for (i, group) in x.groups.iter().enumerate() {
            eights.iter().for_each(|eight| fetch(std::slice::from_ref(&eight[i])));
            for (sums, eights) in sums.as_chunks_mut::<P>().0.iter_mut().zip(eights.as_chunks::<P>().0) {
                let blocks: [_; P] = from_fn(|p| &eights[p][i]);
                let dots = W::dot::<D, N, P>(blocks.map(|block| &block.words), &tables, group);
                for (p, sums) in sums.iter_mut().enumerate() {
                    *sums =
                        from_fn(|word| blocks[p].scales.add::<D>(word, sums[word], dots[p][word], &group.totals[0]));
                }
            }
        }
        sums.map(|sums| apply_token_scale::<D, S, N>(sums, x.scales[0]))
    }
}

/// A token's sums when all blocks have been added.
#[inline(always)]
fn apply_token_scale<D: Dot, S: Scales<N>, const N: usize>(sums: [Floats<D>; WORDS], scale: f32) -> [Floats<D>; WORDS] {
    // Not by both at once: their product may be infinite.
    sums.map(|sum| D::V::mul(D::V::mul(sum, D::V::splat(S::UNIT)), D::V::splat(scale)))
}

impl<D, W, S, const N: usize> Matrix for Blocks<D, W, S, N>
where
    D: Dot,
    W: PackedInts + std::fmt::Debug + Send + Sync,
    S: Scales<N> + std::fmt::Debug + Send + Sync,
{
    fn put(&mut self, first_row: usize, bytes: &[u8]) {
        assert_eq!(self.blocks.len(), first_row / ROWS * self.cols / COLS, "rows come in order, by eights");
        let row_bytes = self.codec.row_bytes(self.cols).expect("the file's rows are whole blocks");
        let mut groups: [Groups; ROWS] = from_fn(|_| Groups::default());
        for eight in bytes.chunks(ROWS * row_bytes) {
            let rows = eight.chunks_exact(row_bytes).zip(&mut groups);
            let n = rows.map(|(row, groups)| self.codec.unpack(row, groups)).count();
            self.pack(&groups[..n]);
        }
    }

    fn reads_floats(&self) -> bool {
        false
    }

    fn matmul(&self, x: &Input<'_>, dst: Columns<'_>) {
        fill::<D::V>(BlocksTimes::new(self, x), size_of::<Group<1>>() * self.cols / COLS, dst);
    }

    fn matvec(&self, x: &Input<'_>, dst: Columns<'_>) {
        matvec_streams::<D::V>(&BlocksTimes::new(self, x), dst);
    }

    fn row(&self, row: usize, dst: &mut [f32]) {
        let (eight, row) = (self.eight(row / ROWS), row % ROWS);
        for (block, dst) in eight.iter().zip(dst.chunks_exact_mut(COLS)) {
            for (half, dst) in dst.chunks_exact_mut(COLS / 2).enumerate() {
                let first = half * COLS / 2;
                let (scale, zero, offset) = block.scales.get(row, first);
                for (col, dst) in (first..).zip(dst) {
                    *dst = scale * (i32::from(block.words.get(&self.tables, row, col)) - zero) as f32 + offset;
                }
            }
        }
    }

    fn bytes_of(&self, rows: usize) -> u64 {
        bytes_of_eights(rows, self.cols / COLS, size_of::<Block<W, S>>())
    }
}

/// A matrix × some tokens, a tile at a time.
trait Tiles<V: Vector> {
    /// Makes ready for many tiles of eight rows.
    fn prepare(&mut self, eight: usize);
    /// Eight rows × four tokens, from `token` on, when the rows have been prepared.
    fn four(&self, eight: usize, token: usize) -> [[V::F; WORDS]; TOKENS];
    /// Eight rows × one token.
    fn one(&self, eight: usize, token: usize) -> [V::F; WORDS];
    /// Eight rows of every place × the only token.
    fn places<const E: usize>(&self, eights: [usize; E]) -> [[V::F; WORDS]; E];
}

/// Fills dst by tiles of eight rows × four tokens; the last tokens one by one. Activations, `token_bytes` for each token,
/// are read again and again from a cache.
#[inline(always)]
fn fill<V: Vector>(mut tiles: impl Tiles<V>, token_bytes: usize, mut dst: Columns<'_>) {
    let (rows, n_tokens) = (dst.range(), dst.n_rows());
    let step = (ACTIVATIONS_BYTES / token_bytes).max(1).next_multiple_of(TOKENS);
    for first in (0..n_tokens).step_by(step) {
        let tokens = first..n_tokens.min(first + step);
        let tiled = tokens.end - tokens.len() % TOKENS;
        for eight in rows.start / ROWS..rows.end.div_ceil(ROWS) {
            let start = eight * ROWS - rows.start;
            if tiled > first {
                tiles.prepare(eight);
            }
            for token in (first..tiled).step_by(TOKENS) {
                for (i, sums) in tiles.four(eight, token).into_iter().enumerate() {
                    store::<V>(sums, &mut dst.row(token + i)[start..]);
                }
            }
            for token in tiled..tokens.end {
                store::<V>(tiles.one(eight, token), &mut dst.row(token)[start..]);
            }
        }
    }
}

/// Fills dst `[n_streams, rows / n_streams]` for the only token.
#[inline(always)]
fn matvec_streams<V: Vector>(tiles: &impl Tiles<V>, dst: Columns<'_>) {
    if dst.n_rows() == STREAMS[0] {
        fill_streams::<V, { STREAMS[0] }>(tiles, dst);
    } else {
        fill_streams::<V, { STREAMS[1] }>(tiles, dst);
    }
}

/// Eight rows of every place at a time. Not inlined, so that no other number of places takes registers here.
#[inline(never)]
fn fill_streams<V: Vector, const E: usize>(tiles: &impl Tiles<V>, mut dst: Columns<'_>) {
    assert_eq!(dst.n_rows(), E, "a row of dst for each place");
    let columns = dst.range();
    for first in columns.clone().step_by(ROWS) {
        let eights: [usize; E] = from_fn(|place| (place * dst.width() + first) / ROWS);
        for (place, sums) in tiles.places(eights).into_iter().enumerate() {
            store::<V>(sums, &mut dst.row(place)[first - columns.start..]);
        }
    }
}

/// Blocks × integers.
struct BlocksTimes<'a, D, W: PackedInts, S: Scales<N>, const N: usize> {
    matrix: &'a Blocks<D, W, S, N>,
    x: &'a Activations,
    /// The prepared rows, unpacked.
    panel: Vec<PanelLane>,
    /// Their scales.
    scales: Vec<S::Floats>,
}

impl<'a, D, W: PackedInts, S: Scales<N>, const N: usize> BlocksTimes<'a, D, W, S, N> {
    fn new(matrix: &'a Blocks<D, W, S, N>, x: &Input<'a>) -> Self {
        Self { matrix, x: x.integers, panel: Vec::new(), scales: Vec::new() }
    }
}

impl<D: Dot, W: PackedInts, S: Scales<N>, const N: usize> Tiles<D::V> for BlocksTimes<'_, D, W, S, N> {
    #[inline(always)]
    fn prepare(&mut self, eight: usize) {
        let (blocks, panel_len) = (self.matrix.eight(eight), panel_len::<D, W>());
        self.panel.resize(blocks.len() * panel_len, PanelLane::default());
        for (block, panel) in blocks.iter().zip(self.panel.chunks_exact_mut(panel_len)) {
            block.words.unpack::<D>(&self.matrix.tables, panel);
        }
        self.scales.clear();
        self.scales.extend(blocks.iter().map(|block| block.scales.floats()));
    }

    #[inline(always)]
    fn four(&self, _: usize, token: usize) -> [[Floats<D>; WORDS]; TOKENS] {
        let twos @ [first, second] = self.x.four(token);
        let mut sums = [[[D::V::splat(0.0); WORDS]; TOKEN_PAIR]; 2];
        let blocks = self.scales.iter().zip(self.panel.chunks_exact(panel_len::<D, W>()));
        for ((scales, panel), (first, second)) in blocks.zip(first.groups.iter().zip(&second.groups)) {
            add_block::<D, W, _, N>(scales, panel, first, &mut sums[0]);
            add_block::<D, W, _, N>(scales, panel, second, &mut sums[1]);
        }
        from_fn(|i| {
            let (two, t) = (i / TOKEN_PAIR, i % TOKEN_PAIR);
            apply_token_scale::<D, S::Floats, N>(sums[two][t], twos[two].scales[t])
        })
    }

    #[inline(always)]
    fn one(&self, eight: usize, token: usize) -> [Floats<D>; WORDS] {
        let [sums] = self.matrix.dot::<1, 1>([eight], self.x.one(token));
        sums
    }

    #[inline(always)]
    fn places<const E: usize>(&self, eights: [usize; E]) -> [[Floats<D>; WORDS]; E] {
        self.matrix.dot::<E, AT_ONCE>(eights, self.x.one(0))
    }
}

/// Adds what a block that is unpacked adds to some tokens' sums.
#[inline(always)]
fn add_block<D: Dot, W: PackedInts, S: Scales<N>, const N: usize>(
    scales: &S,
    panel: &[PanelLane],
    x: &Group<TOKEN_PAIR>,
    sums: &mut [[Floats<D>; WORDS]; TOKEN_PAIR],
) {
    let dots = dot_panel::<D, W, N, TOKEN_PAIR>(panel, x);
    for t in 0..TOKEN_PAIR {
        for word in 0..WORDS {
            sums[t][word] = scales.add::<D>(word, sums[t][word], dots[t][word], &x.totals[t]);
        }
    }
}

/// Writes one token's results of eight rows, or of fewer where there are no more.
#[inline(always)]
fn store<V: Vector>(sums: [V::F; WORDS], dst: &mut [f32]) {
    if let Some(dst) = dst.first_chunk_mut::<ROWS>() {
        sums.into_iter().zip(dst.as_chunks_mut().0).for_each(|(sum, four)| V::store(sum, four));
        return;
    }
    let mut eight = [0.0; ROWS];
    sums.into_iter().zip(eight.as_chunks_mut().0).for_each(|(sum, four)| V::store(sum, four));
    dst.iter_mut().zip(eight).for_each(|(dst, sum)| *dst = sum);
}

#[cfg(test)]
mod tests {
    use super::super::dot::DotI8x4;
    use super::super::vector::plain::Plain;
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    use super::super::vector::{Reading, reading_of_dots};
    use super::*;
    use crate::quant::random_blocks;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A matrix of this type, and activations for it in both forms.
    fn case<D: Dot>(codec: Codec, rows: usize, n_tokens: usize) -> (Box<dyn Matrix>, Vec<f32>, Activations) {
        let cols = 512;
        let mut matrix = new::<D>(codec, rows, cols);
        matrix.put(0, &random_blocks(codec, rows * cols / codec.block_len(), 1));
        let mut x = vec![0.0; n_tokens * cols];
        Codec::F32.dequantize(&random_blocks(Codec::F32, x.len(), 2), &mut x);
        let mut integers = Activations::default();
        integers.quantize::<D>(&Pool::alone(), &x, cols);
        (matrix, x, integers)
    }

    /// Some rows, not all of them in eights, times some tokens, not all of them in fours.
    fn product<D: Dot>(codec: Codec) -> Vec<f32> {
        let (rows, n_tokens) = (13, 6);
        let (matrix, x, integers) = case::<D>(codec, rows, n_tokens);
        let mut dst = vec![0.0; n_tokens * rows];
        let mut product = [MatMul { matrix: &*matrix, rows, dst: &mut dst }];
        multiply(&Pool::alone(), &Input { floats: &x, integers: &integers }, &mut product);
        dst
    }

    /// The order in which rows are read changes nothing.
    fn check_streams<D: Dot>(codec: Codec) {
        STREAMS.into_iter().for_each(|n_streams| check_n_streams::<D>(codec, n_streams));
    }

    fn check_n_streams<D: Dot>(codec: Codec, n_streams: usize) {
        // The helpers never come: what counts is how the work is cut.
        let ((pool, _), rows) = (Pool::new(3), ROWS * n_streams * 13);
        let (matrix, x, integers) = case::<D>(codec, rows, 1);
        let x = Input { floats: &x, integers: &integers };
        let [mut in_order, mut by_streams] = [vec![0.0; rows], vec![0.0; rows]];
        pool.columns(std::iter::once((&mut in_order[..], rows)), ROWS, |_, dst| matrix.matmul(&x, dst));
        pool.columns(std::iter::once((&mut by_streams[..], rows / n_streams)), ROWS, |_, dst| matrix.matvec(&x, dst));
        assert!(in_order.iter().all(|x| x.is_finite() && *x != 0.0), "{codec:?}");
        assert_eq!(in_order, by_streams, "{codec:?}");
    }

    #[test]
    fn rows_of_streams_are_the_same() {
        for codec in Codec::ALL {
            check_streams::<DotI16x2<Plain>>(*codec);
            check_streams::<DotI8x4<Plain, false>>(*codec);
            check_streams::<DotI8x4<Plain, true>>(*codec);
            check_streams::<DotI16x2<NativeSimd>>(*codec);
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            check_streams::<DotI8x4<NativeSimd, false>>(*codec);
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            if reading_of_dots::<NativeSimd>() == Some(Reading::Unsigned) {
                check_streams::<DotI8x4<NativeSimd, true>>(*codec);
                assert_eq!(
                    product::<DotI16x2<NativeSimd>>(*codec),
                    product::<DotI8x4<NativeSimd, true>>(*codec),
                    "{codec:?}"
                );
            }
        }
    }

    #[test]
    fn both_ways_to_multiply_give_the_same() {
        for codec in Codec::ALL {
            let product_of_pairs = product::<DotI16x2<Plain>>(*codec);
            assert!(product_of_pairs.iter().all(|x| x.is_finite() && *x != 0.0), "{codec:?}");
            assert_eq!(product_of_pairs, product::<DotI8x4<Plain, false>>(*codec), "{codec:?}");
            assert_eq!(product_of_pairs, product::<DotI8x4<Plain, true>>(*codec), "{codec:?}");
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            assert_eq!(
                product::<DotI16x2<NativeSimd>>(*codec),
                product::<DotI8x4<NativeSimd, false>>(*codec),
                "{codec:?}"
            );
        }
    }

    /// One activation is a thousand times as large as the others.
    fn check_outlier<D: Dot>() {
        let (rows, cols) = (16, 512);
        let (matrix, mut x, mut integers) = case::<D>(Codec::Q4_1, rows, 1);
        x[300] = 1000.0 * x.iter().fold(0.0, |max: f32, x| max.max(x.abs()));
        integers.quantize::<D>(&Pool::alone(), &x, cols);
        let mut dst = vec![0.0; rows];
        let mut product = [MatMul { matrix: &*matrix, rows, dst: &mut dst }];
        multiply(&Pool::alone(), &Input { floats: &x, integers: &integers }, &mut product);
        for (row, y) in dst.into_iter().enumerate() {
            let mut w = vec![0.0; cols];
            matrix.row(row, &mut w);
            let exact: f64 = w.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let half_a_step = f64::from(x[300].abs()) / 65024.0;
            let bound: f64 = w.iter().map(|w| f64::from(w.abs()) * half_a_step).sum();
            let error = (f64::from(y) - exact).abs();
            assert!(error < bound / 4.0, "row {row} is off by {error:e}, where all steps together are {bound:e}");
        }
    }

    #[test]
    fn a_large_activation_costs_the_others_little() {
        check_outlier::<DotI16x2<Plain>>();
        check_outlier::<DotI16x2<NativeSimd>>();
        check_outlier::<DotI8x4<Plain, true>>();
    }

    #[test]
    fn what_a_matrix_takes() {
        let bits = |codec| bytes(codec, 8, 256) as f64 * 8.0 / (8.0 * 256.0);
        assert_eq!(bits(Codec::F16), 16.0);
        assert_eq!([Codec::Q4_0, Codec::Q4_1, Codec::Q5_0, Codec::Q8_0].map(bits), [4.5, 5.0, 5.5, 8.5]);
        assert_eq!([Codec::Q2_K, Codec::Q4_K, Codec::Q6_K].map(bits), [8.0, 6.0, 8.0]);
        assert_eq!(bytes(Codec::Q4_0, 9, 256), bytes(Codec::Q4_0, 16, 256));
    }
}
