//! What of a conversation stands in the prompt when not all of it fits.

use super::*;

#[test]
fn the_oldest_turns_are_left_out() {
    let mut session = session();
    let mut messages = vec![message(Role::System, "Be brief.")];
    let mut n_dropped = Vec::new();
    for turn in 0..12 {
        messages.push(message(Role::User, format!("question {turn}")));
        let found = start(&mut session, &options(&messages, 8));
        n_dropped.push(found.n_dropped);
        let prompt = &session.reply.as_ref().expect("it has begun").tokens;
        let text = session.tokenizer.decode(prompt, true);
        assert!(text.starts_with("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"), "{text}");
        assert!(text.ends_with(&format!("question {turn}<|im_end|>\n<|im_start|>assistant\n")), "{text}");
        assert!(found.n_prompt + 8 <= N_CTX);
        // What was left out once stays out, so that the cache is of use.
        if turn > 0 && n_dropped[turn] == n_dropped[turn - 1] {
            assert!(found.n_cached > 100 || n_dropped[turn] == 0, "turn {turn}: {found:?}");
        }
        finish(&mut session);
        messages.push(message(Role::Assistant, "An answer."));
    }
    assert!(n_dropped.is_sorted() && n_dropped[11] > 0, "{n_dropped:?}");
    let n_changes = n_dropped.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(n_changes <= 4, "{n_dropped:?}");
    messages.push(message(Role::User, "the last"));
    check_equals_a_fresh_one_window(&mut session, &messages);

    // An earlier reply is written again: what fits is read again.
    let earlier = &messages[..4];
    assert_eq!(start(&mut session, &options(earlier, 8)).n_dropped, 0);
    check_equals_a_fresh_one(&mut session, earlier);

    // A new conversation begins with everything.
    assert_eq!(start(&mut session, &options(&[message(Role::User, "hello")], 8)).n_dropped, 0);
}

/// As [`check_equals_a_fresh_one`], given that a fresh session may leave other turns out.
fn check_equals_a_fresh_one_window(session: &mut Session, messages: &[Message]) {
    let mut fresh = self::session();
    fresh.left_out = session.left_out.clone();
    assert_eq!(reply(session, messages, 20), reply(&mut fresh, messages, 20));
}

#[test]
fn a_message_that_cannot_fit_is_an_error_with_numbers() {
    let mut session = session();
    let messages = [message(Role::User, "hello"), message(Role::Assistant, "x"), message(Role::User, "a".repeat(300))];
    let error = session.start(&options(&messages, 8), 1, Now::default()).expect_err("300 tokens in 256");
    assert_eq!(error.kind(), ErrorKind::ContextFull);
    expect_test::expect!["The message is too long: with what must go with it, it has 319 tokens, and the context holds 256, some of them for the reply. Shorten it, or load the model with a larger context."].assert_eq(&error.to_string());
    check_equals_a_fresh_one(&mut session, &messages[..1]);

    // Too long for the usual share of the reply, but not for the context.
    let messages = [message(Role::User, "a".repeat(200))];
    start(&mut session, &options(&messages, 0));
    assert_eq!(finish(&mut session).1, Finish::ContextFull);
}

/// It failed once; what is said after it is answered all the same, whatever stands before.
#[test]
fn a_message_that_never_fits_stays_out_of_later_prompts() {
    let huge = message(Role::User, "x".repeat(2 * N_CTX));
    let before = [message(Role::User, "hello"), message(Role::Assistant, "hi")];
    for conversation in [
        vec![huge.clone(), message(Role::User, "short")],
        [&before[..], &[huge.clone(), message(Role::User, "short")]].concat(),
        vec![huge.clone(), huge.clone(), message(Role::User, "short")],
        vec![message(Role::System, "Be terse."), huge.clone(), message(Role::User, "short")],
    ] {
        let mut session = session();
        let n_huge = conversation.iter().filter(|message| **message == huge).count();
        let found = start(&mut session, &options(&conversation, 4));
        assert_eq!(found.n_dropped, n_huge, "only what is too long is left out");
        let without: Vec<Message> = conversation.into_iter().filter(|message| *message != huge).collect();
        assert_eq!(found.n_prompt, start(&mut session, &options(&without, 4)).n_prompt);
        finish(&mut session);
    }
}
