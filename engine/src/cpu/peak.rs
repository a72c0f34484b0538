//! What no kernel can exceed.

use super::vector::{NativeSimd, Vector, sum_int};
use std::hint::black_box;

/// Where sums begin that do not wait for each other: enough of them to keep every unit busy, and few enough for the registers;
/// unlike each other, or a compiler could do the work of one for all.
const STARTS: [i32; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const ROUNDS: usize = 1 << 21;

/// Products of halfwords that [`multiply`] does.
pub(super) const N_PRODUCTS: usize = 8 * STARTS.len() * ROUNDS;

/// Multiplies and sums up as fast as this core can now, with nothing to load or to store. A core whose units are shared with
/// somebody else's thread takes longer, at the same number of cycles a second.
pub(super) fn multiply() {
    let one = black_box(NativeSimd::splat_int(0x0001_0001));
    let mut sums = black_box(STARTS).map(NativeSimd::splat_int);
    for _ in 0..ROUNDS {
        sums = sums.map(|sum| NativeSimd::add_int(sum, NativeSimd::dot_pairs(sum, one)));
    }
    black_box(sums.map(sum_int::<NativeSimd>));
}
