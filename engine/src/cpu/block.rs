//! The packed weight block: 4 rows × 32 columns of integers, and their scales.
//!
//! A file's blocks run along a row. Here four rows are interleaved so that one load of four activations serves all of
//! them, and the four sums come out in the four lanes of a vector, without a horizontal addition.
//!
//! Nibbles, word k of 4 (16 bytes; byte 4r + c holds row r):
//!
//! ```text
//! low nibble: column 4k + c     high nibble: column 16 + 4k + c
//! ```
//!
//! Types of more than 4 bits add planes of high bits in the same order; 8-bit types are two nibble planes.

use super::activations::Group;
use super::vector::{GROUP, Vector};

/// Rows of a block.
pub(super) const ROWS: usize = 4;
/// Columns of a block.
pub(super) const COLS: usize = GROUP;

/// The integers of a block.
pub(super) trait Words: Copy + Sized {
    /// Packs 4 rows × 32 columns.
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self;

    /// The integer of one row and column.
    fn get(&self, row: usize, col: usize) -> u8;

    /// For each row, starts + Σ w · x over all columns (N = 1), or over the first sixteen and over the second (N = 2).
    fn dot<V: Vector, const N: usize>(&self, x: &Group<V>, starts: [V::I; N]) -> [V::I; N];
}

/// 0 … 15: one nibble plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nibbles([[u8; 16]; 4]);

/// 0 … 31: nibbles and a plane of fifth bits. Bit n of byte 4r + c is that of nibble n = 2k + (0 low, 1 high).
#[derive(Debug, Clone, Copy)]
pub(super) struct Fives(Nibbles, [u8; 16]);

/// 0 … 63: nibbles and two planes of two more bits. Bits 2n, 2n + 1 of plane p are those of nibble 4p + n.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sixes(Nibbles, [[u8; 16]; 2]);

/// 0 … 255: a low and a high nibble plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes {
    low: Nibbles,
    high: Nibbles,
}

/// Row, column → (word, byte, nibble 0 or 1).
fn place(row: usize, col: usize) -> (usize, usize, usize) {
    (col % 16 / 4, 4 * row + col % 4, col / 16)
}

/// Every row and column of a block.
fn cells() -> impl Iterator<Item = (usize, usize)> {
    (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col)))
}

/// The low and the high nibbles of a word.
#[inline(always)]
fn nibbles<V: Vector>(word: &[u8; 16]) -> (V::B, V::B) {
    let (word, mask) = (V::load_bytes(word), V::splat_byte(0x0f));
    (V::and(word, mask), V::and(V::shift_right::<4>(word), mask))
}

/// starts + Σ w · x, where `word(k)` gives columns 4k … 4k + 3 and 16 + 4k … of every row.
#[inline(always)]
fn dot_words<V: Vector, const N: usize>(
    x: &Group<V>,
    starts: [V::I; N],
    word: impl Fn(usize) -> (V::B, V::B),
) -> [V::I; N] {
    let mut sums = starts.map(V::sums);
    for k in 0..4 {
        let (low, high) = word(k);
        sums[0] = V::dot(sums[0], low, V::quad(&x.q, k));
        sums[N - 1] = V::dot(sums[N - 1], high, V::quad(&x.q, 4 + k));
    }
    sums.map(V::total)
}

impl Words for Nibbles {
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut words = [[0; 16]; 4];
        for (row, col) in cells() {
            let (word, byte, nibble) = place(row, col);
            words[word][byte] |= (q[row][col] & 0x0f) << (4 * nibble);
        }
        Self(words)
    }

    fn get(&self, row: usize, col: usize) -> u8 {
        let (word, byte, nibble) = place(row, col);
        self.0[word][byte] >> (4 * nibble) & 0x0f
    }

    #[inline(always)]
    fn dot<V: Vector, const N: usize>(&self, x: &Group<V>, starts: [V::I; N]) -> [V::I; N] {
        dot_words::<V, N>(x, starts, |k| nibbles::<V>(&self.0[k]))
    }
}

