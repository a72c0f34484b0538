//! The packed weight block: 8 rows × 32 columns of integers, and their scales.
//!
//! A file's blocks run along a row. Here rows are interleaved by fours, so that one load of activations serves all of them,
//! and the four sums come out in the four lanes of a vector ([`super::dot`]).
//!
//! Word k of 4 is columns 8k … 8k + 7, in two halves of 16 bytes for four rows. Of nibbles, byte 4r + c of half h holds column
//! 8k + 4h + c of two rows:
//!
//! ```text
//! low nibble: row r     high nibble: row 4 + r
//! ```
//!
//! Types of more than 4 bits add planes of high bits, 8-bit types have a byte for each nibble, and nibbles may choose from
//! a table ([`Codebook4`]).

mod codebook4;

pub(super) use codebook4::Codebook4;

use super::activations::Group;
use super::dot::{Dot, GROUP, Ints, LANES, PanelLane, Sums, UnpackLane, WORDS, dot_parts};
use super::vector::Vector;
use crate::quant::Values;
use std::array::from_fn;

/// Rows of a block.
pub(super) const ROWS: usize = LANES * WORDS;
/// Columns of a block.
pub(super) const COLS: usize = GROUP;

/// Sums of eight rows, each over all columns (N = 1), or over the first sixteen and over the second (N = 2).
pub(super) type Dots<D, const N: usize> = [[Ints<D>; N]; WORDS];

/// The integers of a block.
pub(super) trait PackedInts: Copy + Sized {
    /// What all blocks of a matrix share.
    type Tables: Copy + std::fmt::Debug + Send + Sync;

    /// What all blocks of a matrix of these values share.
    fn tables(values: Values) -> Self::Tables;

    /// Packs 8 rows × 32 columns.
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self;

    /// The integer of one row and column.
    fn get(&self, tables: &Self::Tables, row: usize, col: usize) -> u8;

    /// Σ w · x of every row of P blocks and a token.
    fn dot<D: Dot, const N: usize, const P: usize>(
        blocks: [&Self; P],
        tables: &Self::Tables,
        x: &Group<1>,
    ) -> [Dots<D, N>; P];

    /// Whether a panel has a second plane, of what must be multiplied by 16.
    fn has_high_plane<D: Dot>() -> bool {
        false
    }

    /// Unpacks the block for many tokens; plane by plane, each `4 · D::PARTS` long.
    fn unpack<D: Dot>(&self, tables: &Self::Tables, panel: &mut [PanelLane]);
}

/// Parts of a block that is unpacked.
pub(super) fn panel_len<D: Dot, W: PackedInts>() -> usize {
    4 * D::PARTS * if W::has_high_plane::<D>() { 2 } else { 1 }
}

/// Σ w · x of every row and token, of a block that is unpacked.
#[inline(always)]
pub(super) fn dot_panel<D: Dot, W: PackedInts, const N: usize, const T: usize>(
    panel: &[PanelLane],
    x: &Group<T>,
) -> [Dots<D, N>; T] {
    let (low, high) = panel.split_at(4 * D::PARTS);
    let low = dot_plane::<D, N, T>(low, x);
    if !W::has_high_plane::<D>() {
        return low;
    }
    plus_16_times::<D, N, T>(low, dot_plane::<D, N, T>(high, x))
}

#[inline(always)]
fn dot_plane<D: Dot, const N: usize, const T: usize>(plane: &[PanelLane], x: &Group<T>) -> [Dots<D, N>; T] {
    let (parts, words) = (plane.len() / N, GROUP / 2 / N);
    // No `from_fn`: compilers make one function of it for both planes, and that takes sums from memory.
    let mut halves = [[[D::V::splat_int(0); WORDS]; T]; N];
    for (n, half) in halves.iter_mut().enumerate() {
        *half = dot_parts::<D, T>(&plane[n * parts..][..parts], &x.q[n * words..][..words]);
    }
    from_fn(|t| from_fn(|word| from_fn(|n| halves[n][t][word])))
}

/// low + 16 · high, of several blocks or tokens.
#[inline(always)]
fn plus_16_times<D: Dot, const N: usize, const M: usize>(
    low: [Dots<D, N>; M],
    high: [Dots<D, N>; M],
) -> [Dots<D, N>; M] {
    let sum = |low, high| D::V::add_int(low, D::V::shift_left_int::<4>(high));
    from_fn(|m| from_fn(|word| from_fn(|n| sum(low[m][word][n], high[m][word][n]))))
}

