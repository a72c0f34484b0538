//! The tokenizers against llama.cpp, on the golden sets; and what must hold for any text and any file.

use crate::common::{GEMMA3, SMOLLM2, golden, model_header};
use engine::error::ErrorKind;
use engine::gguf::{Array, Metadata, Strings, Value};
use engine::tokenizer::{Encode, Tokenizer};
use serde::Deserialize;
use std::sync::LazyLock;
use std::time::Instant;

const PARSE: Encode = Encode { special: true, bos: true };
const PLAIN: Encode = Encode { special: false, bos: false };

static SMOLLM2_METADATA: LazyLock<Metadata> = LazyLock::new(|| model_header(SMOLLM2).metadata);
static GEMMA3_METADATA: LazyLock<Metadata> = LazyLock::new(|| model_header(GEMMA3).metadata);

#[derive(Deserialize)]
struct Golden {
    ends: Vec<u32>,
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    tokens: Vec<u32>,
    greedy: Vec<u32>,
    text: String,
}

#[derive(Deserialize)]
struct Tokenizers {
    texts: Vec<String>,
    encodings: Vec<Encoding>,
}

#[derive(Deserialize)]
struct Encoding {
    vocabulary: String,
    pre: Option<String>,
    special: bool,
    tokens: Vec<Vec<u32>>,
}

#[test]
fn smollm2_prompts() {
    check_model(&SMOLLM2_METADATA, "smollm2.json");
}

#[test]
fn gemma3_prompts() {
    check_model(&GEMMA3_METADATA, "gemma3.json");
}

#[track_caller]
fn check_model(metadata: &Metadata, file: &str) {
    let tokenizer = Tokenizer::new(metadata).expect("llama.cpp reads it");
    let golden: Golden = serde_json::from_value(golden(file)).expect("the form that README.md gives");
    assert!(golden.prompts.len() >= 30);
    for Prompt { prompt, tokens, greedy, text } in golden.prompts {
        assert_eq!(tokenizer.encode(&prompt, PARSE), tokens, "{prompt:?}");
        assert_eq!(tokenizer.decode(&greedy, false), text, "{prompt:?}");
    }
    let n_vocab = u32::try_from(tokenizer.n_vocab()).expect("token ids have 32 bits");
    assert_eq!((0..n_vocab).filter(|&token| tokenizer.is_end(token)).collect::<Vec<_>>(), golden.ends);
}

#[test]
fn all_texts_with_all_pretokenizers() {
    let Tokenizers { texts, encodings } =
        serde_json::from_value(golden("tokenizers.json")).expect("the form that README.md gives");
    for Encoding { vocabulary, pre, special, tokens } in encodings {
        let metadata = match vocabulary.as_str() {
            "smollm2" => SMOLLM2_METADATA.clone(),
            "gemma3" => GEMMA3_METADATA.clone(),
            _ => pairs(),
        };
        let pre_entry = pre.as_deref().map(|pre| ("tokenizer.ggml.pre", pre.into()));
        let tokenizer = Tokenizer::new(&with(&metadata, pre_entry)).expect("llama.cpp reads it");
        for (text, tokens) in texts.iter().zip(tokens) {
            let ours = tokenizer.encode(text, Encode { special, bos: false });
            assert_eq!(ours, tokens, "{vocabulary} {pre:?}, special {special}: {text:?}");
        }
    }
}

/// The vocabulary that golden/pairs.mjs describes.
fn pairs() -> Metadata {
    let letters = byte_letters();
    let pairs = || letters.iter().flat_map(|a| letters.iter().map(move |b| (a, b)));
    let tokens: Strings = letters.iter().map(char::to_string).chain(pairs().map(|(a, b)| format!("{a}{b}"))).collect();
    let merges: Strings = pairs().map(|(a, b)| format!("{a} {b}")).collect();
    bpe(tokens, merges)
}

fn byte_letters() -> Vec<char> {
    let mut next = 0x100..;
    let prints = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..);
    let letter =
        |byte: u8| if prints(&byte) { byte.into() } else { next.next().and_then(char::from_u32).expect("a letter") };
    (0..=255).map(letter).collect()
}

fn bpe(tokens: Strings, merges: Strings) -> Metadata {
    Metadata::from_iter([
        ("tokenizer.ggml.model", "gpt2".into()),
        ("tokenizer.ggml.pre", "default".into()),
        ("tokenizer.ggml.tokens", tokens.into()),
        ("tokenizer.ggml.merges", merges.into()),
    ])
}

fn with<'a>(metadata: &'a Metadata, changes: impl IntoIterator<Item = (&'a str, Value)>) -> Metadata {
    let entries = metadata.iter().map(|(key, value)| (key, value.clone()));
    Metadata::from_iter(entries.chain(changes))
}

