//! Which of the ways to multiply a model uses: tried out once, on the device itself.

use super::activations::Activations;
use super::dot::{Dot, Pairs};
use super::matrix::{self, Matrix};
use super::pool::Pool;
use super::vector::Best;
use crate::dtype::DType;

/// What depends on the way to multiply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels {
    /// See [`matrix::new`].
    pub(super) matrix: fn(DType, usize, usize) -> Box<dyn Matrix>,
    /// See [`Activations::quantize`].
    pub(super) quantize: fn(&mut Activations, &Pool, &[f32], usize),
}

impl Kernels {
    fn new<D: Dot>() -> Self {
        Self { matrix: matrix::new::<D>, quantize: Activations::quantize::<D> }
    }

    /// The only ones of this build.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
    pub(super) fn fastest(_clock: fn() -> f64) -> Self {
        Self::new::<Pairs<Best>>()
    }

    /// The faster ones; `clock` gives seconds.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    pub(super) fn fastest(clock: fn() -> f64) -> Self {
        use super::dot::Quads;
        use std::sync::OnceLock;

        static PAIRS_ARE_FASTER: OnceLock<bool> = OnceLock::new();
        match PAIRS_ARE_FASTER.get_or_init(|| trial::is_faster::<Pairs<Best>, Quads<Best>>(clock)) {
            true => Self::new::<Pairs<Best>>(),
            false => Self::new::<Quads<Best>>(),
        }
    }
}

/// A race between two ways to multiply.
///
/// What runs is the inner loop alone. A browser compiles what is new quickly, and once more, properly, in the background
/// when it has run for a while; a large function would still be waiting for that when the race is over.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod trial {
    use super::super::dot::{Arranged, Dot, GROUP, Part};
    use super::super::vector::Vector;
    use std::hint::black_box;

    /// Laps that are timed together: browsers give the time in steps of 0.1 ms.
    const LAPS: usize = 2000;
    /// The race is over when nobody has become faster for so long,
    const CALM_SECS: f64 = 0.05;
    /// or when so many rounds have been run: the clock may stand still.
    const ROUNDS_MAX: usize = 1000;
    /// Less is not faster.
    const GAIN: f64 = 0.97;

    /// Whether `A` is at least as fast as `B`.
    pub(super) fn is_faster<A: Dot, B: Dot>(clock: fn() -> f64) -> bool {
        let mut best_secs = [f64::INFINITY; 2];
        let mut changed = clock();
        for _ in 0..ROUNDS_MAX {
            let times = [time(run::<A>, clock), time(run::<B>, clock)];
            for (best, secs) in best_secs.iter_mut().zip(times) {
                if secs < *best * GAIN {
                    (*best, changed) = (secs, clock());
                }
            }
            if clock() - changed > CALM_SECS {
                break;
            }
        }
        best_secs[0] <= best_secs[1]
    }

    fn time(run: fn(&[Part], &Arranged) -> i32, clock: fn() -> f64) -> f64 {
        let (panel, x) = (black_box([Part::default(); 4 * PARTS_MAX]), black_box([[1; 4]; GROUP / 2]));
        let start = clock();
        for _ in 0..LAPS {
            black_box(run(&panel, &x));
        }
        clock() - start
    }

    /// Parts of a word, at most.
    const PARTS_MAX: usize = 4;

    /// A block of weights × four tokens.
    #[inline(never)]
    fn run<D: Dot>(panel: &[Part], x: &Arranged) -> i32 {
        let tile = D::panel::<4>(&panel[..4 * D::PARTS], [x; 4].map(|x| x.as_slice()));
        let sums = tile.iter().flatten().map(|sums| D::total(*sums));
        let total = sums.fold(D::V::splat_int(0), |a, b| D::V::add_int(a, b));
        let mut lanes = [0.0; 4];
        D::V::store(D::V::from_bits(total), &mut lanes);
        lanes[0].to_bits().cast_signed()
    }
}
