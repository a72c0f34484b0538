//! Nibbles that choose from sixteen numbers.

use super::super::activations::Group;
use super::super::dot::{Dot, Ints, PanelLane, UnpackLane};
use super::super::vector::Vector;
use super::{COLS, Dots, PackedInts, ROWS, U4, dot_planes, unpack_planes};
use crate::quant::{Table16, Values};

/// 0 … 15, each of which stands for a number of the format's table plus 128.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Codebook4(U4);

/// A format's table plus 128, for machines that multiply bytes of 0 … 255 and for those that need two planes.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Tables {
    whole: [u8; 16],
    /// Modulo 16.
    low: [u8; 16],
    /// Divided by 16.
    high: [u8; 16],
}

impl Tables {
    pub(super) fn new(table: &Table16) -> Self {
        let whole = table.values.map(|value| value.cast_unsigned() ^ 128);
        Self { whole, low: whole.map(|value| value & 15), high: whole.map(|value| value >> 4) }
    }
}

impl PackedInts for Codebook4 {
    type Tables = Tables;

    fn tables(values: Values) -> Tables {
        match values {
            Values::Table16(table) => Tables::new(table),
            Values::Linear { .. } => unreachable!("linear values need no table"),
        }
    }

    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        Self(U4::pack(q))
    }

    fn get(&self, tables: &Tables, row: usize, col: usize) -> u8 {
        tables.whole[usize::from(self.0.get(&(), row, col))]
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(
        blocks: [&Self; P],
        tables: &Tables,
        x: &Group<1>,
    ) -> [Dots<D, N>; P] {
        let whole = blocks.map(|block| LookedUpBytes(&block.0, &tables.whole));
        let planes = [&tables.low, &tables.high].map(|table| blocks.map(|block| LookedUp(&block.0, table)));
        dot_planes::<D, _, _, _, N, P>(whole.each_ref(), &planes[0], &planes[1], x)
    }

    fn has_high_plane<D: Dot>() -> bool {
        !D::TAKES_BYTES
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, tables: &Tables, panel: &mut [PanelLane]) {
        let Tables { whole, low, high } = tables;
        let [low, high] = [low, high].map(|table| LookedUp(&self.0, table));
        unpack_planes::<D>(&LookedUpBytes(&self.0, whole), &low, &high, panel);
    }
}

/// What stands in a table of bytes, looked up before bytes are spread over the lanes of a part.
struct LookedUpBytes<'a>(&'a U4, &'a [u8; 16]);

impl UnpackLane for LookedUpBytes<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let (table, nibbles) = (D::V::load_bytes(self.1), D::V::splat_int(0x0f0f_0f0f));
        D::bytes::<J>(self.0.halves::<D, K>().map(|both| {
            let places = if word == 0 { both } else { D::V::shift(both, -4) };
            D::V::look_up(table, D::V::and(places, nibbles))
        }))
    }
}

/// What stands in a table of numbers below 128, where a part is bytes.
struct LookedUp<'a>(&'a U4, &'a [u8; 16]);

impl UnpackLane for LookedUp<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        D::V::look_up(D::V::load_bytes(self.1), self.0.part::<D, K, J>(word))
    }
}
