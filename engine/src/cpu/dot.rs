//! How integers are multiplied and summed: the inside of every quantised matrix product.
//!
//! Weights come as vectors of 16 bytes, which hold four rows of a few columns, one row in each 32-bit lane; four rows'
//! sums stay in the four lanes, so no sum is ever taken across a vector. Activations are 16-bit integers, and a kernel
//! repeats a few of them in all four lanes. Two ways to do that, and which is faster depends on the processor
//! ([`Kernels`](super::kernels::Kernels)):
//!
//! * [`DotI16x2`]: weights are widened to halfwords; one instruction multiplies two columns of four rows.
//! * [`DotI8x4`]: activations are cut into an upper and a lower byte; one instruction (of relaxed SIMD) multiplies four
//!   columns of four rows by one of them.
//!
//! Both give the same integers, from the same weights in memory.
//!
//! What follows without a branch, compilers order row by row, and then too many weights or activations are alive at once for
//! the registers of a machine. So work is cut into steps by branches that are never taken: they compare with a number that
//! compilers must not know.

#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
use super::vector::DotQuads;
use super::vector::Vector;
use std::marker::PhantomData;

/// Activations whose integers stand together; columns of a block.
pub(super) const GROUP: usize = 32;

/// A group of activations, in the order in which [`Dot::half`] reads them.
pub(super) type Arranged = [[u8; 4]; GROUP / 2];

/// The same of T tokens, side by side, so that one address serves all of them.
pub(super) type Beside<const T: usize> = [[[u8; 4]; T]; GROUP / 2];

/// Rows of a word.
pub(super) const LANES: usize = 4;

/// Words side by side: 8 rows of a block, so that an activation is loaded once for both.
pub(super) const WORDS: usize = 2;

/// Integers of the machine that `D` is for.
pub(super) type Ints<D> = <<D as Dot>::V as Vector>::I;

/// Sums of P blocks and one token.
pub(super) type Sums<D, const P: usize> = [[<D as Dot>::Sums; WORDS]; P];

/// One part of two words, unpacked. Aligned, so that no load crosses a cache line.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
pub(super) struct PanelLane([[u8; 16]; WORDS]);

/// A way to multiply.
///
/// A prompt's tokens are many, so weights are unpacked once for all of them, part after part into a panel
/// ([`Self::unpack`], [`dot_parts`]); for one token they are unpacked on the way ([`Self::half`]).
pub(super) trait Dot: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// The machine.
    type V: Vector;
    /// Running sums of four rows; or what they are multiplied by, a vector for each of these sums.
    type Sums: Copy;
    /// Parts of a word.
    const PARTS: usize;
    /// Whether weights may be 0 … 255; else 0 … 127.
    const TAKES_BYTES: bool;

    /// Activations of −32512 … 32512, by fours in their order, as [`Self::half`] reads them.
    fn arrange(x: [Ints<Self>; GROUP / 4]) -> Arranged;
    /// No sums yet.
    fn zero() -> Self::Sums;
    /// The four sums.
    fn total(sums: Self::Sums) -> Ints<Self>;

    /// Adds half `H` of word `K` of a block times columns 8K + 4H … 8K + 4H + 3 of a token.
    fn half<W: UnpackLane, const K: usize, const H: usize>(weights: &W, x: &Beside<1>, sums: &mut [Self::Sums; WORDS]);

    /// Unpacks all words of a block.
    #[inline(always)]
    fn unpack<W: UnpackLane>(weights: &W, panel: &mut [PanelLane]) {
        unpack_word::<Self, W, 0>(weights, panel);
        unpack_word::<Self, W, 1>(weights, panel);
        unpack_word::<Self, W, 2>(weights, panel);
        unpack_word::<Self, W, 3>(weights, panel);
    }

    /// A token's activations for a part of those that `x` begins with, repeated for four rows.
    fn repeat<const T: usize>(x: &[[[u8; 4]; T]], part: usize, token: usize) -> Self::Sums;
    /// sums + products of part of a word and activations.
    fn add(weights: Ints<Self>, x: Self::Sums, sums: Self::Sums) -> Self::Sums;

    /// Of the two halves of a word, the bytes of part `J`; only where [`Self::TAKES_BYTES`].
    fn bytes<const J: usize>(halves: [Ints<Self>; 2]) -> Ints<Self>;
    /// Of the two halves of a word, the lower nibbles of part `J`.
    fn low<const J: usize>(halves: [Ints<Self>; 2]) -> Ints<Self>;
    /// Of the two halves of a word, the upper nibbles of part `J`.
    fn high<const J: usize>(halves: [Ints<Self>; 2]) -> Ints<Self>;
    /// Of a word whose nibbles are columns, for the columns of part `J`, so many bits of a nibble from `first` on, times 16.
    fn plane<const J: usize>(word: Ints<Self>, first: usize, n_bits: u32) -> Ints<Self>;
}

/// What a word multiplies.
pub(super) trait UnpackLane {
    /// Part `J` of word `K` of the first or second four rows.
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D>;
}

/// By halfwords. Part J of a word is two columns: 0 and 2, 4 and 6, 1 and 3, 5 and 7.
#[derive(Debug, Clone, Copy)]
pub(super) struct DotI16x2<V>(PhantomData<V>);

