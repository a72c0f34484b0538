//! Matmuls: of one token by rows, of many by tiles.

use super::{Grid, Kernel, Target, Tokens, WORKGROUP, When, number, source};
use crate::gpu::buffers::{Binding, BufferId, Part, TILE};
use crate::gpu::fuse::{FusedMatMul, Norm, Product};
use crate::gpu::layout::{CHUNK, Layout, Plane, Scales, layout};
use crate::plan::op::{Glu, RmsNorm};
use crate::plan::{Activation, Buf, Rows, Weight};
use std::ops::Range;

/// Rows that the invocations of a team make together.
const TEAM_ROWS: usize = 4;

/// Chunks of a token that a workgroup quantises.
const QUANTIZE_WORKGROUP: usize = 32;

/// How tiles of rows × tokens are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tile {
    /// Floats by floats.
    Float,
    /// Integers, as floats, by floats.
    Packed,
    /// Bytes by bytes, four at a time.
    Dot,
}

/// Rows of a weight that are in one part of its matrix.
pub(super) struct Piece {
    pub(super) part: Part,
    /// The first of them in the part.
    pub(super) first_row: usize,
    /// Of the weight's own.
    pub(super) rows: Range<usize>,
}

/// Fragments that belong to a shader, and what they need.
pub(super) struct Linked {
    pub(super) source: Vec<&'static str>,
    pub(super) bindings: Vec<(u32, Binding)>,
    pub(super) constants: Vec<(&'static str, f64)>,
}

/// Some products as one: their weights and results follow each other.
struct Run {
    matrix: usize,
    rows: Range<usize>,
    bias: Option<Weight>,
    scale: f32,
    dst: Buf,
    add: bool,
}

impl Target<'_> {
    /// Where the rows of a weight are.
    pub(super) fn pieces(&self, weight: Weight) -> Vec<Piece> {
        let place = self.fused.places[weight.0].expect("a matrix has a place");
        let rows = place.first_row..place.first_row + self.plan.weights[weight.0].rows;
        self.pieces_of(place.matrix, &rows)
    }

    /// Where these rows of a matrix are; in the pieces, they count from the first of them.
    fn pieces_of(&self, matrix: usize, rows: &Range<usize>) -> Vec<Piece> {
        let parts = self.parts[matrix].iter().enumerate();
        let pieces = parts.map(|(part, held)| {
            let common = rows.start.max(held.start)..rows.end.min(held.end);
            Piece {
                part: Part { matrix, part },
                first_row: common.start.saturating_sub(held.start),
                rows: common.start.saturating_sub(rows.start)..common.end.saturating_sub(rows.start),
            }
        });
        pieces.filter(|piece| !piece.rows.is_empty()).collect()
    }

    /// The fragments, bindings and constants that make a matrix's weights.
    pub(super) fn weights(&self, part: Part) -> Linked {
        let Layout { plane, scales, zero } = layout(self.fused.matrices[part.matrix].codec.format());
        let mut source = source::plane(plane);
        let mut bindings = vec![(8, BufferId::Low(part).read())];
        let mut constants = Vec::new();
        match plane {
            Plane::Q3 | Plane::Q5 | Plane::Q6 => bindings.push((9, BufferId::High(part).read())),
            Plane::Q2 | Plane::Q4 | Plane::Q8 | Plane::Codebook4(_) | Plane::F16 | Plane::BF16 | Plane::F32 => {}
        }
        if let Some(fragment) = source::scales(scales) {
            source.extend([source::SCALED, fragment]);
            bindings.push((10, BufferId::Scales(part).read()));
        }
        match scales {
            Scales::Exponent | Scales::Half | Scales::Super | Scales::Super16 => constants.push(("ZERO", zero.into())),
            Scales::None | Scales::HalfPair | Scales::SuperPair | Scales::Super16Pair => {}
        }
        Linked { source, bindings, constants }
    }

    pub(super) fn project(&self, project: &FusedMatMul, tokens: Tokens) -> Vec<Kernel> {
        match tokens {
            Tokens::One => self.project_one(project),
            Tokens::Many => self.project_many(project),
        }
    }

    fn project_one(&self, project: &FusedMatMul) -> Vec<Kernel> {
        let when = match self.rows(project.products[0].dst) {
            Rows::Tokens => When::Always,
            Rows::Outputs => When::OneOutput,
        };
        if let (Some(activation), [gate, up]) = (project.activation, &project.products[..]) {
            return vec![self.matvec_glu(project, gate, up, activation)];
        }
        self.runs(&project.products).iter().flat_map(|run| self.matvec(project.x, project.norm, run, when)).collect()
    }

    /// Products that can be one, as one.
    fn runs(&self, products: &[Product]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for product in products {
            let run = self.run(product);
            match runs.last_mut() {
                Some(last) if self.follows(last, &run) => last.rows.end = run.rows.end,
                Some(_) | None => runs.push(run),
            }
        }
        runs
    }