impl Words for Fives {
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut high = [0; 16];
        for (row, col) in cells() {
            let (word, byte, nibble) = place(row, col);
            high[byte] |= (q[row][col] >> 4 & 1) << (2 * word + nibble);
        }
        Self(Nibbles::pack(q), high)
    }

    fn get(&self, row: usize, col: usize) -> u8 {
        let (word, byte, nibble) = place(row, col);
        self.0.get(row, col) | (self.1[byte] >> (2 * word + nibble) & 1) << 4
    }

    #[inline(always)]
    fn dot<V: Vector, const N: usize>(&self, x: &Group<V>, starts: [V::I; N]) -> [V::I; N] {
        let (fifth, mask) = (V::load_bytes(&self.1), V::splat_byte(0x10));
        let fifths = [
            (V::shift_left::<4>(fifth), V::shift_left::<3>(fifth)),
            (V::shift_left::<2>(fifth), V::shift_left::<1>(fifth)),
            (fifth, V::shift_right::<1>(fifth)),
            (V::shift_right::<2>(fifth), V::shift_right::<3>(fifth)),
        ];
        dot_words::<V, N>(x, starts, |k| {
            let (low, high) = nibbles::<V>(&self.0.0[k]);
            (V::or(low, V::and(fifths[k].0, mask)), V::or(high, V::and(fifths[k].1, mask)))
        })
    }
}

impl Words for Sixes {
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        let mut planes = [[0; 16]; 2];
        for (row, col) in cells() {
            let (word, byte, nibble) = place(row, col);
            planes[word / 2][byte] |= (q[row][col] >> 4 & 3) << (4 * (word % 2) + 2 * nibble);
        }
        Self(Nibbles::pack(q), planes)
    }

    fn get(&self, row: usize, col: usize) -> u8 {
        let (word, byte, nibble) = place(row, col);
        self.0.get(row, col) | (self.1[word / 2][byte] >> (4 * (word % 2) + 2 * nibble) & 3) << 4
    }

    #[inline(always)]
    fn dot<V: Vector, const N: usize>(&self, x: &Group<V>, starts: [V::I; N]) -> [V::I; N] {
        let mask = V::splat_byte(0x30);
        let plane = |p: usize| V::load_bytes(&self.1[p]);
        let tops = [
            (V::shift_left::<4>(plane(0)), V::shift_left::<2>(plane(0))),
            (plane(0), V::shift_right::<2>(plane(0))),
            (V::shift_left::<4>(plane(1)), V::shift_left::<2>(plane(1))),
            (plane(1), V::shift_right::<2>(plane(1))),
        ];
        dot_words::<V, N>(x, starts, |k| {
            let (low, high) = nibbles::<V>(&self.0.0[k]);
            (V::or(low, V::and(tops[k].0, mask)), V::or(high, V::and(tops[k].1, mask)))
        })
    }
}

impl Words for Bytes {
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        Self { low: Nibbles::pack(q), high: Nibbles::pack(&q.map(|row| row.map(|q| q >> 4))) }
    }

    fn get(&self, row: usize, col: usize) -> u8 {
        self.low.get(row, col) | self.high.get(row, col) << 4
    }

    #[inline(always)]
    fn dot<V: Vector, const N: usize>(&self, x: &Group<V>, starts: [V::I; N]) -> [V::I; N] {
        if V::TAKES_BYTES {
            return dot_words::<V, N>(x, starts, |k| {
                let (low, high) = (nibbles::<V>(&self.low.0[k]), nibbles::<V>(&self.high.0[k]));
                let byte = |low, high| V::or(low, V::shift_left::<4>(high));
                (byte(low.0, high.0), byte(low.1, high.1))
            });
        }
        let low = self.low.dot::<V, N>(x, starts);
        let high = self.high.dot::<V, N>(x, [V::splat_int(0); N]);
        std::array::from_fn(|i| V::add_int(low[i], V::shift_left_int::<4>(high[i])))
    }
}

/// A scale as it is stored.
pub(super) trait Number: Copy + Default {
    /// The nearest of these to `x`.
    fn new(x: f32) -> Self;
    /// Its value.
    fn value(self) -> f32;
    /// Four of them.
    fn load<V: Vector>(x: &[Self; 4]) -> V::F;
}

impl Number for f32 {
    fn new(x: f32) -> Self {
        x
    }
    fn value(self) -> f32 {
        self
    }
    #[inline(always)]
    fn load<V: Vector>(x: &[Self; 4]) -> V::F {
        V::load(x)
    }
}

