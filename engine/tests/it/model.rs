//! Whole tiny models: their plans, their two backends beside each other, and their files damaged in every way.

use crate::common::tiny;
use engine::backend::{Backend, BackendKind};
use engine::cpu::Machine;
use engine::error::{ErrorKind, Result};
use engine::gguf::Strings;
use engine::gguf::{self, Parsed, Writer};
use engine::load::Loader;
use engine::model::{Model, architectures};
use engine::plan::{Batch, Outputs};
use engine::protocol::CacheType;
use expect_test::expect;

/// The CPU, as usual.
const CPU: BackendKind = BackendKind::Cpu(CacheType::F16);
/// Room in the cache.
const N_CTX: usize = 32;

fn parse(file: &[u8]) -> Result<gguf::Gguf> {
    match gguf::parse(file, file.len() as u64)? {
        Parsed::Complete(gguf) => Ok(gguf),
        Parsed::NeedMore { .. } => panic!("the whole file is there"),
    }
}

fn load(file: &[u8], kind: BackendKind) -> Result<Backend> {
    let mut loader = Loader::new(&parse(file)?, kind, N_CTX, Machine::alone())?;
    for piece in loader.pieces() {
        let start = usize::try_from(piece.offset).expect("small");
        loader.put(&piece, &file[start..start + piece.len])?;
    }
    Ok(loader.finish()?.1)
}

fn forward(backend: &mut Backend, tokens: &[u32], start: usize, outputs: Outputs) -> Vec<f32> {
    assert_eq!(backend.rewind(start), start);
    pollster::block_on(backend.forward(&Batch { tokens, outputs })).expect("it runs")
}

#[test]
fn backends_agree() {
    for file in [tiny::llama().finish(), tiny::gemma3().finish()] {
        let mut reference = load(&file, BackendKind::Reference).expect("it loads");
        let mut cpu = load(&file, CPU).expect("it loads");
        for (tokens, start) in [(&[1, 2, 3, 4, 5, 6, 7][..], 0), (&[8], 7), (&[9, 10], 8), (&[11], 3)] {
            let expected = forward(&mut reference, tokens, start, Outputs::Last);
            let actual = forward(&mut cpu, tokens, start, Outputs::Last);
            let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
            let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
            assert!(error / size < 1e-5, "error {} at {start}", error / size);
        }
    }
}

/// Reading a prompt at once, by pieces, or again from the middle gives the same logits.
#[test]
fn the_cache_does_not_change_the_answer() {
    for file in [tiny::llama().finish(), tiny::gemma3().finish()] {
        for kind in [BackendKind::Reference, CPU, BackendKind::Cpu(CacheType::Q8_0)] {
            let mut backend = load(&file, kind.clone()).expect("it loads");
            let tokens: Vec<u32> = (0..20).collect();
            let at_once = forward(&mut backend, &tokens, 0, Outputs::Last);
            let again = forward(&mut backend, &tokens[11..], 11, Outputs::Last);
            forward(&mut backend, &tokens[..6], 0, Outputs::None);
            let by_pieces = forward(&mut backend, &tokens[6..], 6, Outputs::Last);
            for other in [again, by_pieces] {
                let largest = at_once.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-3, "{kind:?}: off by {largest}");
            }
        }
    }
}

