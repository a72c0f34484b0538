//! Every shader that any model can be made of: as naga sees it and the least of devices does, and in a browser, as the
//! compiler that the browser has.

use engine::gpu::kernels::{self, Kernel};
use engine::gpu::tier::Tier;
use engine::plan::{Activation, Buf, Plan, RopePairs, RopeParams, op};
use engine::quant::Codec;

/// A context that needs more than one turn of attention's split.
const N_CTX: usize = 8192;

/// A plan with every op, fused and not, whose matrices are all of one type.
fn plan(activation: Activation, with_biases: bool, pairs: RopePairs, head_dim: usize) -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let (width, n_ff, n_head, n_head_kv) = (512, 768, 6, 2);
    let embedding = p.weight("embedding", 1000, width);
    let gain = p.weight("gain", 1, width);
    let head_gain = p.weight("head_gain", 1, head_dim);
    let [x, h, normed] = ["x", "h", "normed"].map(|name| p.buf(name, width));
    let [q, attended] = ["q", "attended"].map(|name| p.buf(name, n_head * head_dim));
    let [k, v] = ["k", "v"].map(|name| p.buf(name, n_head_kv * head_dim));
    let [gate, up] = ["gate", "up"].map(|name| p.buf(name, n_ff));
    let rope = RopeParams {
        pairs,
        n_rot: head_dim,
        freq_base: 10_000.0,
        freq_scale: 1.0,
        ext_factor: 0.0,
        attn_factor: 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        n_ctx_orig: 2048,
    };
    let matmul = |p: &mut Plan, x: Buf, name: &'static str, dst: Buf, has_bias: bool| {
        let (rows, cols) = (p.width(dst), p.width(x));
        let weight = p.weight(name, rows, cols);
        let bias = has_bias.then(|| p.weight(format!("{name} bias"), 1, rows));
        p.push(op::MatMul { x, weight, bias, scale: 1.0, dst });
    };
    p.push(op::Embed { weight: embedding, scale: 1.0, dst: x });
    add_conv(p, [x, h], with_biases, activation);
    for is_fused in [true, false] {
        let cache = p.kv_cache(n_head_kv, head_dim, Some(512));
        p.push(op::RmsNorm { x, weight: gain, eps: 1e-5, dst: h });
        matmul(p, h, "q", q, with_biases);
        matmul(p, h, "k", k, false);
        matmul(p, h, "v", v, false);
        if with_biases {
            p.push(op::RmsNorm { x: q, weight: head_gain, eps: 1e-5, dst: q });
            p.push(op::RmsNorm { x: k, weight: head_gain, eps: 1e-5, dst: k });
        }
        p.push(op::Rope { x: q, head_dim, factors: None, rope });
        if !is_fused {
            // In between, so that nothing is fused.
            p.push(op::Mul { a: h, b: x, dst: normed });
            p.push(op::Add { x: normed, dst: x });
        }
        p.push(op::Rope { x: k, head_dim, factors: None, rope });
        p.push(op::Store { k, v, cache });
        p.push(op::Attention { q, cache, n_head, scale: 0.125, window: Some(512), dst: attended });
        matmul(p, attended, "output", h, with_biases);
        p.push(op::Add { x: h, dst: x });
        p.push(op::RmsNorm { x, weight: gain, eps: 1e-5, dst: h });
        matmul(p, h, "gate", gate, false);
        matmul(p, h, "up", up, !is_fused);
        p.push(op::Glu { gate, up, activation });
        matmul(p, gate, "down", h, !is_fused);
        p.push(op::RmsNorm { x: h, weight: gain, eps: 1e-5, dst: normed });
        p.push(op::Add { x: normed, dst: x });
    }
    let last = p.output_buf("last", width);
    let last_norm = p.output_buf("last_norm", width);
    let logits = p.output_buf("logits", 1000);
    p.push(op::TakeOutputs { x, dst: last });
    p.push(op::RmsNorm { x: last, weight: gain, eps: 1e-5, dst: last_norm });
    p.push(op::MatMul { x: last_norm, weight: embedding, bias: None, scale: 1.0, dst: logits });
    p.push(op::TakeOutputs { x: h, dst: last });
    plan.logits = Some(logits);
    plan
}

/// A convolution of x, added to it.
fn add_conv(p: &mut Plan, [x, h]: [Buf; 2], with_bias: bool, activation: Activation) {
    let (width, n_taps) = (p.width(x), 4);
    let weight = p.weight("taps", width, n_taps);
    let bias = with_bias.then(|| p.weight("taps bias", 1, width));
    let state = p.conv_state(width, n_taps);
    p.push(op::Conv { x, weight, bias, activation: with_bias.then_some(activation), state, dst: h });
    p.push(op::Add { x: h, dst: x });
}

