//! A fused plan, as people read it.

use super::{Fused, FusedMatMul, Product, QkNormRopeStore, Step};
use crate::plan::{Buf, Memory, Op, Plan};

impl Fused {
    /// One line a step: what is written, and how.
    pub fn describe(&self, plan: &Plan) -> String {
        self.steps.iter().map(|step| format!("{}\n", line(plan, step))).collect()
    }
}

fn line(plan: &Plan, step: &Step) -> String {
    let name = |buf: Buf| plan.bufs[buf.0].name;
    match step {
        Step::Op(op) => op_line(plan, op),
        Step::FusedMatMul(matmul) => matmul_line(plan, matmul),
        Step::QkNormRopeStore(QkNormRopeStore { q, k, v, norms, cache, .. }) => {
            let norm = if norms.is_some() { " norm" } else { "" };
            format!("{q}, cache{} = rope{norm} {q} {} {}", cache.0, name(*k), name(*v), q = name(*q))
        }
        Step::NormAdd(norm) => format!("{} += norm {}", name(norm.dst), name(norm.x)),
    }
}

/// What an op says that it touches: "written = op read memory".
fn op_line(plan: &Plan, op: &Op) -> String {
    let names = |bufs: &[Buf]| bufs.iter().map(|buf| plan.bufs[buf.0].name.to_owned()).collect::<Vec<_>>();
    let uses = op.uses();
    let memory = uses.memory.map(|memory| match plan.memories[memory.0] {
        Memory::Kv(_) => format!("cache{}", memory.0),
        Memory::State { .. } => format!("state{}", memory.0),
    });
    let (mut written, mut read) = (names(&uses.writes), names(&uses.reads));
    if written.is_empty() {
        written.extend(memory);
    } else {
        read.extend(memory);
    }
    let words = [written.join(", "), "=".to_owned(), op.name().to_lowercase()].into_iter().chain(read);
    words.collect::<Vec<_>>().join(" ")
}

fn matmul_line(plan: &Plan, matmul: &FusedMatMul) -> String {
    let name = |buf: &Buf| plan.bufs[buf.0].name;
    let FusedMatMul { x, takes_outputs, norm, products, activation } = matmul;
    let x = name(x);
    let x = if *takes_outputs { format!("outputs of {x}") } else { x.to_owned() };
    let x = if norm.is_some() { format!("norm {x}") } else { x };
    let results: Vec<&str> = products.iter().map(|p| name(&p.dst)).collect();
    match (activation, &products[..]) {
        (Some(activation), _) => format!("{} = {activation:?} · matmul {x}", results[0]),
        (None, [Product { add: true, .. }]) => format!("{} += matmul {x}", results[0]),
        (None, _) => format!("{} = matmul {x}", results.join(", ")),
    }
}