    fn run(&self, product: &Product) -> Run {
        let place = self.fused.places[product.weight.0].expect("a matrix has a place");
        let rows = place.first_row..place.first_row + self.plan.weights[product.weight.0].rows;
        Run { matrix: place.matrix, rows, bias: product.bias, scale: product.scale, dst: product.dst, add: product.add }
    }

    fn follows(&self, last: &Run, next: &Run) -> bool {
        let (slot, next_slot) = (self.slot(last.dst), self.slot(next.dst));
        last.matrix == next.matrix
            && last.rows.end == next.rows.start
            && slot.buf == next_slot.buf
            && slot.offset + last.rows.len() == next_slot.offset
            && [last, next].iter().all(|run| run.bias.is_none() && run.scale == 1.0 && !run.add)
    }

    fn matvec(&self, x: Buf, norm: Option<Norm>, run: &Run, when: When) -> Vec<Kernel> {
        let pieces = self.pieces_of(run.matrix, &run.rows).into_iter().map(|piece| {
            let Linked { source: weights, bindings: planes, mut constants } = self.weights(piece.part);
            let lanes = self.lanes(run.matrix);
            let mut bindings = vec![(1, self.read(x)), (2, self.write(run.dst))];
            let mut source = vec![source::MATVEC, source::MATVEC_FOUR_ROWS];
            self.input(norm, &mut source, &mut bindings, &mut constants);
            source.push(self.end(run.bias, run.add, &mut bindings));
            constants.extend([
                ("FIRST_ROW", number(piece.first_row)),
                ("BIAS", number(piece.rows.start)),
                ("ROWS", number(piece.rows.len())),
                ("CHUNKS", number(self.chunks(run.matrix))),
                ("LANES", number(lanes)),
                ("DST", number(self.slot(run.dst).offset + piece.rows.start)),
                ("SCALE", run.scale.into()),
            ]);
            Kernel {
                name: "matvec",
                source: [source, weights, vec![source::lanes(self.tier.reduce)]].concat(),
                bindings: [bindings, planes].concat(),
                constants,
                grid: Grid::Groups(piece.rows.len().div_ceil(TEAM_ROWS * (WORKGROUP / lanes))),
                when,
            }
        });
        pieces.collect()
    }

    fn matvec_glu(&self, project: &FusedMatMul, gate: &Product, up: &Product, activation: Activation) -> Kernel {
        let (gate, up) = (self.run(gate), self.run(up));
        let n_rows = gate.rows.len();
        let both = self.pieces_of(gate.matrix, &(gate.rows.start..up.rows.end));
        let [Piece { part, first_row: 0, .. }] = both[..] else { unreachable!("both are one matrix, of one part") };
        let Linked { source: weights, bindings: planes, mut constants } = self.weights(part);
        let lanes = self.lanes(gate.matrix);
        let mut bindings = vec![(1, self.read(project.x)), (2, self.write(gate.dst))];
        let mut source = vec![source::MATVEC_GLU, source::MATVEC_FOUR_ROWS, source::activation(activation)];
        self.input(project.norm, &mut source, &mut bindings, &mut constants);
        constants.extend([
            ("ROWS", number(n_rows)),
            ("CHUNKS", number(self.chunks(gate.matrix))),
            ("LANES", number(lanes)),
            ("DST", number(self.slot(gate.dst).offset)),
        ]);
        Kernel {
            name: "matvec_glu",
            source: [source, weights, vec![source::lanes(self.tier.reduce)]].concat(),
            bindings: [bindings, planes].concat(),
            constants,
            grid: Grid::Groups(n_rows.div_ceil(TEAM_ROWS / 2 * (WORKGROUP / lanes))),
            when: When::Always,
        }
    }

    fn project_many(&self, project: &FusedMatMul) -> Vec<Kernel> {
        let mut kernels = Vec::new();
        let mut x = project.x;
        if let Some(Norm { weight, eps, dst }) = project.norm {
            kernels.push(self.norm(&RmsNorm { x, weight, eps, dst }, false));
            x = dst;
        }
        let runs: Vec<Run> = project.products.iter().map(|product| self.run(product)).collect();
        let when = match self.rows(project.products[0].dst) {
            Rows::Tokens => When::Always,
            Rows::Outputs => When::ManyOutputs,
        };
        if let Some(run) = runs.iter().find(|run| self.tile(run) == Tile::Dot) {
            kernels.push(self.quantize(x, self.chunks(run.matrix), when));
        }
        for run in &runs {
            if when == When::ManyOutputs {
                kernels.extend(self.matvec(x, None, run, When::OneOutput));
            }
            kernels.extend(self.matmul(x, run, when));
        }
        if let (Some(activation), [gate, up]) = (project.activation, &project.products[..]) {
            kernels.push(self.glu(&Glu { gate: gate.dst, up: up.dst, activation }));
        }
        kernels
    }