/// The kernels of plans that differ in what kernels differ by, with matrices of every type.
fn all_kernels(tier: Tier) -> impl Iterator<Item = Kernel> {
    let plans = [
        plan(Activation::Silu, false, RopePairs::Neighbours, 64),
        plan(Activation::Gelu, true, RopePairs::Halves, 256),
        plan(Activation::Gelu, true, RopePairs::Halves, 512),
        plan(Activation::Silu, false, RopePairs::Halves, 80),
    ];
    plans.into_iter().flat_map(move |plan| {
        let of_type = move |codec: &Codec| {
            let is_matrix = plan.matrices().into_iter();
            let codecs: Vec<Codec> = is_matrix.map(|matrix| if matrix { *codec } else { Codec::F32 }).collect();
            kernels::all(&plan, &codecs, tier, N_CTX)
        };
        Codec::ALL.iter().flat_map(of_type)
    })
}

#[cfg(not(target_arch = "wasm32"))]
#[path = "../../examples/common/naga.rs"]
mod compiler;

#[cfg(not(target_arch = "wasm32"))]
mod with_naga {
    use super::compiler::{Resolved, resolve};
    use super::{Kernel, Tier, all_kernels};
    use naga::AddressSpace;

    /// What WebGPU promises on every device.
    const STORAGE_BUFFERS_MAX: usize = 8;
    const WORKGROUP_BYTES_MAX: u32 = 16 << 10;
    const INVOCATIONS_MAX: u32 = 256;

    #[test]
    fn every_shader_is_valid_on_every_device() {
        for tier in [Tier::PLAIN, Tier::subgroups(4), Tier { dots: true, ..Tier::subgroups(64) }] {
            all_kernels(tier).for_each(|kernel| check(&kernel));
        }
    }

    #[track_caller]
    fn check(kernel: &Kernel) {
        let Resolved { module, .. } = resolve(kernel).unwrap_or_else(|error| panic!("{}: {error}", kernel.name));
        let of = |space: fn(&AddressSpace) -> bool| {
            module.global_variables.iter().map(|(_, var)| var).filter(move |var| space(&var.space))
        };
        let mut bindings: Vec<u32> =
            module.global_variables.iter().filter_map(|(_, v)| Some(v.binding?.binding)).collect();
        let mut bound: Vec<u32> = kernel.bindings.iter().map(|(binding, _)| *binding).collect();
        bindings.sort_unstable();
        bound.sort_unstable();
        assert_eq!(bindings, bound, "{} binds what it declares", kernel.name);

        let n_storage = of(|space| matches!(space, AddressSpace::Storage { .. })).count();
        assert!(n_storage <= STORAGE_BUFFERS_MAX, "{}: {n_storage} storage buffers", kernel.name);
        let workgroup_bytes: u32 = of(|space| matches!(space, AddressSpace::WorkGroup))
            .map(|var| module.types[var.ty].inner.size(module.to_ctx()).next_multiple_of(16))
            .sum();
        assert!(workgroup_bytes <= WORKGROUP_BYTES_MAX, "{}: {workgroup_bytes} bytes of workgroup memory", kernel.name);
        let n: u32 = module.entry_points[0].workgroup_size.iter().product();
        assert!(n <= INVOCATIONS_MAX, "{}: {n} invocations", kernel.name);
    }
}

#[cfg(target_arch = "wasm32")]
mod in_a_browser {
    use super::{Kernel, Tier, all_kernels};
    use engine::gpu::Device;
    use engine::worker::gpu_options;
    use std::collections::HashSet;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Of the tiers that this browser's device can have.
    #[wasm_bindgen_test]
    async fn every_shader_is_valid() {
        let options = gpu_options().await.expect("this browser has a GPU");
        let device = Device::open(options).await.expect("a program that acts as a GPU");
        let mut seen = HashSet::new();
        let dots = |tier| Tier { dots: true, ..tier };
        for tier in [Tier::PLAIN, dots(Tier::PLAIN), device.tier(), dots(device.tier())] {
            for kernel in all_kernels(tier).filter(|kernel| seen.insert(kernel.source.clone())) {
                device.validate(&kernel).await.expect("the compiler takes it");
            }
        }
        assert!(seen.len() > 200, "{} texts", seen.len());
        let kernel = all_kernels(Tier::PLAIN).next().expect("there are many");
        let nonsense = Kernel { source: vec!["fn main() { nonsense }"], ..kernel };
        device.validate(&nonsense).await.expect_err("no compiler takes it");
    }
}
