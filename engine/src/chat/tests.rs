use super::*;
use crate::error::ErrorKind;
use expect_test::{Expect, expect};

const OPTIONS: RenderOptions =
    RenderOptions { add_generation_prompt: true, thinking: false, now: Now { unix_secs: 0, utc_offset_secs: 0 } };

fn template(source: &str) -> Template {
    Template::from_source(source, "<s>", "</s>").expect("it compiles")
}

fn message(role: Role, content: &str) -> Message {
    Message { role, content: content.into() }
}

fn render(source: &str) -> Result<String> {
    template(source).render(&[message(Role::User, "hi")], &OPTIONS)
}

/// The message of the error, however long it takes to find.
#[track_caller]
fn check_error(source: &str, expected: Expect) {
    let error = Template::from_source(source, "", "")
        .and_then(|template| template.render(&[message(Role::User, "hi")], &OPTIONS))
        .expect_err("it cannot be rendered");
    assert_eq!(error.kind(), ErrorKind::Template);
    expected.assert_eq(&error.to_string());
}

#[test]
fn errors_say_what_and_where() {
    check_error(
        "{{ raise_exception('no tools, please') }}",
        expect!["The model's chat template refuses this conversation: no tools, please"],
    );
    check_error("a\nb\n{{ messages[0].x.y }}", expect!["The model's chat template failed: undefined value in line 3."]);
    check_error(
        "{% if %}",
        expect!["The model's chat template failed: syntax error (unexpected end of block) in line 1."],
    );
    check_error(
        "{{ nothing() }}",
        expect!["The model's chat template failed: unknown function (nothing is unknown) in line 1."],
    );
    check_error(
        "{% include 'x' %}",
        expect![[
            r#"The model's chat template failed: template not found (tried to include non-existing template "x") in line 1."#
        ]],
    );
}

#[test]
fn time_is_bounded() {
    check_error(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        expect!["The model's chat template takes too long in line 1."],
    );
    check_error(
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        expect!["The model's chat template failed: invalid operation (recursion limit exceeded) in line 1."],
    );
    check_error(
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (recursion limit exceeded) in line 1."],
    );
    check_error(
        "{{ range(1000000000) | list }}",
        expect!["The model's chat template failed: invalid operation (range has too many elements) in line 1."],
    );
    // What takes long in one step.
    for walk in
        ["list|length", "reverse|first", "last", "map('string')|first", "select|first", "sort|first", "unique|max"]
    {
        let started = std::time::Instant::now();
        let source = format!("{{% for i in range(6000) %}}{{% if range(100000)|{walk} %}}{{% endif %}}{{% endfor %}}");
        check_error(
            &source,
            expect![
                "The model's chat template failed: invalid operation (what it makes is larger than 67110912 bytes) in line 1."
            ],
        );
        assert!(started.elapsed().as_secs() < 10, "{walk} took {:?}", started.elapsed());
    }
}

#[test]
fn memory_is_bounded() {
    // Doubling, by every way there is.
    check_error(
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s] %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is nested too deeply) in line 1."],
    );
    check_error(
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = dict(a=ns.s, b=ns.s) %}{% endfor %}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{% macro f(s) %}{{ f(s ~ s) }}{% endmacro %}{{ f('ab') }}",
        expect!["The model's chat template failed: invalid operation (recursion limit exceeded) in line 1."],
    );
    check_error(
        &format!("{{% set s = 'ab' %}}{}", "{% set s %}{{ s }}{{ s }}{% endset %}".repeat(99)),
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        &format!("{{% set s = 'ab' %}}{}", "{% set s = s.replace('a', s) %}".repeat(99)),
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        &format!("{{% set s = 'ab' %}}{}", "{% set s = s | replace('a', s) %}".repeat(99)),
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        &format!("{{% set s = 'ab' %}}{}", "{% set s = s.join([s, s, s]) %}".repeat(99)),
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{{ 'a' * 100000000 }}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{{ ([1] * 100000000) | join }}",
        expect!["The model's chat template failed: invalid operation (a value is larger than 262152 bytes) in line 1."],
    );
    check_error(
        "{{ ('\\n' * 200000) | indent(4096, blank=true) }}",
        expect![
            "The model's chat template failed: invalid operation (what it makes is larger than 67110912 bytes) in line 1."
        ],
    );
    check_error(
        "{{ '{:>1000000000}'.format('a') }}",
        expect![
            "The model's chat template failed: invalid operation (a field is at most 4096 characters wide) in line 1."
        ],
    );
    // Printing.
    check_error(
        &format!("{{% for i in range(20000) %}}{}{{% endfor %}}", "text ".repeat(2000)),
        expect!["The model's chat template takes too long in line 1."],
    );
    check_error(
        "{% set s = 'text' * 10000 %}{% for i in range(9999) %}{{ s }}{% endfor %}",
        expect![
            "The model's chat template failed: invalid operation (what it makes is larger than 67110912 bytes) in line 1."
        ],
    );
    // A thing that contains itself.
    check_error(
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns ~ '' }}",
        expect!["The model's chat template failed: invalid operation (a value is nested too deeply) in line 1."],
    );
    check_error(
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns ~ '' }}",
        expect!["The model's chat template failed: invalid operation (a value is nested too deeply) in line 1."],
    );
}

