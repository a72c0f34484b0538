//! Nibbles that are places in IQ4's table.

use super::super::activations::Group;
use super::super::dot::{Dot, Ints, Part, Weights};
use super::super::vector::Vector;
use super::{COLS, Dots, Nibbles, ROWS, Words, dot_planes, unpack_planes};
use crate::quant::{CODEBOOK, place_in_codebook};

/// 0 … 255, but only what stands in [`VALUES`].
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Codes(Nibbles);

/// The table plus 128.
pub(super) const VALUES: [u8; 16] = values(0xff, 0);
/// The same, modulo 16.
const LOW: [u8; 16] = values(0x0f, 0);
/// The same, divided by 16.
const HIGH: [u8; 16] = values(0xff, 4);

const fn values(mask: u8, shift: u32) -> [u8; 16] {
    let mut values = [0; 16];
    let mut place = 0;
    while place < values.len() {
        values[place] = (CODEBOOK[place].cast_unsigned() ^ 128) >> shift & mask;
        place += 1;
    }
    values
}

impl Words for Codes {
    fn pack(q: &[[u8; COLS]; ROWS]) -> Self {
        Self(Nibbles::pack(&q.map(|row| row.map(place_in_codebook))))
    }

    fn get(&self, row: usize, col: usize) -> u8 {
        VALUES[usize::from(self.0.get(row, col))]
    }

    #[inline(always)]
    fn dot<D: Dot, const N: usize, const P: usize>(blocks: [&Self; P], x: &Group<1>) -> [Dots<D, N>; P] {
        let planes = [&LOW, &HIGH].map(|table| blocks.map(|block| Looked(&block.0, table)));
        dot_planes::<D, _, _, _, N, P>(blocks, &planes[0], &planes[1], x)
    }

    fn has_high_plane<D: Dot>() -> bool {
        !D::TAKES_BYTES
    }

    #[inline(always)]
    fn unpack<D: Dot>(&self, panel: &mut [Part]) {
        unpack_planes::<D>(self, &Looked(&self.0, &LOW), &Looked(&self.0, &HIGH), panel);
    }
}

impl Weights for Codes {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        let (table, nibbles) = (D::V::load_bytes(&VALUES), D::V::splat_int(0x0f0f_0f0f));
        D::bytes::<J>(self.0.halves::<D, K>().map(|both| {
            let places = if word == 0 { both } else { D::V::shift(both, -4) };
            D::V::look_up(table, D::V::and(places, nibbles))
        }))
    }
}

/// What stands in a table of numbers below 128, where a part is bytes.
struct Looked<'a>(&'a Nibbles, &'a [u8; 16]);

impl Weights for Looked<'_> {
    #[inline(always)]
    fn part<D: Dot, const K: usize, const J: usize>(&self, word: usize) -> Ints<D> {
        D::V::look_up(D::V::load_bytes(self.1), self.0.part::<D, K, J>(word))
    }
}