/// 0 … 15: one nibble plane, `[half][k]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct U4([[[u8; 16]; 4]; 2]);

/// 0 … 31: nibbles and a plane of fifth bits. Bit k of nibble h there belongs to half h of word k.
#[derive(Debug, Clone, Copy)]
pub(super) struct U5(U4, [[u8; 16]; WORDS]);

/// 0 … 63: nibbles and two planes of two more bits. Bits 2k, 2k + 1 of nibble h of plane p belong to half h of word 2p + k.
#[derive(Debug, Clone, Copy)]
pub(super) struct U6(U4, [[[u8; 16]; WORDS]; 2]);

/// 0 … 255, `[half][k][which four rows]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct U8([[[[u8; 16]; WORDS]; 4]; 2]);

/// Row, column → (word k, which four rows, byte, half).
fn place(row: usize, col: usize) -> (usize, usize, usize, usize) {
    (col / 8, row / LANES, 4 * (row % LANES) + col % 4, col % 8 / 4)
}

/// Every row and column of a block.
fn cells() -> impl Iterator<Item = (usize, usize)> {
    (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col)))
}

/// Σ w · x of P blocks, half a word at a time.
#[inline(always)]
fn dot_words<D: Dot, W: UnpackLane, const N: usize, const P: usize>(w: [&W; P], x: &Group<1>) -> [Dots<D, N>; P] {
    // Half a word of a block is a step, and compilers must not know how many there are (see [`super::dot`]).
    let n_steps = std::hint::black_box(8 * P);
    let (mut first, mut sums): (Sums<D, P>, Sums<D, P>) = ([[D::zero(); WORDS]; P], [[D::zero(); WORDS]; P]);
    'steps: {
        macro_rules! step {
            ($k:literal, $half:literal) => {
                for p in 0..P {
                    D::half::<W, $k, $half>(w[p], &x.q, &mut sums[p]);
                    if n_steps == P * (2 * $k + $half) + p + 1 {
                        break 'steps;
                    }
                }
            };
        }
        step!(0, 0);
        step!(0, 1);
        step!(1, 0);
        step!(1, 1);
        if N == 2 {
            first = std::mem::replace(&mut sums, first);
        }
        step!(2, 0);
        step!(2, 1);
        step!(3, 0);
        step!(3, 1);
    }
    from_fn(|p| from_fn(|i| from_fn(|n| D::total(if n + 1 < N { first[p][i] } else { sums[p][i] }))))
}

/// Σ w · x of weights of 0 … 255, by two planes where they must be less.
#[inline(always)]
fn dot_planes<D: Dot, W: UnpackLane, L: UnpackLane, H: UnpackLane, const N: usize, const P: usize>(
    whole: [&W; P],
    low: &[L; P],
    high: &[H; P],
    x: &Group<1>,
) -> [Dots<D, N>; P] {
    if D::TAKES_BYTES {
        return dot_words::<D, W, N, P>(whole, x);
    }
    let (low, high) = (low.each_ref(), high.each_ref());
    plus_16_times::<D, N, P>(dot_words::<D, L, N, P>(low, x), dot_words::<D, H, N, P>(high, x))
}

/// Unpacks weights of 0 … 255, as two planes where they must be less.
#[inline(always)]
fn unpack_planes<D: Dot>(
    whole: &impl UnpackLane,
    low: &impl UnpackLane,
    high: &impl UnpackLane,
    panel: &mut [PanelLane],
) {
    if D::TAKES_BYTES {
        D::unpack(whole, panel);
        return;
    }
    let (low_panel, high_panel) = panel.split_at_mut(4 * D::PARTS);
    D::unpack(low, low_panel);
    D::unpack(high, high_panel);
}

impl PackedInts for U4 {
    type Tables = ();

