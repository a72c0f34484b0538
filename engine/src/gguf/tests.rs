use super::*;
use crate::error::ErrorKind;
use crate::rng::Rng;
use expect_test::{Expect, expect};

/// A file with a bit of everything, which all is well with.
fn small() -> Writer {
    Writer::default()
        .entry("general.architecture", "tiny")
        .entry("tiny.block_count", 2u32)
        .entry("tiny.norms", vec![0.5f32, 1.0])
        .entry("tiny.words", ["a", "bc", ""].into_iter().collect::<Strings>())
        .entry("tiny.nested", Value::Array(Array::Array(vec![Array::U8(vec![1]), Array::Bool(vec![true])])))
        .tensor("x", DType::F32, &[3], vec![1; 12])
        .tensor("w", DType::Q8_0, &[64, 2], vec![2; 4 * 34])
}

fn parse_whole(file: &[u8]) -> Result<Gguf> {
    match parse(file, file.len() as u64)? {
        Parsed::Complete(gguf) => Ok(gguf),
        Parsed::NeedMore { bytes } => panic!("the file is all there, but {bytes} bytes are wanted"),
    }
}

#[test]
fn reads_what_ggml_writes() {
    let gguf = parse_whole(include_bytes!("../../tests/golden/gguf/every_type.gguf")).unwrap();
    let nested = Array::Array(vec![Array::I32(vec![1, 2]), Array::I32(vec![3])]);
    let expected: Metadata = [
        ("general.architecture", "minnow".into()),
        ("general.description", "made by PyPI gguf 0.19.0: python engine/tests/golden/gguf/make.py".into()),
        ("general.alignment", 64u32.into()),
        ("test.u8", 255u8.into()),
        ("test.i8", (-128i8).into()),
        ("test.u16", 65535u16.into()),
        ("test.i16", (-32768i16).into()),
        ("test.u32", 4294967295u32.into()),
        ("test.i32", (-2147483648i32).into()),
        ("test.f32", (-0.5f32).into()),
        ("test.bool", true.into()),
        ("test.string", "小さな魚 🐟".into()),
        ("test.u64", u64::MAX.into()),
        ("test.i64", i64::MIN.into()),
        ("test.f64", 0.1f64.into()),
        ("test.i32s", vec![1i32, -2, 3].into()),
        ("test.f32s", vec![1.5f32, -2.5].into()),
        ("test.bools", vec![true, false, true].into()),
        ("test.strings", ["", "a", "▁the"].into_iter().collect::<Strings>().into()),
        ("test.u16s", vec![1u16, 65535].into()),
        ("test.nested", Value::Array(nested)),
    ]
    .into_iter()
    .collect();
    assert_eq!(gguf.version, 3);
    assert_eq!(gguf.metadata, expected);
    expect![[r#"
        "vector" F32 [3]: 1 rows of 3, 12 bytes at 960
        "matrix" F16 [5, 2]: 2 rows of 5, 20 bytes at 1024
        "blocks" Q4_0 [64, 3]: 3 rows of 64, 108 bytes at 1088
    "#]]
    .assert_eq(&directory(&gguf));
}

fn directory(gguf: &Gguf) -> String {
    let line = |tensor: &Tensor| {
        let Tensor { name, dtype, dims, offset, size_bytes } = tensor;
        let (rows, cols) = (tensor.rows(), tensor.cols());
        format!("{name:?} {dtype} {dims:?}: {rows} rows of {cols}, {size_bytes} bytes at {offset}\n")
    };
    gguf.tensors.iter().map(line).collect()
}

#[test]
fn reads_what_the_writer_writes() {
    let file = small().finish();
    let gguf = parse_whole(&file).unwrap();
    assert_eq!(gguf.metadata.iter().count(), 5);
    assert_eq!(gguf.metadata.strings("tiny.words").unwrap().unwrap().iter().collect::<Vec<_>>(), ["a", "bc", ""]);
    for (name, byte) in [("x", 1), ("w", 2)] {
        let tensor = gguf.tensor(name).unwrap();
        let start = usize::try_from(tensor.offset).unwrap();
        let len = usize::try_from(tensor.size_bytes).unwrap();
        assert!(file[start..start + len].iter().all(|b| *b == byte));
        assert!(tensor.offset.is_multiple_of(32));
    }
    assert_eq!(gguf.tensor("y"), None);
    assert_eq!(parse_whole(&Writer::default().finish()).unwrap().tensors, []);
}

#[test]
fn metadata_is_typed() {
    let metadata: Metadata = [
        ("text", "a".into()),
        ("byte", 7u8.into()),
        ("minus", (-1i64).into()),
        ("half", 0.5f32.into()),
        ("yes", true.into()),
        ("bytes", vec![1u8, 2].into()),
        ("signed", vec![1i32, -2].into()),
        ("floats", vec![1.0f32].into()),
    ]
    .into_iter()
    .collect();
    assert_eq!(metadata.str("text").unwrap(), Some("a"));
    assert_eq!(metadata.u32("byte").unwrap(), Some(7));
    assert_eq!(metadata.u64("byte").unwrap(), Some(7));
    assert_eq!(metadata.f32("half").unwrap(), Some(0.5));
    assert_eq!(metadata.bool("yes").unwrap(), Some(true));
    assert_eq!(metadata.f32s("floats").unwrap(), Some(&[1.0][..]));
    assert_eq!(metadata.u32s("bytes").unwrap(), Some(vec![1, 2]));
    assert_eq!(metadata.u32s("byte").unwrap(), Some(vec![7]));
    assert_eq!(metadata.u32("absent").unwrap(), None);

    let mistakes = [
        metadata.u32("minus").unwrap_err(),
        metadata.u32("text").unwrap_err(),
        metadata.str("bytes").unwrap_err(),
        metadata.f32("byte").unwrap_err(),
        metadata.u32s("signed").unwrap_err(),
        metadata.strings("floats").unwrap_err(),
    ];
    expect![[r#"
        GGUF metadata "minus" is -1, not an integer of 32 bits
        GGUF metadata "text" is a string, not an integer of 32 bits
        GGUF metadata "bytes" is an array of u8, not a string
        GGUF metadata "byte" is 7, not f32
        GGUF metadata "signed" is an array of i32, not an array of integers of 32 bits
        GGUF metadata "floats" is an array of f32, not an array of strings
    "#]]
    .assert_eq(&mistakes.map(|error| format!("{error}\n")).concat());
}

/// However few bytes come first, the header is complete after a few attempts, each with more bytes.
#[test]
fn asks_for_more() {
    let words: Strings = (0..300_000).map(|word| format!("word {word}")).collect();
    let file = small().entry("tiny.vocabulary", words).finish();
    let whole = parse_whole(&file).unwrap();
    for first in [0, 1, 4, 100, 1 << 20, file.len() - 1, file.len()] {
        let mut len = first;
        let mut attempts = 1;
        let gguf = loop {
            match parse(&file[..len], file.len() as u64).unwrap() {
                Parsed::Complete(gguf) => break gguf,
                Parsed::NeedMore { bytes } => {
                    assert!(bytes > len as u64 && bytes <= file.len() as u64);
                    len = usize::try_from(bytes).unwrap();
                }
            }
            attempts += 1;
        };
        assert_eq!(gguf, whole);
        assert!(attempts <= 5, "{attempts} attempts from {first} bytes");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = small().finish();
    for len in 0..file.len() {
        let error = parse_whole(&file[..len]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{len} bytes: {error}");
    }
}

/// Nothing here may panic, overflow or ask for memory that the file cannot fill.
#[test]
fn every_flipped_byte_is_survived() {
    let file = small().finish();
    for at in 0..file.len() {
        for flip in 1..=255 {
            let mut file = file.clone();
            file[at] ^= flip;
            check_survived(&file);
        }
    }
}

/// The same for several wrong bytes at once, half of them in the places where counts and lengths begin.
#[test]
fn many_wrong_bytes_are_survived() {
    let file = small().finish();
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let mut file = file.clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(file.len() / 8) * 8;
            let n = 1 + rng.below(8);
            rng.fill(&mut file[at..at + n]);
        }
        check_survived(&file);
    }
}

fn check_survived(file: &[u8]) {
    let file_bytes = file.len() as u64;
    // A larger file lets wrong lengths ask for more.
    for promised_bytes in [file_bytes, file_bytes + (1 << 40)] {
        if let Ok(Parsed::Complete(gguf)) = parse(file, promised_bytes) {
            for tensor in &gguf.tensors {
                assert!(tensor.offset + tensor.size_bytes <= promised_bytes);
                assert_eq!(tensor.dims.iter().product::<u64>(), (tensor.rows() * tensor.cols()) as u64);
            }
        }
    }
}

#[track_caller]
fn check_error(file: &[u8], expected: Expect) {
    let error = parse_whole(file).unwrap_err();
    expected.assert_eq(&format!("{:?}: {error}", error.kind()));
}

#[test]
fn says_what_is_not_gguf() {
    check_error(b"", expect!["Invalid: the file is empty"]);
    check_error(
        b"GG",
        expect!["Invalid: 4 bytes should follow byte 0, but the file ends at byte 2: it is truncated or damaged"],
    );
    check_error(
        b"Access to model x/y is restricted.",
        expect![[r#"Invalid: this is not a GGUF file: it begins with "Access to model x/y is restricted.""#]],
    );
    check_error(
        b"\n<!DOCTYPE html><html>",
        expect![
            "Invalid: this is not a GGUF file: it looks like a web page; the address may be wrong, or need a login"
        ],
    );
    check_error(
        b"version https://git-lfs.github.com/spec/v1\noid",
        expect!["Invalid: this is not a GGUF file: it looks like a Git LFS pointer, not the file it points to"],
    );
    check_error(
        b"\x10\0\0\0\0\0\0\0{\"a\":{\"dtype\":",
        expect![
            "Invalid: this is not a GGUF file: it looks like safetensors; the model must be converted to GGUF first"
        ],
    );
    check_error(
        b"PK\x03\x04data.pkl",
        expect!["Invalid: this is not a GGUF file: it looks like a zip archive or a PyTorch checkpoint"],
    );
    check_error(b"\x1f\x8b\x08\0", expect!["Invalid: this is not a GGUF file: it looks like a gzip archive"]);
    check_error(
        b"tjgg\x03\0\0\0",
        expect!["Invalid: this is not a GGUF file: it looks like a model in one of ggml's formats from before GGUF"],
    );
    check_error(b"{\"error\":1}", expect!["Invalid: this is not a GGUF file: it looks like JSON"]);
    check_error(
        &[0; 100],
        expect!["Invalid: this is not a GGUF file: it looks like zeros; its download may have been interrupted"],
    );
    check_error(
        b"GGUF\x01\0\0\0",
        expect![
            "Unsupported: this GGUF file is version 1, which is too old: little-endian versions 2 and 3 can be read"
        ],
    );
    check_error(
        b"GGUF\0\0\0\x03",
        expect!["Unsupported: this GGUF file is big-endian: little-endian versions 2 and 3 can be read"],
    );
    check_error(
        b"GGUF\x09\0\0\0",
        expect![
            "Unsupported: this GGUF file is version 9, which is not known: little-endian versions 2 and 3 can be read"
        ],
    );
}

#[test]
fn version_2_is_read() {
    let mut file = small().finish();
    file[4] = 2;
    assert_eq!(parse_whole(&file).unwrap().version, 2);
}

/// A header of one entry: key "k", then these bytes.
fn entry(rest: &[&[u8]]) -> Vec<u8> {
    let start: [&[u8]; 5] = [b"GGUF\x03\0\0\0", &u64(0), &u64(1), &u64(1), b"k"];
    [start.concat(), rest.concat()].concat()
}

fn u32(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

fn u64(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

#[test]
fn says_what_is_wrong_with_metadata() {
    check_error(
        &small().entry("tiny.norms", 1u8).finish(),
        expect![[r#"Invalid: GGUF metadata "tiny.norms" is there twice"#]],
    );
    check_error(
        &small().entry("general.alignment", 48u32).finish(),
        expect![[r#"Invalid: GGUF metadata "general.alignment" is 48, not a power of two"#]],
    );
    check_error(
        &small().entry("general.alignment", "32").finish(),
        expect![[r#"Invalid: GGUF metadata "general.alignment" is a string, not a positive integer"#]],
    );
    check_error(
        &entry(&[&u32(13)]),
        expect![[
            r#"Invalid: GGUF metadata "k": type 13, read before byte 37 of the file, is not one that GGUF metadata has"#
        ]],
    );
    check_error(
        &entry(&[&u32(8), &u64(2), b"\xC3\x28"]),
        expect![[r#"Invalid: GGUF metadata "k": the text at byte 45 of the file is not UTF-8"#]],
    );
    check_error(
        &entry(&[&u32(8), &u64(100), b"short"]),
        expect![[
            r#"Invalid: GGUF metadata "k": 100 bytes should follow byte 45, but the file ends at byte 50: it is truncated or damaged"#
        ]],
    );
    check_error(
        &entry(&[&u32(8), &u64(u64::MAX)]),
        expect![[
            r#"Invalid: GGUF metadata "k": 18446744073709551615 bytes should follow byte 45, but the file ends at byte 45: it is truncated or damaged"#
        ]],
    );
    check_error(
        &entry(&[&u32(9), &u32(10), &u64(u64::MAX)]),
        expect![[
            r#"Invalid: GGUF metadata "k": 18446744073709551615 bytes should follow byte 49, but the file ends at byte 49: it is truncated or damaged"#
        ]],
    );
    check_error(
        &entry(&[&u32(9), &u32(8), &u64(1 << 40), &u64(1), b"a"]),
        expect![[
            r#"Invalid: GGUF metadata "k": string 1 of 1099511627776: 8 bytes should follow byte 58, but the file ends at byte 58: it is truncated or damaged"#
        ]],
    );
    check_error(
        &entry(&[&u32(9), &u32(9), &u64(1 << 40)]),
        expect![[
            r#"Invalid: GGUF metadata "k": 4 bytes should follow byte 49, but the file ends at byte 49: it is truncated or damaged"#
        ]],
    );
    let nested = [u32(9).as_slice(), &u64(1)].concat().repeat(100);
    check_error(
        &entry(&[&u32(9), &nested]),
        expect![[r#"Invalid: GGUF metadata "k": arrays are nested deeper than 8 at byte 145 of the file"#]],
    );
    check_error(
        &[b"GGUF\x03\0\0\0".as_slice(), &u64(0), &u64(u64::MAX)].concat(),
        expect![
            "Invalid: GGUF metadata, key 0 of 18446744073709551615: 8 bytes should follow byte 24, but the file ends at byte 24: it is truncated or damaged"
        ],
    );
}

/// A length that a file of many gigabytes could hold, but no header has.
#[test]
fn never_asks_for_the_whole_file() {
    let file = entry(&[&u32(8), &u64(3 << 30)]);
    let error = parse(&file, 4 << 30).unwrap_err();
    expect![[r#"GGUF metadata "k": 3221225472 bytes from byte 45 of the file are more than a header can have"#]]
        .assert_eq(&error.to_string());
}

/// A header of one tensor "t" with these dimensions, type and offset, then `room` bytes.
fn tensor(dims: &[u64], id: u32, offset: u64, room: usize) -> Vec<u8> {
    let mut file = [b"GGUF\x03\0\0\0".as_slice(), &u64(1), &u64(0), &u64(1), b"t"].concat();
    file.extend(u32(u32::try_from(dims.len()).unwrap()));
    file.extend(dims.iter().flat_map(|dim| u64(*dim)));
    file.extend(u32(id));
    file.extend(u64(offset));
    file.resize(file.len().next_multiple_of(32) + room, 0);
    file
}

#[test]
fn says_what_is_wrong_with_tensors() {
    let f32 = |n: usize| vec![0; 4 * n];
    check_error(
        &small().tensor("x", DType::F32, &[1], f32(1)).finish(),
        expect![[r#"Invalid: tensor "x" is there twice"#]],
    );
    check_error(&tensor(&[1; 5], 0, 0, 4), expect![[r#"Invalid: tensor "t": it has 5 dimensions, more than 4"#]]);
    check_error(&tensor(&[3, 0], 0, 0, 4), expect![[r#"Invalid: tensor "t": its shape [3, 0] is empty"#]]);
    check_error(
        &tensor(&[33], 2, 0, 18),
        expect![[r#"Invalid: tensor "t": its rows of 33 are not whole blocks of 32 (Q4_0)"#]],
    );
    check_error(
        &tensor(&[1 << 40, 1 << 40], 0, 0, 4),
        expect![[r#"Invalid: tensor "t": its shape [1099511627776, 1099511627776] is too large"#]],
    );
    check_error(
        &tensor(&[1 << 62], 0, 0, 4),
        expect![[r#"Invalid: tensor "t": its shape [4611686018427387904] is too large"#]],
    );
    check_error(&tensor(&[1], 0, 8, 64), expect![[r#"Invalid: tensor "t": its offset 8 is not a multiple of 32"#]]);
    check_error(
        &tensor(&[1], 0, u64::MAX - 31, 64),
        expect![[r#"Invalid: tensor "t": its offset 18446744073709551584 is too large"#]],
    );
    check_error(
        &tensor(&[8], 0, 32, 63),
        expect![[r#"Invalid: the file is truncated: it has 127 bytes, and its last tensor "t" ends at 128"#]],
    );
    let known: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.name()).collect();
    let known = known.join(", ");
    for (id, name) in [(24, "24 (I8)"), (99, "99")] {
        let error = parse_whole(&tensor(&[256], id, 0, 66)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), format!("tensor \"t\": its type is {name}: only {known} can be read"));
    }

    // The directory says that "y" is longer than its bytes: "z" begins within it.
    let overlap = small().tensor("y", DType::F32, &[9], f32(8)).tensor("z", DType::F32, &[8], f32(8));
    check_error(&overlap.finish(), expect![[r#"Invalid: tensors "y" and "z" overlap"#]]);
}

#[test]
fn a_tensor_of_no_dimensions_is_one_number() {
    let gguf = parse_whole(&tensor(&[], 0, 0, 4)).unwrap();
    assert_eq!((gguf.tensors[0].rows(), gguf.tensors[0].cols()), (1, 1));
}
