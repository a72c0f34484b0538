//! A fused plan, as people read it.

use super::{Fused, HeadNorms, Product, Project, Step};
use crate::plan::{Buf, Plan};

impl Fused {
    /// One line a step: what is written, and how.
    pub fn describe(&self, plan: &Plan) -> String {
        self.steps.iter().map(|step| format!("{}\n", line(plan, step))).collect()
    }
}

fn line(plan: &Plan, step: &Step) -> String {
    let name = |buf: &Buf| plan.bufs[buf.0].name;
    match step {
        Step::Embed { dst, .. } => format!("{} = embed", name(dst)),
        Step::Norm { x, dst, add: false, .. } => format!("{} = norm {}", name(dst), name(x)),
        Step::Norm { x, dst, add: true, .. } => format!("{} += norm {}", name(dst), name(x)),
        Step::Project(project) => project_line(plan, project),
        Step::Rope { x, .. } => format!("{} = rope", name(x)),
        Step::Store { k, v, cache } => format!("cache{} = {} {}", cache.0, name(k), name(v)),
        Step::Heads { q, k, v, norms, cache, .. } => {
            let norm = if matches!(norms, Some(HeadNorms { .. })) { " norm" } else { "" };
            format!("{q}, cache{} = rope{norm} {q} {} {}", cache.0, name(k), name(v), q = name(q))
        }
        Step::Attention { q, cache, dst, .. } => format!("{} = attention {} cache{}", name(dst), name(q), cache.0),
        Step::Add { x, dst } => format!("{} += {}", name(dst), name(x)),
        Step::Glu { gate, up, activation } => format!("{} = {activation:?} · {}", name(gate), name(up)),
        Step::TakeOutputs { x, dst } => format!("{} = outputs of {}", name(dst), name(x)),
    }
}

fn project_line(plan: &Plan, project: &Project) -> String {
    let name = |buf: &Buf| plan.bufs[buf.0].name;
    let Project { x, takes_outputs, norm, products, activation } = project;
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
