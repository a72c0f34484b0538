use super::*;
use std::path::Path;

/// Blocks and floats made by ggml's Python package, bit for bit.
#[test]
fn dequantize_equals_ggml() {
    for dtype in DType::ALL {
        for (blocks, weights) in golden(*dtype) {
            let mut dequantized = vec![0.0; weights.len()];
            dequantize(*dtype, &blocks, &mut dequantized);
            assert_same(*dtype, &dequantized, &weights);
        }
    }
}

/// The formula of [`Groups`] is `dequantize`.
#[test]
fn unpack_equals_dequantize() {
    let mut groups = Groups::default();
    for dtype in DType::ALL {
        let Some(format) = format(*dtype) else { continue };
        let mut cases: Vec<Vec<u8>> = golden(*dtype).into_iter().map(|(blocks, _)| blocks).collect();
        cases.extend([0, 1, 3].map(|n_blocks| random_blocks(*dtype, n_blocks, 1)));
        for blocks in cases {
            unpack(*dtype, &blocks, &mut groups);
            let mut dequantized = vec![0.0; blocks.len() / dtype.block_bytes() * dtype.block_len()];
            dequantize(*dtype, &blocks, &mut dequantized);
            assert_same(*dtype, &weights(format, &groups), &dequantized);
        }
    }
}

fn weights(format: Format, groups: &Groups) -> Vec<f32> {
    let n_groups = groups.q.len() / format.group_len;
    assert_eq!(groups.scale.len(), n_groups);
    assert_eq!(groups.offset.len(), if format.has_offset { n_groups } else { 0 });
    let weight = |(i, q): (usize, &u8)| {
        assert!(u32::from(*q) < 1 << format.bits, "{q} has more than {} bits", format.bits);
        let w = groups.scale[i / format.group_len] * (f32::from(*q) - f32::from(format.zero));
        groups.offset.get(i / format.group_len).map_or(w, |offset| w + offset)
    };
    groups.q.iter().enumerate().map(weight).collect()
}

#[test]
fn random_blocks_are_ordinary_weights() {
    for dtype in DType::ALL {
        let n_blocks = 4096 / dtype.block_len();
        let blocks = random_blocks(*dtype, n_blocks, 7);
        assert_eq!(blocks, random_blocks(*dtype, n_blocks, 7));
        assert_ne!(blocks, random_blocks(*dtype, n_blocks, 8));

        let mut weights = vec![0.0; 4096];
        dequantize(*dtype, &blocks, &mut weights);
        let mean_square = weights.iter().map(|w| w * w).sum::<f32>() / 4096.0;
        assert!((0.01..1.0).contains(&mean_square), "{dtype}: the mean square is {mean_square}");
        assert!(weights.iter().all(|w| w.abs() <= 2.0), "{dtype}");
    }
}

#[test]
#[should_panic(expected = "dequantize: 36 bytes of Q4_0 are 64 weights")]
fn dequantize_wants_room_for_all_weights() {
    dequantize(DType::Q4_0, &[0; 36], &mut [0.0; 32]);
}

#[track_caller]
fn assert_same(dtype: DType, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        // How a NaN looks is the processor's choice.
        assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{dtype}: weight {i} is {a:e}, not {b:e}");
    }
}

/// Pairs of a block and its weights.
fn golden(dtype: DType) -> Vec<(Vec<u8>, Vec<f32>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/quant/{dtype}.txt"));
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