impl<V: Vector> Dot for DotI16x2<V> {
    type V = V;
    type Sums = V::I;
    const PARTS: usize = 4;
    const TAKES_BYTES: bool = true;

    #[inline(always)]
    fn arrange(x: [V::I; GROUP / 4]) -> Arranged {
        let mut arranged = [[0; 4]; GROUP / 2];
        for (x, words) in x.as_chunks().0.iter().zip(arranged.as_flattened_mut().as_chunks_mut().0) {
            // 0 2, 4 6, 1 3, 5 7: the parts.
            V::store_bytes(V::deal(V::narrow(*x)), words);
        }
        arranged
    }
    #[inline(always)]
    fn zero() -> V::I {
        V::splat_int(0)
    }
    #[inline(always)]
    fn total(sums: V::I) -> V::I {
        sums
    }
    #[inline(always)]
    fn half<W: UnpackLane, const K: usize, const H: usize>(weights: &W, x: &Beside<1>, sums: &mut [V::I; WORDS]) {
        if H == 0 {
            Self::part::<W, K, 0>(weights, x, sums);
            Self::part::<W, K, 2>(weights, x, sums);
        } else {
            Self::part::<W, K, 1>(weights, x, sums);
            Self::part::<W, K, 3>(weights, x, sums);
        }
    }
    #[inline(always)]
    fn repeat<const T: usize>(x: &[[[u8; 4]; T]], part: usize, token: usize) -> V::I {
        repeat::<V>(x[part][token])
    }
    #[inline(always)]
    fn add(weights: V::I, x: V::I, sum: V::I) -> V::I {
        V::add_int(sum, V::dot_pairs(weights, x))
    }
    #[inline(always)]
    fn bytes<const J: usize>(halves: [V::I; 2]) -> V::I {
        let half = halves[J % 2];
        if J < 2 { V::and(half, splat_halfword::<V>(0xff)) } else { V::shift(half, -8) }
    }
    #[inline(always)]
    fn low<const J: usize>(halves: [V::I; 2]) -> V::I {
        let half = halves[J % 2];
        V::and(if J < 2 { half } else { V::shift(half, -8) }, splat_halfword::<V>(0x0f))
    }
    #[inline(always)]
    fn high<const J: usize>(halves: [V::I; 2]) -> V::I {
        let half = halves[J % 2];
        if J < 2 { V::and(V::shift(half, -4), splat_halfword::<V>(0x0f)) } else { V::shift(half, -12) }
    }
    #[inline(always)]
    fn plane<const J: usize>(word: V::I, first: usize, n_bits: u32) -> V::I {
        V::and(to_bit_4::<V>(word, 8 * (J / 2) + 4 * (J % 2) + first), splat_halfword::<V>(upper_bits(n_bits)))
    }
}

impl<V: Vector> DotI16x2<V> {
    #[inline(always)]
    fn part<W: UnpackLane, const K: usize, const J: usize>(weights: &W, x: &Beside<1>, sums: &mut [V::I; WORDS]) {
        let x = Self::repeat(x, 4 * K + J, 0);
        for (word, sum) in sums.iter_mut().enumerate() {
            *sum = Self::add(weights.part::<Self, K, J>(word), x, *sum);
        }
    }
}

/// By bytes. `UNSIGNED`: the processor reads weights of 128 … 255 as such; else they come as two planes. Part J of a word is
/// four columns: 0 … 3, 4 … 7.
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
#[derive(Debug, Clone, Copy)]
pub(super) struct DotI8x4<V, const UNSIGNED: bool>(PhantomData<V>);

#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
impl<V: DotQuads, const UNSIGNED: bool> Dot for DotI8x4<V, UNSIGNED> {
    type V = V;
    /// Of upper and of lower bytes.
    type Sums = [V::I; 2];
    const PARTS: usize = 2;
    const TAKES_BYTES: bool = UNSIGNED;