    fn tables(_: Values) {}

    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut words = [[[0; 16]; 4]; 2];
        for (row, col) in cells() {
            let (k, word, byte, half) = place(row, col);
            words[half][k][byte] |= (q[row][col] & 0x0f) << (4 * word);
        }
        Self(words)
    }

    fn get(&self, (): &(), row: usize, col: usize) -> u8 {
        let (k, word, byte, half) = place(row, col);
        self.0[half][k][byte] >> (4 * word) & 0x0f
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(blocks: [&Self; P], (): &(), x: &Group<1>) -> [Dots<D, N>; P] {
        if !D::TAKES_BYTES {
            return dot_words::<D, Self, N, P>(blocks, x);
        }
        let whole = blocks.map(Whole);
        let dots = dot_words::<D, Whole<'_>, N, P>(whole.each_ref(), x);
        dots.map(|[low, both]| [low, from_fn(|n| D::V::shift_right_int::<4>(D::V::sub_int(both[n], low[n])))])
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, (): &(), panel: &mut [PanelLane]) {
        D::unpack(self, panel);
    }
}

impl UnpackLane for U4 {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let halves = self.halves::<D, K>();
        if word == 0 { D::low::<J>(halves) } else { D::high::<J>(halves) }
    }
}

impl U4 {
    /// The two halves of word `K`.
    #[inline(always)]
    fn halves<D: Dot, const K: usize>(&self) -> [Ints<D>; 2] {
        [0, 1].map(|half| D::V::load_bytes(&self.0[half][K]))
    }
}

/// Nibbles without a shift: the second four rows come as whole bytes, 16 times their own weights plus those of the first four.
struct Whole<'a>(&'a U4);

impl UnpackLane for Whole<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let halves = self.0.halves::<D, K>();
        if word == 0 { D::low::<J>(halves) } else { D::bytes::<J>(halves) }
    }
}

impl PackedInts for U5 {
    type Tables = ();

    fn tables(_: Values) {}

    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut plane = [[0; 16]; WORDS];
        for (row, col) in cells() {
            let (k, word, byte, half) = place(row, col);
            plane[word][byte] |= (q[row][col] >> 4 & 1) << (4 * half + k);
        }
        Self(U4::pack(q), plane)
    }

    fn get(&self, (): &(), row: usize, col: usize) -> u8 {
        let (k, word, byte, half) = place(row, col);
        self.0.get(&(), row, col) | (self.1[word][byte] >> (4 * half + k) & 1) << 4
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(blocks: [&Self; P], (): &(), x: &Group<1>) -> [Dots<D, N>; P] {
        dot_words::<D, Self, N, P>(blocks, x)
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, (): &(), panel: &mut [PanelLane]) {
        D::unpack(self, panel);
    }
}

impl UnpackLane for U5 {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let fifth = D::plane::<J>(D::V::load_bytes(&self.1[word]), K, 1);
        D::V::or(self.0.part::<D, K, J>(word), fifth)
    }
}

impl PackedInts for U6 {
    type Tables = ();

    fn tables(_: Values) {}

    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut planes = [[[0; 16]; WORDS]; 2];
        for (row, col) in cells() {
            let (k, word, byte, half) = place(row, col);
            planes[k / 2][word][byte] |= (q[row][col] >> 4 & 3) << (4 * half + 2 * (k % 2));
        }
        Self(U4::pack(q), planes)
    }

    fn get(&self, (): &(), row: usize, col: usize) -> u8 {
        let (k, word, byte, half) = place(row, col);
        self.0.get(&(), row, col) | (self.1[k / 2][word][byte] >> (4 * half + 2 * (k % 2)) & 3) << 4
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(blocks: [&Self; P], (): &(), x: &Group<1>) -> [Dots<D, N>; P] {
        dot_words::<D, Self, N, P>(blocks, x)
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, (): &(), panel: &mut [PanelLane]) {
        D::unpack(self, panel);
    }
}

impl UnpackLane for U6 {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let more = D::plane::<J>(D::V::load_bytes(&self.1[K / 2][word]), 2 * (K % 2), 2);
        D::V::or(self.0.part::<D, K, J>(word), more)
    }
}

impl PackedInts for U8 {
    type Tables = ();