/// The bits of a half.
#[derive(Debug, Clone, Copy, Default)]
#[repr(transparent)]
pub(super) struct Half(u16);

impl Number for Half {
    fn new(x: f32) -> Self {
        Self(half::f16::from_f32(x).to_bits())
    }
    fn value(self) -> f32 {
        half::f16::from_bits(self.0).to_f32()
    }
    #[inline(always)]
    fn load<V: Vector>(x: &[Self; 4]) -> V::F {
        V::mul(V::load_4_halves(&x.map(|h| h.0)), V::splat(super::vector::HALF_SCALE))
    }
}

/// The scales of a block, N for 32 columns: how integer sums become floats.
pub(super) trait Scales<const N: usize>: Copy + Sized {
    /// From the scale and the offset of each row's first group and second group (the same if there is one).
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self;

    /// Scale and offset of one row and column.
    fn get(&self, row: usize, col: usize) -> (f32, f32);

    /// Where the integer sums start, so that Σ (w − zero) · x is what comes out.
    fn starts<V: Vector>(x: &Group<V>, zero: i32) -> [V::I; N];

    /// sum + what the block adds to each row.
    fn add<V: Vector>(&self, sum: V::F, dots: [V::I; N], x: &Group<V>) -> V::F;
}

/// w = scale · (q − zero), one scale for 32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<T>([T; ROWS]);

/// w = scale · (q − zero), one scale for 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale16<T>([[T; ROWS]; 2]);

/// w = scale · q + offset, for 32.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleOffset<T> {
    scale: [T; ROWS],
    offset: [T; ROWS],
}

/// w = scale · q + offset, for 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleOffset16<T> {
    scale: [[T; ROWS]; 2],
    offset: [[T; ROWS]; 2],
}

fn group<T: Number>(values: [[f32; 2]; ROWS], group: usize) -> [T; ROWS] {
    values.map(|row| T::new(row[group]))
}

impl<T: Number> Scales<1> for Scale<T> {
    fn pack(scale: [[f32; 2]; ROWS], _: [[f32; 2]; ROWS]) -> Self {
        Self(group(scale, 0))
    }
    fn get(&self, row: usize, _: usize) -> (f32, f32) {
        (self.0[row].value(), 0.0)
    }
    #[inline(always)]
    fn starts<V: Vector>(x: &Group<V>, zero: i32) -> [V::I; 1] {
        [V::splat_int(-zero * (x.sums[0] + x.sums[1]))]
    }
    #[inline(always)]
    fn add<V: Vector>(&self, sum: V::F, dots: [V::I; 1], x: &Group<V>) -> V::F {
        let dot = V::to_float(dots[0]);
        V::mul_add(V::mul(T::load::<V>(&self.0), V::splat(x.scale)), dot, sum)
    }
}

impl<T: Number> Scales<2> for Scale16<T> {
    fn pack(scale: [[f32; 2]; ROWS], _: [[f32; 2]; ROWS]) -> Self {
        Self([group(scale, 0), group(scale, 1)])
    }
    fn get(&self, row: usize, col: usize) -> (f32, f32) {
        (self.0[col / 16][row].value(), 0.0)
    }
    #[inline(always)]
    fn starts<V: Vector>(x: &Group<V>, zero: i32) -> [V::I; 2] {
        x.sums.map(|sum| V::splat_int(-zero * sum))
    }
    #[inline(always)]
    fn add<V: Vector>(&self, sum: V::F, dots: [V::I; 2], x: &Group<V>) -> V::F {
        let first = V::mul(T::load::<V>(&self.0[0]), V::to_float(dots[0]));
        let both = V::mul_add(T::load::<V>(&self.0[1]), V::to_float(dots[1]), first);
        V::mul_add(both, V::splat(x.scale), sum)
    }
}