    /// Of every 4 columns the upper bytes, then the lower ones.
    #[inline(always)]
    fn arrange(x: [V::I; GROUP / 4]) -> Arranged {
        let mut arranged = [[0; 4]; GROUP / 2];
        let words = arranged.as_flattened_mut().as_chunks_mut().0.as_chunks_mut::<2>().0;
        for (x, words) in x.as_chunks().0.iter().zip(words) {
            let pairs = V::zip(V::split(*x).map(V::from_bits));
            words.iter_mut().zip(pairs).for_each(|(words, pairs)| V::store_bytes(V::to_bits(pairs), words));
        }
        arranged
    }
    #[inline(always)]
    fn zero() -> [V::I; 2] {
        [V::splat_int(0); 2]
    }
    #[inline(always)]
    fn total(sums: [V::I; 2]) -> V::I {
        V::add_int(V::times_256(sums[0]), sums[1])
    }
    #[inline(always)]
    fn half<W: UnpackLane, const K: usize, const H: usize>(weights: &W, x: &Beside<1>, sums: &mut [[V::I; 2]; WORDS]) {
        let x = Self::repeat(x, 2 * K + H, 0);
        for (word, sums) in sums.iter_mut().enumerate() {
            *sums = Self::add(weights.part::<Self, K, H>(word), x, *sums);
        }
    }
    #[inline(always)]
    fn repeat<const T: usize>(x: &[[[u8; 4]; T]], part: usize, token: usize) -> [V::I; 2] {
        [repeat::<V>(x[2 * part][token]), repeat::<V>(x[2 * part + 1][token])]
    }
    #[inline(always)]
    fn add(weights: V::I, x: [V::I; 2], sums: [V::I; 2]) -> [V::I; 2] {
        [V::dot_quads(x[0], weights, sums[0]), V::dot_quads(x[1], weights, sums[1])]
    }
    #[inline(always)]
    fn bytes<const J: usize>(halves: [V::I; 2]) -> V::I {
        halves[J]
    }
    #[inline(always)]
    fn low<const J: usize>(halves: [V::I; 2]) -> V::I {
        V::and(halves[J], splat_byte::<V>(0x0f))
    }
    #[inline(always)]
    fn high<const J: usize>(halves: [V::I; 2]) -> V::I {
        V::and(V::shift(halves[J], -4), splat_byte::<V>(0x0f))
    }
    #[inline(always)]
    fn plane<const J: usize>(word: V::I, first: usize, n_bits: u32) -> V::I {
        V::and(to_bit_4::<V>(word, 4 * J + first), splat_byte::<V>(upper_bits(n_bits)))
    }
}

/// Sums of some parts times the columns that they are of, in total: all parts of a block, or half of them. A part is a step.
///
/// Two tokens' sums are as many as the registers hold, by bytes. Four tokens' upper bytes, and then their lower ones, would be as
/// many, too; but each sum would wait for twice as many others, and that is longer than the products take.
#[inline(always)]
pub(super) fn dot_parts<D: Dot, const T: usize>(panel: &[PanelLane], x: &[[[u8; 4]; T]]) -> [[Ints<D>; WORDS]; T] {
    let mut sums = [[D::zero(); WORDS]; T];
    let n_parts = panel.len();
    let n_parts_unknown = std::hint::black_box(n_parts);
    'steps: {
        macro_rules! step {
            ($i:literal) => {
                add_part::<D, T>(panel, x, $i, &mut sums);
                if n_parts == $i + 1 || n_parts_unknown == $i + 1 {
                    break 'steps;
                }
            };
        }
        step!(0);
        step!(1);
        step!(2);
        step!(3);
        step!(4);
        step!(5);
        step!(6);
        step!(7);
        step!(8);
        step!(9);
        step!(10);
        step!(11);
        step!(12);
        step!(13);
        step!(14);
        step!(15);
    }
    sums.map(|sums| sums.map(D::total))
}

/// Adds a part times its columns of every token.
#[inline(always)]
fn add_part<D: Dot, const T: usize>(
    panel: &[PanelLane],
    x: &[[[u8; 4]; T]],
    part: usize,
    sums: &mut [[D::Sums; WORDS]; T],
) {
    let weights = panel[part].0.each_ref().map(D::V::load_bytes);
    for (token, sums) in sums.iter_mut().enumerate() {
        let x = D::repeat(x, part, token);
        sums.iter_mut().zip(weights).for_each(|(sums, weights)| *sums = D::add(weights, x, *sums));
    }
}

/// Unpacks word `K` into its place in the panel.
#[inline(always)]
fn unpack_word<D: Dot, W: UnpackLane, const K: usize>(weights: &W, panel: &mut [PanelLane]) {
    let mut put = |j: usize, weights: [Ints<D>; WORDS]| {
        let part = &mut panel[K * D::PARTS + j];
        weights.into_iter().zip(&mut part.0).for_each(|(weights, dst)| D::V::store_bytes(weights, dst));
    };
    put(0, std::array::from_fn(|word| weights.part::<D, K, 0>(word)));
    put(1, std::array::from_fn(|word| weights.part::<D, K, 1>(word)));
    if D::PARTS == 4 {
        put(2, std::array::from_fn(|word| weights.part::<D, K, 2>(word)));
        put(3, std::array::from_fn(|word| weights.part::<D, K, 3>(word)));
    }
}

/// The same four bytes four times.
#[inline(always)]
fn repeat<V: Vector>(x: [u8; 4]) -> V::I {
    V::splat_int(i32::from_le_bytes(x))
}

/// Halfwords, moved so that bit `bit` is bit 4.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "of 16 bits")]
fn to_bit_4<V: Vector>(word: V::I, bit: usize) -> V::I {
    V::shift(word, 4 - bit as i32)
}

/// So many bits from bit 4 on.
const fn upper_bits(n: u32) -> u8 {
    ((1 << n) - 1) << 4
}

/// The same halfword eight times.
#[inline(always)]
fn splat_halfword<V: Vector>(x: u8) -> V::I {
    V::splat_int(i32::from(x) << 16 | i32::from(x))
}

/// The same byte sixteen times.
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
#[inline(always)]
fn splat_byte<V: Vector>(x: u8) -> V::I {
    V::splat_int(i32::from_le_bytes([x; 4]))
}