    fn tables(_: Values) {}

    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut words = [[[[0; 16]; WORDS]; 4]; 2];
        for (row, col) in cells() {
            let (k, word, byte, half) = place(row, col);
            words[half][k][word][byte] = q[row][col];
        }
        Self(words)
    }

    fn get(&self, (): &(), row: usize, col: usize) -> u8 {
        let (k, word, byte, half) = place(row, col);
        self.0[half][k][word][byte]
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(blocks: [&Self; P], (): &(), x: &Group<1>) -> [Dots<D, N>; P] {
        dot_planes::<D, _, _, _, N, P>(blocks, &blocks.map(LowNibbles), &blocks.map(HighNibbles), x)
    }

    fn has_high_plane<D: Dot>() -> bool {
        !D::TAKES_BYTES
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, (): &(), panel: &mut [PanelLane]) {
        unpack_planes::<D>(self, &LowNibbles(self), &HighNibbles(self), panel);
    }
}

impl UnpackLane for U8 {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        D::bytes::<J>(self.halves::<D, K>(word))
    }
}

impl U8 {
    /// The two halves of word `K`, of the first or second four rows.
    #[inline(always)]
    fn halves<D: Dot, const K: usize>(&self, word: usize) -> [Ints<D>; 2] {
        [0, 1].map(|half| D::V::load_bytes(&self.0[half][K][word]))
    }
}

/// Bytes modulo 16, where weights are 7 bits at most.
struct LowNibbles<'a>(&'a U8);

/// Bytes divided by 16.
struct HighNibbles<'a>(&'a U8);

impl UnpackLane for LowNibbles<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        D::low::<J>(self.0.halves::<D, K>(word))
    }
}

impl UnpackLane for HighNibbles<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        D::high::<J>(self.0.halves::<D, K>(word))
    }
}

/// 8 rows × 32 columns of one weight matrix. Aligned, so that no load crosses a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Block<W, S> {
    pub(super) words: W,
    pub(super) scales: S,
}

#[cfg(test)]
mod tests {
    use super::super::activations::TOKEN_PAIR;
    use super::super::dot::{DotI8x4, DotI16x2};
    use super::super::vector::NativeSimd;
    use super::super::vector::plain::Plain;
    use super::*;
    use crate::quant::{Codec, Format, Quantized};
    use crate::rng::Rng;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The largest activation.
    const X_MAX: i16 = 127 * 256;

    /// What is packed comes out again.
    fn check_packing<W: PackedInts>(values: Values) {
        let (all, tables) = (of(values), W::tables(values));
        let q = weights(&mut Rng::new(1), &all);
        let words = W::pack(&q);
        assert!(cells().all(|(row, col)| i16::from(words.get(&tables, row, col)) == operand(values, q[row][col])));
    }

    /// Every dot product is Σ q · x exactly.
    fn check_dots<D: Dot, W: PackedInts>(values: Values) {
        let (all, tables) = (of(values), W::tables(values));
        let mut rng = Rng::new(2);
        // Where sums are the largest, and where their upper and lower bytes are; then at random.
        let extremes = [[X_MAX; 2], [-X_MAX; 2], [X_MAX, -X_MAX], [255; 2], [-128; 2], [127; 2]];
        let largest = [*all.iter().max_by_key(|q| operand(values, **q)).unwrap()];
        for case in 0..100 {
            let x: [[i16; COLS]; TOKEN_PAIR] = from_fn(|_| match extremes.get(case) {
                Some(x) => from_fn(|i| x[i % 2]),
                None => from_fn(|_| i16::try_from(rng.below(65025).cast_signed() - 32512).unwrap()),
            });
            let mut beside = Group::<TOKEN_PAIR>::default();
            x.iter().enumerate().for_each(|(t, x)| beside.put::<D>(t, integers::<D::V>(x)));
            let mut second = Group::<1>::default();
            second.put::<D>(0, integers::<D::V>(&x[1]));
            let all = if case < extremes.len() { &largest[..] } else { &all };
            let both = [weights(&mut rng, all), weights(&mut rng, all)];
            let blocks = both.map(|q| W::pack(&q));
            let both = both.map(|rows| rows.map(|row| row.map(|q| operand(values, q))));
            let mut panel = vec![PanelLane::default(); panel_len::<D, W>()];
            blocks[0].unpack::<D>(&tables, &mut panel);
            for (t, dots) in dot_panel::<D, W, 2, TOKEN_PAIR>(&panel, &beside).into_iter().enumerate() {
                check_rows::<D, 2>(dots, &both[0], &x[t]);
            }
            for (t, dots) in dot_panel::<D, W, 1, TOKEN_PAIR>(&panel, &beside).into_iter().enumerate() {
                check_rows::<D, 1>(dots, &both[0], &x[t]);
            }
            for (q, dots) in both.iter().zip(W::dot::<D, 2, 2>(blocks.each_ref(), &tables, &second)) {
                check_rows::<D, 2>(dots, q, &x[1]);
            }
            for (q, dots) in both.iter().zip(W::dot::<D, 1, 2>(blocks.each_ref(), &tables, &second)) {
                check_rows::<D, 1>(dots, q, &x[1]);
            }
        }
    }