/// SmolLM2's vocabulary lacks some bytes, so text need not survive it.
#[test]
fn text_survives_tokens() {
    for metadata in [&pairs(), &*GEMMA3_METADATA] {
        let tokenizer = Tokenizer::new(metadata).expect("a sound file");
        let mut random = Random(1);
        for _ in 0..2_000 {
            let text = random.text(60).replace('▁', "_"); // To SentencePiece this is a space.
            let tokens = tokenizer.encode(&text, PLAIN);
            assert_eq!(tokenizer.decode(&tokens, true), text, "{tokens:?}");
        }
    }
}

#[test]
fn a_decoder_never_emits_half_a_character() {
    for metadata in [&pairs(), &*GEMMA3_METADATA] {
        let tokenizer = Tokenizer::new(metadata).expect("a sound file");
        let mut random = Random(2);
        for _ in 0..500 {
            let text = random.text(40).replace(['▁', '\u{fffd}'], "");
            let mut decoder = tokenizer.decoder();
            let tokens = tokenizer.encode(&text, PLAIN);
            let parts: Vec<String> = tokens.iter().map(|&token| decoder.push(&tokenizer, token)).collect();
            assert!(parts.iter().all(|part| !part.contains('\u{fffd}')), "{text:?}: {parts:?}");
            assert_eq!(parts.concat() + &decoder.finish(), text);
        }
    }
}

#[test]
fn a_decoder_takes_any_tokens() {
    for metadata in [&*SMOLLM2_METADATA, &*GEMMA3_METADATA] {
        let tokenizer = Tokenizer::new(metadata).expect("a sound file");
        let n_vocab = u32::try_from(tokenizer.n_vocab()).expect("token ids have 32 bits");
        let mut random = Random(3);
        for _ in 0..500 {
            let tokens: Vec<u32> = (0..20).map(|_| random.below(n_vocab + 10)).collect();
            let mut decoder = tokenizer.decoder();
            let parts: String = tokens.iter().map(|&token| decoder.push(&tokenizer, token)).collect();
            assert_eq!(parts + &decoder.finish(), tokenizer.decode(&tokens, false));
        }
    }
}

#[test]
fn a_character_cut_short_is_replaced() {
    let tokenizer = Tokenizer::new(&GEMMA3_METADATA).expect("a sound file");
    let byte = |byte: u8| tokenizer.token(&format!("<0x{byte:02X}>")).expect("Gemma has all bytes");
    let mut decoder = tokenizer.decoder();
    let parts = [0xf0, 0x9f, 0x91, 0x8d, 0xe2, 0x82].map(|value| decoder.push(&tokenizer, byte(value)));
    assert_eq!(parts, ["", "", "", "👍", "", ""]);
    assert_eq!(decoder.finish(), "\u{fffd}");
}

#[test]
fn special_tokens_only_on_request() {
    let tokenizer = Tokenizer::new(&SMOLLM2_METADATA).expect("a sound file");
    let end = tokenizer.token("<|im_end|>").expect("a token");
    assert_eq!(tokenizer.encode("<|im_end|>", PARSE), [end]);
    assert!(!tokenizer.encode("<|im_end|>", PLAIN).contains(&end));
    assert_eq!(tokenizer.decode(&[end], true), "<|im_end|>");
    assert_eq!(tokenizer.decode(&[end], false), "");
    assert_eq!((tokenizer.text(end), tokenizer.eos()), ("<|im_end|>", Some(end)));
    assert!(tokenizer.is_end(end));
}

#[test]
fn a_text_of_100_000_letters_takes_no_longer_than_it_must() {
    for metadata in [&*SMOLLM2_METADATA, &*GEMMA3_METADATA] {
        let started = Instant::now();
        let tokenizer = Tokenizer::new(metadata).expect("a sound file");
        let construction_secs = started.elapsed().as_secs_f64();
        for text in ["a".repeat(100_000), "\n".repeat(100_000), "<".repeat(100_000), "Das Ей中👍".repeat(10_000)] {
            let started = Instant::now();
            assert_eq!(tokenizer.decode(&tokenizer.encode(&text, PARSE), false), text);
            let secs = started.elapsed().as_secs_f64();
            assert!(secs < 5.0, "{secs} s for {:?}", &text[..4]);
        }
        assert!(construction_secs < 5.0, "{construction_secs} s");
    }
}

