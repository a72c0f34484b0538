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
