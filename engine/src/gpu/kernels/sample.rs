//! Drawing the next token on the device: penalties, candidates, draw.

use super::{Grid, Kernel, Target, When, number, source};
use crate::gpu::buffers::{BufferId, CANDIDATES, slices};

/// The kernels that draw a token from the first row of logits; none if there are no logits.
pub fn sample(target: &Target<'_>) -> Vec<Kernel> {
    let Some(logits) = target.plan.logits else { return Vec::new() };
    let n_vocab = target.plan.width(logits);
    let settings = (0, BufferId::Settings.read());
    let of_vocabulary = vec![("N_VOCAB", number(n_vocab))];
    vec![
        Kernel {
            name: "penalize",
            source: vec![source::SETTINGS, source::PENALIZE],
            bindings: vec![settings, (1, BufferId::Sampled.read()), (2, target.write(logits))],
            constants: of_vocabulary.clone(),
            grid: Grid::Groups(1),
            when: When::Penalties,
        },
        Kernel {
            name: "candidates",
            source: vec![source::SETTINGS, source::SELECT, source::GATHER, source::CANDIDATES],
            bindings: vec![settings, (1, target.read(logits)), (2, BufferId::Candidates.write())],
            constants: of_vocabulary.clone(),
            grid: Grid::Groups(slices(n_vocab)),
            when: When::FromFew,
        },
        draw(Kernel {
            name: "draw",
            source: vec![source::GATHER, source::DRAW],
            bindings: vec![(1, BufferId::Candidates.read())],
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
    let draws = [
        (0, BufferId::Settings.read()),
        (2, BufferId::Sampled.write()),
        (3, BufferId::BatchState.write()),
        (4, BufferId::Random.read()),
    ];
    Kernel {
        source: [vec![source::SETTINGS, source::SELECT, source::ADVANCE], kernel.source].concat(),
        bindings: [&draws[..], &kernel.bindings].concat(),
        ..kernel
    }
}