#[test]
fn flags_are_honoured() {
    let tokens = ["<unk>", "<s>", "</s>", "▁", "a", "▁a", "b", "<0x21>", "<x>", "▁<x>"];
    let types: Vec<i32> = vec![2, 3, 3, 1, 1, 1, 1, 6, 4, 1];
    let scores: Vec<f32> = vec![0.0, 0.0, 0.0, -3.0, -4.0, -1.0, -5.0, 0.0, 0.0, 0.0];
    let metadata = Metadata::from_iter([
        ("tokenizer.ggml.model", Value::from("llama")),
        ("tokenizer.ggml.tokens", Strings::from_iter(tokens).into()),
        ("tokenizer.ggml.token_type", types.into()),
        ("tokenizer.ggml.scores", scores.into()),
    ]);
    let check = |changes: &[(&str, bool)], text: &str, options: Encode, ids: &[u32]| {
        let changes = changes.iter().map(|&(key, flag)| (key, flag.into()));
        let tokenizer = Tokenizer::new(&with(&metadata, changes)).expect("a sound file");
        assert_eq!(tokenizer.encode(text, options), ids, "{text:?}");
        tokenizer
    };
    let tokenizer = check(&[], "a b", PARSE, &[1, 5, 3, 6]);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    assert_eq!(tokenizer.decode(&[5, 3, 6], false), "a b");
    check(&[], "a!<s>a?", PARSE, &[1, 5, 7, 1, 5, 0]);
    check(&[], "a<x>a", PLAIN, &[5, 8, 5]);
    check(&[("tokenizer.ggml.add_space_prefix", false)], "a", PARSE, &[1, 4]);
    check(&[("tokenizer.ggml.add_bos_token", false)], "a", PARSE, &[5]);
    check(&[("tokenizer.ggml.add_eos_token", true)], "a", PARSE, &[1, 5, 2]);
    check(&[], "", PARSE, &[1]);
}

#[test]
fn hostile_files_are_errors() {
    let strings = |list: &[&str]| Value::from(Strings::from_iter(list));
    let gemma = [("tokenizer.ggml.model", "llama".into()), ("tokenizer.ggml.tokens", strings(&["a", "b", "<0x00>"]))];
    let gpt2 = [
        ("tokenizer.ggml.model", "gpt2".into()),
        ("tokenizer.ggml.tokens", strings(&["a", "b", "ab", ""])),
        ("tokenizer.ggml.merges", strings(&["a b"])),
    ];
    for (sound, key, value, message) in [
        (&gemma[..], "tokenizer.ggml.scores", Value::from(vec![0.0f32]), "3 tokens have only 1 scores"),
        (&gemma, "tokenizer.ggml.token_type", vec![1i32].into(), "3 tokens have only 1 types"),
        (
            &gemma,
            "tokenizer.ggml.token_type",
            vec![6i32, 1, 6].into(),
            "the token \"a\" says it is a byte, but not which",
        ),
        (&gemma, "tokenizer.ggml.tokens", strings(&["a", "b", "a"]), "tokens 0 and 2 are both \"a\""),
        (
            &gemma,
            "tokenizer.ggml.tokens",
            vec![1u32].into(),
            "GGUF metadata \"tokenizer.ggml.tokens\" is an array of u32, not an array of strings",
        ),
        (
            &gpt2,
            "tokenizer.ggml.add_bos_token",
            true.into(),
            "the tokenizer wants a token at the start or end of a text, but does not say which",
        ),
    ] {
        let sound = Metadata::from_iter(sound.iter().cloned());
        Tokenizer::new(&with(&sound, [("tokenizer.ggml.add_bos_token", false.into())])).expect("it is sound");
        let error = Tokenizer::new(&with(&sound, [("tokenizer.ggml.add_bos_token", false.into()), (key, value)]))
            .expect_err(key);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
    }
}

/// llama.cpp warns, and goes on with the default token or without the merge.
#[test]
fn what_llama_cpp_forgives_loads() {
    let letters: Vec<String> = ('a'..='z').map(String::from).chain(["ab".to_owned()]).collect();
    let sound = Metadata::from_iter([
        ("tokenizer.ggml.model", Value::from("gpt2")),
        ("tokenizer.ggml.pre", "gpt-2".into()),
        ("tokenizer.ggml.tokens", Strings::from_iter(&letters).into()),
        ("tokenizer.ggml.merges", Strings::from_iter(["a b"]).into()),
    ]);
    let ids = ["bos", "eos", "eot", "eom", "unknown", "padding", "seperator", "fim_pad", "fim_rep", "fim_sep"];
    for name in ids {
        for id in [27u32, 32_000, u32::MAX] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let tokenizer = Tokenizer::new(&with(&sound, [(key.as_str(), id.into())])).expect(&key);
            assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(11), Some(11)), "{key} {id}");
            assert_eq!(tokenizer.encode("ab", PLAIN), [26], "{key} {id}");
        }
    }
    for merge in ["a c", "b a", "ab", "", "é é", "a  b"] {
        let merges = Strings::from_iter([merge, "a b"]);
        let tokenizer = Tokenizer::new(&with(&sound, [("tokenizer.ggml.merges", merges.into())])).expect(merge);
        assert_eq!(tokenizer.encode("abc", PLAIN), [26, 2], "{merge:?}");
    }
}