    fn matmul(&self, x: Buf, run: &Run, when: When) -> Vec<Kernel> {
        let rows = self.rows(run.dst);
        let pieces = self.pieces_of(run.matrix, &run.rows).into_iter().map(|piece| {
            let Linked { source: weights, bindings: planes, mut constants } = self.weights(piece.part);
            let mut bindings = vec![(0, BufferId::BatchState.read()), (2, self.write(run.dst))];
            let end = self.end(run.bias, run.add, &mut bindings);
            let tile = self.tile(run);
            let (name, fragments, tile_rows) = match tile {
                Tile::Dot => ("matmul_dot", &[source::MATMUL_DOT, source::MATMUL_INTEGERS][..], 2 * TILE),
                Tile::Packed => ("matmul_packed", &[source::MATMUL_PACKED, source::MATMUL_INTEGERS][..], 2 * TILE),
                Tile::Float => ("matmul", &[source::MATMUL][..], TILE),
            };
            match tile {
                Tile::Dot => bindings.extend([(1, BufferId::Quantized.read()), (3, BufferId::QuantizedScales.read())]),
                Tile::Packed | Tile::Float => {
                    bindings.push((1, self.read(x)));
                    constants.push(("X_STRIDE4", number(self.stride(x) / 4)));
                }
            }
            constants.extend([
                ("FIRST_ROW", number(piece.first_row)),
                ("BIAS", number(piece.rows.start)),
                ("ROWS", number(piece.rows.len())),
                ("CHUNKS", number(self.chunks(run.matrix))),
                ("DST", number(self.slot(run.dst).offset + piece.rows.start)),
                ("SCALE", run.scale.into()),
                ("STRIDE", number(self.stride(run.dst))),
            ]);
            Kernel {
                name,
                source: [&[source::STATE, source::MATMUL_TILE, end, source::count(rows)], fragments, &weights].concat(),
                bindings: [bindings, planes].concat(),
                constants,
                grid: Grid::Tiles(piece.rows.len().div_ceil(tile_rows), rows),
                when,
            }
        });
        pieces.collect()
    }

    /// Which kernel makes the tiles of a product.
    fn tile(&self, run: &Run) -> Tile {
        match layout(self.fused.matrices[run.matrix].codec.format()).scales {
            Scales::None => Tile::Float,
            Scales::Exponent
            | Scales::Half
            | Scales::HalfPair
            | Scales::Super
            | Scales::Super16
            | Scales::SuperPair
            | Scales::Super16Pair => {
                if self.tier.dots {
                    Tile::Dot
                } else {
                    Tile::Packed
                }
            }
        }
    }

    /// The input of matmuls as bytes, once for all of them.
    fn quantize(&self, x: Buf, chunks: usize, when: When) -> Kernel {
        Kernel {
            name: "quantize",
            source: vec![source::QUANTIZE],
            bindings: vec![(1, self.read(x)), (2, BufferId::Quantized.write()), (3, BufferId::QuantizedScales.write())],
            constants: vec![("CHUNKS", number(chunks)), ("X_STRIDE4", number(self.stride(x) / 4))],
            grid: Grid::Rows(chunks.div_ceil(QUANTIZE_WORKGROUP), self.rows(x)),
            when,
        }
    }

    /// How the activations of a matmul come in.
    fn input(
        &self,
        norm: Option<Norm>,
        source: &mut Vec<&'static str>,
        bindings: &mut Vec<(u32, Binding)>,
        constants: &mut Vec<(&'static str, f64)>,
    ) {
        match norm {
            None => source.push(source::INPUT_PLAIN),
            Some(Norm { weight, eps, .. }) => {
                source.push(source::INPUT_NORMED);
                bindings.push((5, BufferId::Dense(weight).read()));
                constants.extend([("COLS", number(self.plan.weights[weight.0].cols)), ("EPS", eps.into())]);
            }
        }
    }

    /// What becomes of a result.
    fn end(&self, bias: Option<Weight>, add: bool, bindings: &mut Vec<(u32, Binding)>) -> &'static str {
        bindings.extend(bias.map(|bias| (6, BufferId::Dense(bias).read())));
        match (bias, add) {
            (None, false) => source::END_WRITE,
            (None, true) => source::END_ADD,
            (Some(_), false) => source::END_WRITE_BIAS,
            (Some(_), true) => source::END_ADD_BIAS,
        }
    }

    fn chunks(&self, matrix: usize) -> usize {
        self.fused.matrices[matrix].cols.div_ceil(CHUNK)
    }

    /// How many invocations share a row: as many as leave the fewest turns for each, and no more than that takes.
    fn lanes(&self, matrix: usize) -> usize {
        let chunks = self.chunks(matrix);
        let all = (0..).map(|bits| 1 << bits).take_while(|lanes| *lanes <= self.tier.lanes_max);
        all.min_by_key(|lanes| chunks.div_ceil(*lanes)).expect("one lane is always possible")
    }
}