    /// Sums over all columns, or over halves, are those of the weights `q` and the activations `x`.
    fn check_rows<D: Dot, const N: usize>(dots: Dots<D, N>, q: &[[i16; COLS]; ROWS], x: &[i16; COLS]) {
        for (word, sums) in dots.into_iter().enumerate() {
            for (n, sums) in sums.into_iter().enumerate() {
                let dot = |row: usize| {
                    let cols = n * COLS / N..(n + 1) * COLS / N;
                    cols.map(|i| i32::from(q[row][i]) * i32::from(x[i])).sum::<i32>()
                };
                assert_eq!(lanes::<D::V>(sums), from_fn(|lane| dot(LANES * word + lane)));
            }
        }
    }

    /// One of `all` in every place.
    fn weights(rng: &mut Rng, all: &[u8]) -> [[u8; COLS]; ROWS] {
        from_fn(|_| from_fn(|_| all[rng.below(all.len())]))
    }

    /// Integers of so many bits.
    fn bits(bits: u32) -> Values {
        Values::Linear { bits, zero: 0 }
    }

    /// Tables that formats have.
    fn tables() -> impl Iterator<Item = Values> {
        Codec::ALL.iter().filter_map(|codec| match codec.format() {
            Format::Quantized(Quantized { values: values @ Values::Table16(_), .. }) => Some(values),
            Format::F32 | Format::F16 | Format::BF16 | Format::Quantized(_) => None,
        })
    }

    /// All integers that are unpacked.
    fn of(values: Values) -> Vec<u8> {
        values.integers().collect()
    }

    /// What is multiplied where `q` was unpacked: the machine's operands are not negative.
    fn operand(values: Values, q: u8) -> i16 {
        match values {
            Values::Linear { .. } => q.into(),
            Values::Table16(_) => values.value(q) + 128,
        }
    }

    /// The integers, by fours.
    fn integers<V: Vector>(x: &[i16; COLS]) -> [V::I; COLS / 4] {
        from_fn(|i| {
            let bytes: [[u8; 4]; 4] = from_fn(|n| i32::from(x[4 * i + n]).to_le_bytes());
            V::load_bytes(bytes.as_flattened().try_into().unwrap())
        })
    }

    fn lanes<V: Vector>(x: V::I) -> [i32; 4] {
        let mut lanes = [0.0; 4];
        V::store(V::from_bits(x), &mut lanes);
        lanes.map(|lane| lane.to_bits().cast_signed())
    }

    fn check_all<D: Dot>() {
        check_dots::<D, U4>(bits(4));
        check_dots::<D, U5>(bits(5));
        check_dots::<D, U6>(bits(6));
        check_dots::<D, U8>(bits(8));
        tables().for_each(check_dots::<D, Codebook4>);
    }

    #[test]
    fn packing_loses_nothing() {
        check_packing::<U4>(bits(4));
        check_packing::<U5>(bits(5));
        check_packing::<U6>(bits(6));
        check_packing::<U8>(bits(8));
        tables().for_each(check_packing::<Codebook4>);
    }

    #[test]
    fn dots_are_exact() {
        check_all::<DotI16x2<Plain>>();
        check_all::<DotI8x4<Plain, false>>();
        check_all::<DotI8x4<Plain, true>>();
        check_all::<DotI16x2<NativeSimd>>();
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    #[test]
    fn relaxed_dots_are_exact() {
        use super::super::vector::{Reading, reading_of_dots};
        check_all::<DotI8x4<NativeSimd, false>>();
        if reading_of_dots::<NativeSimd>() == Some(Reading::Unsigned) {
            check_all::<DotI8x4<NativeSimd, true>>();
        }
    }
}