#[test]
fn a_plan_can_be_read() {
    let model = Model::new(&parse(&tiny::llama().finish()).expect("a file")).expect("a model");
    let plan = model.plan.to_string();
    let first_layer: Vec<&str> = plan.lines().take(17).collect();
    expect![[r#"
        x[32] = embed token_embd.weight scale 1
        h[32] = rms_norm x[32] blk.0.attn_norm.weight eps 0.00001
        q[32] = matmul blk.0.attn_q.weight h[32] bias blk.0.attn_q.bias
        k[16] = matmul blk.0.attn_k.weight h[32]
        v[16] = matmul blk.0.attn_v.weight h[32]
        q[32] = rope head 8 Neighbours 8 base 10000 scale 1 ext 0 factors rope_freqs.weight
        k[16] = rope head 8 Neighbours 8 base 10000 scale 1 ext 0 factors rope_freqs.weight
        cache0 = store k[16] v[16]
        attended[32] = attention q[32] cache0 heads 4 scale 0.35355338
        h[32] = matmul blk.0.attn_output.weight attended[32]
        x[32] += h[32]
        h[32] = rms_norm x[32] blk.0.ffn_norm.weight eps 0.00001
        gate[64] = matmul blk.0.ffn_gate.weight h[32]
        up[64] = matmul blk.0.ffn_up.weight h[32]
        gate[64] = Silu · up[64]
        h[32] = matmul blk.0.ffn_down.weight gate[64]
        x[32] += h[32]"#]]
    .assert_eq(&first_layer.join("\n"));
}

#[test]
fn gemma3_has_windows() {
    let model = Model::new(&parse(&tiny::gemma3().finish()).expect("a file")).expect("a model");
    let plan = model.plan.to_string();
    let attention: Vec<&str> = plan.lines().filter(|line| line.contains(" = attention ")).collect();
    expect![[r#"
        attended[32] = attention q[32] cache0 heads 4 scale 0.35355338 window 3
        attended[32] = attention q[32] cache1 heads 4 scale 0.35355338 window 3
        attended[32] = attention q[32] cache2 heads 4 scale 0.35355338 window 3
        attended[32] = attention q[32] cache3 heads 4 scale 0.35355338 window 3
        attended[32] = attention q[32] cache4 heads 4 scale 0.35355338 window 3
        attended[32] = attention q[32] cache5 heads 4 scale 0.35355338
        attended[32] = attention q[32] cache6 heads 4 scale 0.35355338 window 3"#]]
    .assert_eq(&attention.join("\n"));
}

/// Its header states a feed-forward layer three times as wide: the tensors are right.
#[test]
fn lfm2_convolves_where_no_heads_share_keys() {
    let model = Model::new(&parse(&tiny::lfm2().finish()).expect("a file")).expect("a model");
    let plan = model.plan.to_string();
    let lines: Vec<&str> = plan.lines().collect();
    let first_layer = lines[1..15].iter().chain(lines.last());
    expect![[r#"
        h[32] = rms_norm x[32] blk.0.attn_norm.weight eps 0.00001
        gate_in[32] = matmul blk.0.shortconv.in_proj.weight h[32]
        gate_out[32] = matmul blk.0.shortconv.in_proj.weight[32..] h[32]
        input[32] = matmul blk.0.shortconv.in_proj.weight[64..] h[32]
        gated[32] = gate_in[32] ⊙ input[32]
        mixed[32] = conv blk.0.shortconv.conv.weight gated[32] state0
        gated[32] = gate_out[32] ⊙ mixed[32]
        h[32] = matmul blk.0.shortconv.out_proj.weight gated[32]
        x[32] += h[32]
        h[32] = rms_norm x[32] blk.0.ffn_norm.weight eps 0.00001
        gate[64] = matmul blk.0.ffn_gate.weight h[32]
        up[64] = matmul blk.0.ffn_up.weight h[32]
        gate[64] = Silu · up[64]
        h[32] = matmul blk.0.ffn_down.weight gate[64]
        logits[40] = matmul token_embd.weight last_norm[32]"#]]
    .assert_eq(&first_layer.copied().collect::<Vec<_>>().join("\n"));
}

#[track_caller]
fn refused(file: &Writer, kind: ErrorKind, message: &str) {
    let error = load(&file.finish(), CPU).expect_err("it is refused");
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
}

#[test]
fn what_cannot_run_is_refused_with_the_reason() {
    let known = architectures().collect::<Vec<_>>().join(", ");
    let of = |architecture: &str| Writer::default().entry("general.architecture", architecture);
    refused(
        &of("mamba3"),
        ErrorKind::Unsupported,
        &format!("This model cannot be run yet: the architecture is \"mamba3\"; supported are {known}."),
    );
    refused(
        &Writer::default(),
        ErrorKind::Unsupported,
        &format!("This model cannot be run yet: the file does not say its architecture; supported are {known}."),
    );
    refused(&of("llama"), ErrorKind::Invalid, "The file's metadata lacks \"llama.block_count\".");
    refused(
        &tiny::llama().entry("llama.expert_count", 8u32),
        ErrorKind::Unsupported,
        "This model cannot be run yet: it needs mixtures of experts (\"llama.expert_count\").",
    );
    let tokens: Strings = (0..1000).map(|id| id.to_string()).collect();
    refused(
        &tiny::llama().entry("tokenizer.ggml.tokens", tokens),
        ErrorKind::Invalid,
        "The file names 1000 tokens, but describes only 40.",
    );
}

/// As in llama.cpp: <https://github.com/ggml-org/llama.cpp/blob/b6527/src/llama-model.cpp>
#[test]
fn positions_are_scaled_linearly_where_no_type_is_named() {
    for key in ["llama.rope.scale_linear", "llama.rope.scaling.factor"] {
        let file = tiny::llama().entry(key, 4.0f32).finish();
        let model = Model::new(&parse(&file).expect("a file")).expect("a model");
        assert!(model.plan.to_string().contains(" scale 0.25 ext 0 "), "{key}:\n{}", model.plan);
    }
}

/// No damage to a header makes the engine panic or run away: it is an error, or another model.
#[test]
fn every_flipped_byte_is_survived() {
    for file in [tiny::llama().finish(), tiny::lfm2().finish()] {
        let gguf = parse(&file).expect("a file");
        let header = usize::try_from(gguf.tensors.iter().map(|t| t.offset).min().expect("tensors")).expect("small");
        for at in 0..header {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                if let Ok(mut backend) = load(&damaged, CPU) {
                    forward(&mut backend, &[1, 2, 3], 0, Outputs::Last);
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = tiny::llama().finish();
    for n in 0..file.len() {
        assert!(gguf::parse(&file[..n], n as u64).is_err(), "{n} bytes of {}", file.len());
    }
}