/// All of this on the megabyte of stack that a WebAssembly thread has.
#[test]
fn the_stack_is_enough() {
    let nested = |open: &str, close: &str, n: usize| format!("{{{{ {}a{} }}}}", open.repeat(n), close.repeat(n));
    let sources = [
        nested("(", ")", 100_000),
        nested("[", "]", 900),
        nested("[", "]", 100),
        nested("not ", "", 900),
        nested("-", "", 900),
        nested("f(", ")", 100),
        nested("", ".a", 499),
        nested("", "|trim", 499),
        nested("", "[0]", 330),
        nested("", "()", 499),
        nested("", " ~ a", 100),
        nested("", " - a", 499),
        nested("", " and a", 499),
        nested("", " if a else a", 249),
        nested("", " == a", 499),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(200)),
        format!("{}{}", "{% if a %}".repeat(140), "{% endif %}".repeat(140)),
        format!("{}{}", "{% for a in b %}".repeat(140), "{% endfor %}".repeat(140)),
        format!("{}{}", "{% for a in [1] %}".repeat(100), "{% endfor %}".repeat(100)),
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".into(),
        "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}".into(),
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}".into(),
        "{% set ns = namespace(s='a') %}{% for i in range(9999) %}{% set ns.s = dict(a=ns.s) %}{% endfor %}".into(),
        "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = ns.s + [1] %}{% endfor %}{{ ns.s|length }}".into(),
        "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = ns.s|map('upper') %}{% endfor %}".into(),
        "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = ns.s[0:] %}{% endfor %}{{ ns.s }}".into(),
        "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = ns.s|reverse %}{% endfor %}{{ ns.s }}".into(),
        format!("{{% set s = [1] %}}{}{{{{ s }}}}", "{% set s = s[0:] %}".repeat(9999)),
        format!("{{% set s = [1] %}}{}{{{{ s }}}}", "{% set s, t = s[0:], 1 %}".repeat(9999)),
        format!("{{% set s = {{'a': [1]}} %}}{}{{{{ s }}}}", "{% set s = dict(a=s.a[0:]) %}".repeat(9999)),
    ];
    for source in sources {
        // An overflow ends the program, and says the thread's name.
        let name = source.chars().take(60).collect();
        let thread = std::thread::Builder::new().name(name).stack_size(1 << 20).spawn(move || {
            // Most are errors, some are not: what counts is that they end.
            let _ = Template::from_source(&source, "", "").and_then(|template| template.render(&[], &OPTIONS));
        });
        thread.expect("a thread starts").join().expect("nothing panics");
    }
}

#[test]
fn a_system_prompt_that_is_refused_or_ignored_goes_into_the_first_message() {
    let turns = "{% for m in messages if m.role != 'system' %}[{{ m.role }} {{ m.content }}]{% endfor %}";
    let refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}";
    let conversation = [
        message(Role::System, "Be brief."),
        message(Role::User, "Hi"),
        message(Role::Assistant, "Hello"),
        message(Role::User, "Bye"),
    ];
    for source in [turns, &format!("{refusing}{turns}")] {
        let prompt = template(source).render(&conversation, &OPTIONS).expect("it is written in another form");
        assert_eq!(prompt, "[user Be brief.\n\nHi][assistant Hello][user Bye]");
    }
}

#[test]
fn two_messages_in_a_row_become_one_where_a_template_wants_turns() {
    let strict = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns!') }}\
                  {% endif %}[{{ m.content }}]{% endfor %}";
    let conversation = [message(Role::User, "a"), message(Role::User, "b")];
    assert_eq!(template(strict).render(&conversation, &OPTIONS).expect("it is written as one"), "[a\n\nb]");
    let error = template("{{ raise_exception('never') }}").render(&conversation, &OPTIONS).expect_err("it refuses all");
    expect!["The model's chat template refuses this conversation: never"].assert_eq(&error.to_string());
}

#[test]
fn thinking_is_detected() {
    assert!(template("{% if enable_thinking %}{% endif %}").can_think());
    assert!(template("{% if thinking %}{% endif %}").can_think());
    assert!(template("{{ '<think>\n' }}").can_think());
    assert!(!template("I am thinking {{ messages }}").can_think());
}

#[test]
fn strings_stay_as_they_are() {
    assert_eq!(render("{{ '<é & \"\\'>' }}").expect("it is sound"), "<é & \"'>");
    assert_eq!(render("{{ messages[0].content | e }}").expect("it is sound"), "hi");
}