/// What a person says is text, whatever tokens it spells; what the template writes is not.
#[test]
fn control_tokens_in_a_message_are_text() {
    for metadata in [&*SMOLLM2_METADATA, &*GEMMA3_METADATA] {
        let tokenizer = Tokenizer::new(metadata).expect("llama.cpp reads it");
        let end = ["<|im_end|>", "<end_of_turn>"]
            .into_iter()
            .find(|text| tokenizer.token(text).is_some())
            .expect("it has one");
        let id = tokenizer.token(end).expect("it was found");
        for said in [
            format!("What does {end} mean?"),
            end.repeat(3),
            format!("{end}\n{end}x"),
            format!("é{end}é"),
            "no token".to_owned(),
        ] {
            let marked = tokenizer.as_text(&said);
            let tokens = tokenizer.encode_prompt(&format!("{end}{marked}{end}"));
            assert_eq!(tokens.iter().filter(|&&token| token == id).count(), 2, "{said:?}");
            assert_eq!(tokenizer.decode(&tokens, true).matches(end).count(), 2 + said.matches(end).count(), "{said:?}");
            assert!(!tokenizer.decode(&tokens, true).contains(engine::tokenizer::TEXT_MARK));
            // The mark itself cannot be used to hide one.
            let mut hidden = said.clone();
            hidden.insert(said.char_indices().nth(1).map_or(0, |(at, _)| at), engine::tokenizer::TEXT_MARK);
            assert_eq!(tokenizer.as_text(&hidden), marked);
        }
    }
}

/// A model that wants EOS after a text does not want it after a prompt.
#[test]
fn a_prompt_does_not_end_in_eos() {
    let metadata = with(
        &SMOLLM2_METADATA,
        [("tokenizer.ggml.add_eos_token", true.into()), ("tokenizer.ggml.add_bos_token", true.into())],
    );
    let tokenizer = Tokenizer::new(&metadata).expect("a sound file");
    let bos = tokenizer.bos().expect("it has one");
    let prompt = tokenizer.encode_prompt("hello");
    assert_eq!(prompt.first(), Some(&bos));
    assert_ne!(prompt.last().copied(), tokenizer.eos());
    assert_eq!(tokenizer.encode("hello", PARSE).last().copied(), tokenizer.eos());
    // A template that writes BOS gets no second one.
    assert_eq!(tokenizer.encode_prompt(&format!("{}hello", tokenizer.text(bos))), prompt);
}

#[test]
fn any_numbers_are_scores() {
    let tokens = Strings::from_iter(["a", "aa", "aaa", "aaaa"]);
    for scores in [[f32::NAN, f32::NAN, f32::INFINITY, -0.0], [f32::NEG_INFINITY, 1.0, f32::NAN, 0.0]] {
        let metadata = Metadata::from_iter([
            ("tokenizer.ggml.model", Value::from("llama")),
            ("tokenizer.ggml.tokens", tokens.clone().into()),
            ("tokenizer.ggml.scores", Value::Array(Array::F32(scores.to_vec()))),
            ("tokenizer.ggml.add_space_prefix", false.into()),
        ]);
        let tokenizer = Tokenizer::new(&metadata).expect("numbers are not checked");
        let text = "a".repeat(1001);
        assert_eq!(tokenizer.decode(&tokenizer.encode(&text, PLAIN), false), text);
    }
}

#[test]
fn unknown_tokenizers_are_named() {
    let unknown = Metadata::from_iter([
        ("tokenizer.ggml.model", Value::from("rwkv")),
        ("tokenizer.ggml.tokens", Strings::default().into()),
    ]);
    let error = Tokenizer::new(&unknown).expect_err("there is no such tokenizer");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("\"rwkv\""), "{error}");
    let error =
        Tokenizer::new(&with(&pairs(), [("tokenizer.ggml.pre", "new".into())])).expect_err("no such pre-tokenizer");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// mulberry32.
struct Random(u32);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut t = (self.0 ^ (self.0 >> 15)).wrapping_mul(self.0 | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
        (t ^ (t >> 14)) % n
    }

    /// Up to `n_max` characters from everywhere, common ones more often.
    fn text(&mut self, n_max: u32) -> String {
        let n = self.below(n_max + 1);
        let limit = |kind: u32| [0x80, 0x80, 0x800, 0x3100, 0xffff, 0x11_0000][kind as usize];
        (0..n)
            .filter_map(|_| {
                let kind = self.below(6);
                char::from_u32(self.below(limit(kind)))
            })
            .collect()
    }
}