impl<T: Number> Scales<1> for ScaleOffset<T> {
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self {
        Self { scale: group(scale, 0), offset: group(offset, 0) }
    }
    fn get(&self, row: usize, _: usize) -> (f32, f32) {
        (self.scale[row].value(), self.offset[row].value())
    }
    #[inline(always)]
    fn starts<V: Vector>(_: &Group<V>, _: i32) -> [V::I; 1] {
        [V::splat_int(0)]
    }
    #[inline(always)]
    fn add<V: Vector>(&self, sum: V::F, dots: [V::I; 1], x: &Group<V>) -> V::F {
        let dot = V::to_float(dots[0]);
        let total = V::splat((x.sums[0] + x.sums[1]) as f32);
        let offsets = V::mul(T::load::<V>(&self.offset), total);
        V::mul_add(V::mul_add(T::load::<V>(&self.scale), dot, offsets), V::splat(x.scale), sum)
    }
}

impl<T: Number> Scales<2> for ScaleOffset16<T> {
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self {
        Self { scale: [group(scale, 0), group(scale, 1)], offset: [group(offset, 0), group(offset, 1)] }
    }
    fn get(&self, row: usize, col: usize) -> (f32, f32) {
        (self.scale[col / 16][row].value(), self.offset[col / 16][row].value())
    }
    #[inline(always)]
    fn starts<V: Vector>(_: &Group<V>, _: i32) -> [V::I; 2] {
        [V::splat_int(0); 2]
    }
    #[inline(always)]
    fn add<V: Vector>(&self, sum: V::F, dots: [V::I; 2], x: &Group<V>) -> V::F {
        let mut both = V::splat(0.0);
        for (g, dot) in dots.into_iter().enumerate() {
            both = V::mul_add(T::load::<V>(&self.scale[g]), V::to_float(dot), both);
            both = V::mul_add(T::load::<V>(&self.offset[g]), V::splat(x.sums[g] as f32), both);
        }
        V::mul_add(both, V::splat(x.scale), sum)
    }
}

/// 4 rows × 32 columns of one weight matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<W, S> {
    pub(super) words: W,
    pub(super) scales: S,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::vector::{Best, plain::Plain};
    use crate::rng::Rng;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What is packed comes out again, and every dot product is Σ q · x exactly, in vectors and in plain loops.
    fn check<W: Words>(bits: u32) {
        let mut rng = Rng::new(u64::from(bits));
        for _ in 0..100 {
            let q: [[u8; COLS]; ROWS] =
                std::array::from_fn(|_| std::array::from_fn(|_| u8::try_from(rng.below(1 << bits)).unwrap()));
            let x: [i16; COLS] =
                std::array::from_fn(|_| i16::try_from(rng.below(65025).cast_signed() - 32512).unwrap());
            let words = W::pack(&q);
            assert!(cells().all(|(row, col)| words.get(row, col) == q[row][col]));
            let dot = |row: usize, cols: std::ops::Range<usize>| {
                cols.map(|i| i32::from(q[row][i]) * i32::from(x[i])).sum::<i32>() + 7
            };
            let (plain, best) = (Group::of(&x, 1.0), Group::of(&x, 1.0));
            let halves = [0, 16].map(|first| std::array::from_fn(|row| dot(row, first..first + 16)));
            let whole = std::array::from_fn(|row| dot(row, 0..32));
            assert_eq!(words.dot::<Plain, 2>(&plain, [[7; 4]; 2]), halves);
            assert_eq!(words.dot::<Plain, 1>(&plain, [[7; 4]]), [whole]);
            assert_eq!(words.dot::<Best, 2>(&best, [Best::splat_int(7); 2]).map(integers), halves);
            assert_eq!(words.dot::<Best, 1>(&best, [Best::splat_int(7)]).map(integers), [whole]);
        }
    }

    /// The lanes.
    fn integers(x: <Best as Vector>::I) -> [i32; 4] {
        let mut lanes = [0.0; 4];
        Best::store(Best::from_bits(x), &mut lanes);
        lanes.map(|lane| lane.to_bits().cast_signed())
    }

    #[test]
    fn dots_are_exact() {
        check::<Nibbles>(4);
        check::<Fives>(5);
        check::<Sixes>(6);
        check::<Bytes>(8);
    }

    #[test]
    fn halves_are_exact() {
        for bits in (0..=u16::MAX).filter(|bits| half::f16::from_bits(*bits).is_finite()) {
            let mut floats = [0.0; 4];
            Best::store(Half::load::<Best>(&[Half(bits); 4]), &mut floats);
            assert_eq!(floats, [Half(bits).value(); 4]);
        }
    }
}