/// Templates on which others failed: a content of typed parts, an empty template, one that drops what is said.
#[test]
fn what_was_said_is_in_the_prompt() {
    let parts = "{% for m in messages %}{{ m.role | capitalize }}: {% for part in m.content %}{% if part['type'] == 'text' %}\
                 {{ part['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";
    assert_eq!(render(parts).expect("it is sound"), "User: hi<end_of_utterance>\nAssistant:");
    let mixed = "{% for m in messages %}{% if m.content is string %}{% if m.role == 'system' %}{{ m.content }}{% endif %}\
                 {% else %}[{{ m.content[0].text }}]{% endif %}{% endfor %}";
    assert_eq!(render(mixed).expect("it is sound"), "[hi]");
    // White space may be another one.
    let conversation = [message(Role::User, "a\n\n  b\tc")];
    let joined = template("{{ messages[0].content.split() | join(' ') }}").render(&conversation, &OPTIONS);
    assert_eq!(joined.expect("it is sound"), "a b c");
}

#[test]
fn a_template_that_cannot_be_used_is_replaced() {
    use crate::gguf::{Strings, Value};
    let metadata = |template: &str| {
        Metadata::from_iter([
            ("tokenizer.ggml.model", Value::from("llama")),
            (
                "tokenizer.ggml.tokens",
                Strings::from_iter(["<unk>", "<s>", "</s>", "▁", "<|im_start|>", "<|im_end|>"]).into(),
            ),
            ("tokenizer.ggml.scores", vec![0.0f32; 6].into()),
            ("tokenizer.chat_template", template.into()),
        ])
    };
    let own = "{% for m in messages %}{{ m.content }}{% endfor %}";
    for (source, fallback) in [
        (own, None),
        ("", Some("chatml")),
        (" \n", Some("chatml")),
        ("{% if %}", Some("chatml")),
        ("{{ messages | nofilter }}", None),
        ("{{ bos_token }}", Some("chatml")),
        ("{% for m in messages %}{{ m.role }}{% endfor %}", Some("chatml")),
        ("{{ raise_exception('I refuse everything') }}", None),
    ] {
        let metadata = metadata(source);
        let tokenizer = Tokenizer::new(&metadata).expect("it is sound");
        let template = Template::new(&metadata, &tokenizer).expect("it loads all the same");
        assert_eq!(template.fallback_name(), fallback, "{source:?}");
    }
}

/// Whatever a template writes behind a reply ends one.
#[test]
fn the_marker_behind_a_reply_is_a_stop() {
    let check = |after: &str, stop: Option<&str>| {
        let source = format!("{{% for m in messages %}}[{{{{ m.role }}}}]{{{{ m.content }}}}{after}{{% endfor %}}");
        assert_eq!(template(&source).stops().collect::<Vec<_>>(), stop.into_iter().collect::<Vec<_>>(), "{after:?}");
    };
    for marker in
        ["</s>", "<|im_end|>", "<end_of_turn>", "<|eot_id|>", "[/INST]", "<｜end▁of▁sentence｜>", "<|end|>", "|END|"]
    {
        check(marker, Some(marker));
        check(&format!("{marker}\n"), Some(marker));
        check(&format!(" {marker} "), Some(marker));
        check(&format!("\n{marker}<s>"), Some(marker));
    }
    check("", None);
    check("\n\n", None);
    check("<", None);
    check(" and so on", None);
    let spelt = "{% for m in messages %}{% if m.role == \"user\" %}[INST] {{ m.content }} [/INST]{% else %}{{ m.content }}</s>{% endif %}{% endfor %}<|go|>";
    assert_eq!(template(spelt).stops().collect::<Vec<_>>(), ["</s>"]);
}

/// A method that never ended: an empty text stands everywhere.
#[test]
fn empty_needles_are_found_at_once() {
    assert_eq!(
        render("{{ 'abc'.count('') }} {{ ''.count('') }} {{ 'ab'.replace('', '-') }}").expect("it is sound"),
        "4 1 -a-b-"
    );
    check_error(
        "{{ 'a'.split('') }}",
        expect!["The model's chat template failed: invalid operation (empty separator) in line 1."],
    );
}

/// Widths make large texts of small ones.
#[test]
fn widths_are_bounded() {
    for source in [
        "{{ 'a'.center(99999) }}",
        "{{ 'a'.ljust(99999) }}",
        "{{ 'a'.zfill(99999) }}",
        "{{ '\\t'.expandtabs(99999) }}",
        "{{ '{:99999}'.format('a') }}",
        "{{ '{:{}}'.format('a', 99999) }}",
        "{{ '%99999s' | format('a') }}",
        "{{ '%*d' | format(99999, 1) }}",
        "{{ [1] | batch(99999999999, 'x') | list }}",
        "{{ [1] | slice(99999999999) | list }}",
        "{% for i in range(9999) %}{% if 'a'.center(4096) %}{% endif %}{% if ('{:4096}' * 9).format(1, 2, 3, 4, 5, 6, 7, 8, 9) %}{% endif %}{% endfor %}",
    ] {
        render(source).expect_err(source);
    }
}
