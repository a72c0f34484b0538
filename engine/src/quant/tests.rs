use super::*;
use std::path::Path;

/// Blocks and floats made by ggml's Python package, bit for bit.
#[test]
fn dequantize_equals_ggml() {
    for codec in Codec::ALL {
        for (blocks, weights) in golden(*codec) {
            let mut dequantized = vec![0.0; weights.len()];
            codec.dequantize(&blocks, &mut dequantized);
            assert_same(*codec, &dequantized, &weights);
        }
    }
}

/// The formula of [`Groups`] is `dequantize`.
#[test]
fn unpack_equals_dequantize() {
    let mut groups = Groups::default();
    for codec in Codec::ALL {
        let Format::Quantized(format) = codec.format() else { continue };
        let mut cases: Vec<Vec<u8>> = golden(*codec).into_iter().map(|(blocks, _)| blocks).collect();
        cases.extend([0, 1, 3].map(|n_blocks| random_blocks(*codec, n_blocks, 1)));
        for blocks in cases {
            codec.unpack(&blocks, &mut groups);
            let mut dequantized = vec![0.0; blocks.len() / codec.block_bytes() * codec.block_len()];
            codec.dequantize(&blocks, &mut dequantized);
            assert_same(*codec, &weights(format, &groups), &dequantized);
        }
    }
}

/// Superblocks' multipliers times their groups' factors are the scales, and no factor is larger than the format says.
#[test]
fn factors_are_integers_within_the_format() {
    let mut groups = Groups::default();
    for codec in Codec::ALL {
        let Format::Quantized(Quantized { scale: Scale::Super { factor_max }, group_len, .. }) = codec.format() else {
            continue;
        };
        codec.unpack(&random_blocks(*codec, 100, 3), &mut groups);
        let n_groups = codec.block_len() / group_len;
        assert_eq!(groups.supers.len(), 100, "{codec}");
        for (scales, block) in groups.supers.iter().zip(groups.scale.chunks_exact(n_groups)) {
            for (group, scale) in block.iter().enumerate() {
                assert!(scales.s[group].unsigned_abs() <= factor_max, "{codec}: {}", scales.s[group]);
                assert!(scales.m[group].unsigned_abs() <= factor_max, "{codec}: {}", scales.m[group]);
                assert_eq!(scales.d * f32::from(scales.s[group]), *scale, "{codec}");
            }
        }
    }
}

fn weights(format: Quantized, groups: &Groups) -> Vec<f32> {
    let n_groups = groups.q.len() / format.group_len;
    assert_eq!(groups.scale.len(), n_groups);
    assert_eq!(groups.offset.len(), if format.has_offset { n_groups } else { 0 });
    let weight = |(i, q): (usize, &u8)| {
        assert!(format.values.integers().any(|known| known == *q), "{q} has no value");
        let w = groups.scale[i / format.group_len] * f32::from(format.values.value(*q));
        groups.offset.get(i / format.group_len).map_or(w, |offset| w + offset)
    };
    groups.q.iter().enumerate().map(weight).collect()
}

#[test]
fn random_blocks_are_ordinary_weights() {
    for codec in Codec::ALL {
        let n_blocks = 4096 / codec.block_len();
        let blocks = random_blocks(*codec, n_blocks, 7);
        assert_eq!(blocks, random_blocks(*codec, n_blocks, 7));
        assert_ne!(blocks, random_blocks(*codec, n_blocks, 8));

        let mut weights = vec![0.0; 4096];
        codec.dequantize(&blocks, &mut weights);
        let mean_square = weights.iter().map(|w| w * w).sum::<f32>() / 4096.0;
        assert!((0.01..1.0).contains(&mean_square), "{codec}: the mean square is {mean_square}");
        assert!(weights.iter().all(|w| w.abs() <= 2.0), "{codec}");
    }
}

#[test]
#[should_panic(expected = "dequantize: 36 bytes of Q4_0 are 64 weights")]
fn dequantize_wants_room_for_all_weights() {
    Codec::Q4_0.dequantize(&[0; 36], &mut [0.0; 32]);
}

#[track_caller]
fn assert_same(codec: Codec, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        // How a NaN looks is the processor's choice.
        assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{codec}: weight {i} is {a:e}, not {b:e}");
    }
}

/// Pairs of a block and its weights.
fn golden(codec: Codec) -> Vec<(Vec<u8>, Vec<f32>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/quant/{codec}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<Vec<u8>> = text.lines().skip(1).map(unhex).collect();
    let (pairs, rest) = lines.as_chunks();
    assert!(!pairs.is_empty() && rest.is_empty(), "{}: lines come in pairs", path.display());
    pairs.iter().map(|[block, weights]| (block.clone(), f32s(weights))).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    line.as_bytes().chunks(2).map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 16).unwrap()).collect()
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect()
}
