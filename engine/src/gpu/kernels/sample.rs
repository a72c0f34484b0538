//! Drawing the next token on the device: penalties, candidates, draw.

use super::{Grid, Kernel, Resource, Target, When, number, source};

/// Candidates that a draw from few can choose from; also in `shaders/sample/settings.wgsl`.
pub const CANDIDATES: usize = 64;
/// Tokens that penalties can look at: as many as a workgroup has invocations.
pub const RECENT: usize = 256;
/// Logits of a slice; also in `shaders/sample/settings.wgsl`.
const SLICE: usize = 4096;

/// Slices of a vocabulary.
pub fn slices(n_vocab: usize) -> usize {
    n_vocab.div_ceil(SLICE)
}

/// The kernels that draw a token from the first row of logits; none if there are no logits.
pub fn sample(target: &Target<'_>) -> Vec<Kernel> {
    let Some(logits) = target.plan.logits else { return Vec::new() };
    let n_vocab = target.plan.width(logits);
    let settings = (0, Resource::Settings);
    let of_vocabulary = vec![("N_VOCAB", number(n_vocab))];
    vec![
        Kernel {
            name: "penalize",
            source: vec![source::SETTINGS, source::PENALIZE],
            bindings: vec![settings, (1, Resource::Drawn), (2, target.write(logits))],
            constants: of_vocabulary.clone(),
            grid: Grid::Groups(1),
            when: When::Penalties,
        },
        Kernel {
            name: "candidates",
            source: vec![source::SETTINGS, source::SELECT, source::GATHER, source::CANDIDATES],
            bindings: vec![settings, (1, target.read(logits)), (2, Resource::FindCandidates)],
            constants: of_vocabulary.clone(),
            grid: Grid::Groups(slices(n_vocab)),
            when: When::FromFew,
        },
        draw(Kernel {
            name: "draw",
            source: vec![source::GATHER, source::DRAW],
            bindings: vec![(1, Resource::Candidates)],
            constants: vec![("N_CANDIDATES", number(slices(n_vocab) * CANDIDATES))],
            grid: Grid::Groups(1),
            when: When::FromFew,
        }),
        draw(Kernel {
            name: "draw_all",
            source: vec![source::DRAW_ALL],
            bindings: vec![(1, target.read(logits))],
            constants: of_vocabulary,
            grid: Grid::Groups(1),
            when: When::FromAll,
        }),
    ]
}

/// Adds what every draw is linked with.
fn draw(kernel: Kernel) -> Kernel {
    let draws = [(0, Resource::Settings), (2, Resource::Draw), (3, Resource::Advance), (4, Resource::Chances)];
    Kernel {
        source: [vec![source::SETTINGS, source::SELECT, source::ADVANCE], kernel.source].concat(),
        bindings: [&draws[..], &kernel.bindings].concat(),
        ..kernel
    }
}
