//! Which of the ways to multiply a model uses: tried out once, on the device itself.

use super::activations::Activations;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use super::dot::Quads;
use super::dot::{Dot, Pairs};
use super::matrix::{self, Input, Matrix};
use super::pool::Pool;
use super::vector::Best;
use crate::dtype::DType;
use std::sync::OnceLock;

/// What depends on the way to multiply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels {
    /// See [`matrix::new`].
    pub(super) matrix: fn(DType, usize, usize) -> Box<dyn Matrix>,
    /// See [`Activations::quantize`].
    pub(super) quantize: fn(&mut Activations, &Pool, &[f32], usize),
}

/// The matrix that is tried, and how many tokens it is multiplied by.
const ROWS: usize = 64;
const COLS: usize = 512;
const TOKENS: usize = 4;

/// Products that are timed together: browsers give the time in steps of 0.1 ms.
const PRODUCTS: usize = 20;

/// How long it is tried: a browser compiles what runs for the first time quickly, and once more, properly, in the
/// background.
const TRIAL_SECS: f64 = 0.15;

/// If the clock stands still.
const TRIALS_MAX: usize = 500;

impl Kernels {
    fn new<D: Dot>() -> Self {
        Self { matrix: matrix::new::<D>, quantize: Activations::quantize::<D> }
    }

    /// All that this build has.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    fn all() -> Vec<Self> {
        vec![Self::new::<Pairs<Best>>(), Self::new::<Quads<Best>>()]
    }

    /// All that this build has.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
    fn all() -> Vec<Self> {
        vec![Self::new::<Pairs<Best>>()]
    }

    /// The fastest ones; `clock` gives seconds.
    pub(super) fn fastest(clock: fn() -> f64) -> Self {
        static FASTEST: OnceLock<Kernels> = OnceLock::new();
        *FASTEST.get_or_init(|| {
            let mut trials: Vec<Trial> = Self::all().into_iter().map(Trial::new).collect();
            if let [only] = &trials[..] {
                return only.kernels;
            }
            let start = clock();
            for _ in 0..TRIALS_MAX {
                trials.iter_mut().for_each(|trial| trial.run(clock));
                if clock() - start > TRIAL_SECS {
                    break;
                }
            }
            trials.sort_by(|a, b| a.best_secs.total_cmp(&b.best_secs));
            trials[0].kernels
        })
    }
}

/// One way to multiply, being tried.
struct Trial {
    kernels: Kernels,
    matrix: Box<dyn Matrix>,
    activations: Activations,
    best_secs: f64,
}

impl Trial {
    fn new(kernels: Kernels) -> Self {
        let mut matrix = (kernels.matrix)(DType::Q4_0, ROWS, COLS);
        let bytes = DType::Q4_0.row_bytes(COLS).expect("whole blocks") * ROWS;
        matrix.put(0, &vec![0; bytes]);
        let mut activations = Activations::default();
        (kernels.quantize)(&mut activations, &Pool::alone(), &[1.0; TOKENS * COLS], COLS);
        Self { kernels, matrix, activations, best_secs: f64::INFINITY }
    }

    fn run(&mut self, clock: fn() -> f64) {
        let (pool, mut dst) = (Pool::alone(), [0.0; TOKENS * ROWS]);
        let input = Input { floats: &[], integers: &self.activations };
        let start = clock();
        for _ in 0..PRODUCTS {
            pool.columns(&mut dst, ROWS, matrix::ROWS, |columns| self.matrix.matmul(&input, columns));
        }
        self.best_secs = self.best_secs.min(clock() - start);
    }
}
