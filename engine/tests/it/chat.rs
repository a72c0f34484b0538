//! Chat templates against Jinja2 as Hugging Face sets it up: `golden/chat/make.py`.

use engine::chat::{Now, RenderOptions, Template};
use engine::protocol::Message;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

#[derive(Deserialize)]
struct Golden {
    now_unix_secs: i64,
    conversations: HashMap<String, Vec<Message>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    conversation: String,
    bos: String,
    eos: String,
    add_generation_prompt: bool,
    thinking: bool,
    expected: Option<String>,
    error: Option<String>,
}

#[test]
fn prompts_equal_hugging_face() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chat");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let golden: Golden = serde_json::from_str(&read("expected.json")).expect("make.py writes JSON");
    assert!(golden.cases.len() > 100);

    for case in &golden.cases {
        let name = format!("{} {} {}", case.template, case.conversation, case.thinking);
        let template = Template::from_source(&read(&case.template), &case.bos, &case.eos).expect(&name);
        let options = RenderOptions {
            add_generation_prompt: case.add_generation_prompt,
            thinking: case.thinking,
            now: Now { unix_secs: golden.now_unix_secs, utc_offset_secs: 0 },
        };
        let prompt = template.render_as_it_is(&golden.conversations[&case.conversation], &options);
        match (&case.expected, &case.error) {
            (Some(expected), _) => assert_eq!(prompt.expect(&name), *expected, "{name}"),
            (None, Some(message)) => {
                let error = prompt.expect_err(&name).to_string();
                assert!(error.contains(message), "{name}: {error}");
            }
            (None, None) => panic!("{name}: nothing is expected"),
        }
    }
}

/// `golden/chat/snippets.json`.
#[derive(Deserialize)]
struct Snippets {
    now_unix_secs: i64,
    messages: Vec<Message>,
    /// A template, and what Jinja2 renders; none where it fails.
    cases: Vec<(String, Option<String>)>,
}

/// An entry of `golden/chat/differences.json`: snippets that are rendered in another way, and why that is right.
#[derive(Deserialize)]
struct Difference {
    #[expect(dead_code, reason = "it is for the reader of the file")]
    why: String,
    snippets: Vec<String>,
}

#[test]
fn snippets_equal_jinja2() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chat/snippets.json");
    let text = std::fs::read_to_string(&path).expect("it is in the repository");
    let snippets: Snippets = serde_json::from_str(&text).expect("snippets.py writes JSON");
    assert!(snippets.cases.len() > 500);
    let options = RenderOptions {
        add_generation_prompt: true,
        thinking: false,
        now: Now { unix_secs: snippets.now_unix_secs, utc_offset_secs: 0 },
    };
    let mut differing: Vec<&str> = Vec::new();
    for (source, expected) in &snippets.cases {
        let rendered = Template::from_source(source, "<s>", "</s>")
            .and_then(|template| template.render_as_it_is(&snippets.messages, &options));
        if rendered.as_ref().ok() != expected.as_ref() {
            differing.push(source);
        }
    }
    let text = std::fs::read_to_string(path.with_file_name("differences.json")).expect("it is in the repository");
    let differences: Vec<Difference> = serde_json::from_str(&text).expect("it is a list of differences");
    let argued: Vec<&str> =
        differences.iter().flat_map(|difference| &difference.snippets).map(String::as_str).collect();
    let unexpected: Vec<_> = differing.iter().filter(|source| !argued.contains(source)).collect();
    assert!(unexpected.is_empty(), "not as Jinja2 renders them: {unexpected:#?}");
    let gone: Vec<_> = argued.iter().filter(|source| !differing.contains(source)).collect();
    assert!(gone.is_empty(), "these are equal now, so they can go from differences.json: {gone:#?}");
}
