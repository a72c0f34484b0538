//! The state is driven as the worker and the person drive it.

use super::chat::{Chat, Id, Message, Outcome};
use super::*;
use protocol::{BackendWish, CacheType, Finish, Kept, LoadStage, ReplyStats, StoredModel, Threads};

fn at(nonce: u64) -> ActionContext {
    ActionContext { now_ms: nonce, nonce }
}

fn source() -> Source {
    Source::Url("http://localhost/models/tiny.gguf".to_owned())
}

fn info() -> ModelInfo {
    ModelInfo {
        name: "Tiny".to_owned(),
        architecture: "llama".to_owned(),
        weight_type: "Q4_1".to_owned(),
        n_params: 135_000_000,
        size_bytes: 98_000_000,
        context_tokens: 2048,
        trained_context_tokens: 8192,
        cache: CacheType::F16,
        threads: Threads::ONE,
        backend: "cpu".to_owned(),
        tier: "simd128".to_owned(),
        is_second_best: false,
        can_think: true,
        fallback_template: None,
        roomy_context_tokens: None,
        variant: "plain".to_owned(),
        load_secs: 1.0,
        kept: Kept::Yes,
    }
}

fn stats() -> ReplyStats {
    ReplyStats {
        finish: Finish::End,
        n_prompt: 10,
        n_cached: 0,
        n_reply: 5,
        prompt_secs: 0.1,
        reply_secs: 0.5,
        context_used: 15,
    }
}

fn text(text: &str) -> Event {
    Event::Text { text: text.to_owned(), thought: false }
}

/// A state in which a model answers.
fn ready() -> State {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.load(source());
    state.apply(Event::Loaded(info()), 0);
    state
}

fn path(state: &State) -> Vec<String> {
    state.chat().map_or_else(Vec::new, |chat| chat.path().iter().map(|message| message.content.clone()).collect())
}

fn last(state: &State) -> Message {
    state.chat().and_then(|chat| chat.path().pop().cloned()).expect("there is a message").as_ref().clone()
}

/// What is sent to the model, but for the system prompt that is there from the start.
#[track_caller]
fn prompt(requests: &[Request]) -> Vec<&str> {
    match requests {
        [Request::Generate(options)] => {
            let default = Settings::default().system_prompt;
            let said = options.messages.iter().filter(|message| message.content != default);
            said.map(|message| message.content.as_str()).collect()
        }
        other => panic!("expected one Generate, got {other:?}"),
    }
}

#[test]
fn a_model_that_moved_says_where_it_is() {
    let mut state = ready();
    let loaded = state.model.as_mut().expect("it is loaded");
    loaded.options.backend = BackendWish::Gpu;
    let name = loaded.info.name.clone();
    let name_of_file = "as the file has it".to_owned();
    let tier = "simd128, because of that".to_owned();
    let moved = ModelInfo { name: name_of_file, tier, is_second_best: true, ..info() };
    assert_eq!(state.apply(Event::Moved(moved), 0), []);
    let shown = &state.model.as_ref().expect("it still is").info;
    assert_eq!((shown.name.as_str(), shown.tier.as_str()), (name.as_str(), "simd128, because of that"));
    assert_eq!(state.notes(), None, "a notice says so");
}

#[test]
fn a_model_that_is_gone_is_not_shown() {
    let mut state = ready();
    state.load(Source::Url("http://localhost/broken.gguf".to_owned()));
    state.apply(Event::Unloaded, 0);
    state.apply(Event::Failed { during: Stage::Load, kind: ErrorKind::Network, message: String::new() }, 0);
    assert!(state.model.is_none() && !state.can_answer());
}

#[test]
fn a_reply_streams_in_and_ends_with_its_stats() {
    let mut state = ready();
    let requests = state.send("What is the capital of France?", at(100));
    assert_eq!(prompt(&requests), ["What is the capital of France?"]);
    state.apply(Event::Prompt { done_tokens: 5, total_tokens: 10 }, 110);
    assert_eq!(
        state.reply.as_ref().map(|reply| reply.phase),
        Some(Phase::Reading { done_tokens: 5, total_tokens: 10 })
    );
    state.apply(Event::Text { text: "France …".to_owned(), thought: true }, 115);
    state.apply(text("Par"), 120);
    state.apply(text("is."), 130);
    state.apply(Event::Done(stats()), 140);
    assert_eq!(path(&state), ["What is the capital of France?", "Paris."]);
    let origin = last(&state).origin.expect("a reply has an origin");
    assert_eq!((origin.model.as_str(), origin.reasoning.as_str()), ("Tiny", "France …"));
    assert_eq!(origin.outcome, Outcome::Done(stats()));
    assert!(state.reply.is_none());
    assert_eq!(state.summaries[0].title, "What is the capital of France?");
    assert_eq!(state.take_changed().len(), 1);
    assert!(!state.has_changed());
}

#[test]
fn a_second_question_carries_the_first_and_the_system_prompt() {
    let mut state = ready();
    state.settings.system_prompt = " Be brief. ".to_owned();
    state.send("One", at(100));
    state.apply(text("1"), 110);
    state.apply(Event::Done(stats()), 120);
    let requests = state.send("Two", at(200));
    assert_eq!(prompt(&requests), ["Be brief.", "One", "1", "Two"]);
}

#[test]
fn a_message_sent_while_the_model_loads_is_answered_when_it_is_there() {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.load(source());
    assert_eq!(state.send("Hello", at(100)), []);
    assert_eq!(state.reply.as_ref().map(|reply| reply.phase), Some(Phase::Waiting));
    let requests = state.apply(Event::Loaded(info()), 200);
    assert_eq!(requests[0], Request::List);
    assert_eq!(prompt(&requests[1..]), ["Hello"]);
}

fn load_fails() -> Event {
    Event::Failed { during: Stage::Load, kind: ErrorKind::Network, message: "No network.".to_owned() }
}

fn phase(state: &State) -> Option<Phase> {
    state.reply.as_ref().map(|reply| reply.phase)
}

#[test]
fn a_load_that_fails_says_so_and_what_waits_for_it_waits_for_the_next() {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.load(source());
    state.send("Hello", at(100));
    for _ in 0..2 {
        state.apply(load_fails(), 200);
        assert!(state.load.is_none() && state.needs_the_network());
        assert_eq!(state.load_failure.as_ref().map(|failure| failure.message.as_str()), Some("No network."));
        assert_eq!(phase(&state), Some(Phase::Waiting));
        assert_eq!(state.load(source()).len(), 1);
        assert_eq!(phase(&state), Some(Phase::Waiting));
    }
    assert_eq!(prompt(&state.apply(Event::Loaded(info()), 300)[1..]), ["Hello"]);
}

#[test]
fn what_waits_for_a_load_that_failed_can_be_given_up() {
    let ends: [fn(&mut State); 3] = [
        |state| state.dismiss_news(),
        |state| assert_eq!(state.stop(), []),
        |state| assert_eq!(state.delete(state.current.expect("open")), []),
    ];
    for end in ends {
        let mut state = State::default();
        state.apply(Event::READY, 0);
        state.load(source());
        state.send("Hello", at(100));
        state.apply(load_fails(), 200);
        end(&mut state);
        assert_eq!(phase(&state), None);
        state.load(source());
        assert_eq!(state.apply(Event::Loaded(info()), 300), [Request::List]);
        assert!(state.can_answer());
    }
}

#[test]
fn where_another_model_answers_a_load_that_fails_ends_what_waits_for_it() {
    let mut state = ready();
    state.load(source());
    state.send("Hello", at(100));
    state.apply(load_fails(), 200);
    assert!(!state.needs_the_network());
    assert_eq!(phase(&state), None);
    let origin = last(&state).origin.expect("a reply has an origin");
    assert_eq!(origin.outcome, Outcome::Failed("The model could not be loaded. No network.".to_owned()));
}

#[test]
fn a_failed_load_leaves_the_model_that_was_there() {
    let mut state = ready();
    state.load(Source::Url("http://localhost/broken.gguf".to_owned()));
    state.apply(Event::Failed { during: Stage::Load, kind: ErrorKind::Network, message: String::new() }, 0);
    assert!(state.can_answer());
}

#[test]
fn loads_come_one_at_a_time_and_stop_the_reply() {
    let mut state = ready();
    state.send("Hello", at(100));
    let requests = state.load(source());
    assert!(matches!(requests[..], [Request::Stop, Request::Load(_)]));
    assert_eq!(state.load(source()), []);
    assert_eq!(state.cancel_load(), [Request::CancelLoad]);
    assert_eq!(state.apply(Event::LoadCancelled, 0), [Request::List]);
    assert!(state.load.is_none());
}

#[test]
fn progress_tells_speed_and_time_left() {
    let mut state = State::default();
    state.load(source());
    for (now_ms, loaded_bytes) in [(0, 0), (500, 50), (1000, 100)] {
        state.apply(Event::Progress { stage: LoadStage::Download, loaded_bytes, total_bytes: 400 }, now_ms);
    }
    let load = state.load.expect("a load is in progress");
    assert_eq!((load.fraction(), load.bytes_per_sec(), load.secs_left()), (Some(0.25), Some(100.0), Some(3.0)));
}

#[test]
fn the_last_model_is_loaded_again_only_if_all_of_it_is_here() {
    for (stored_bytes, n_requests) in [(100, 1), (99, 0)] {
        let mut state = State { resume: Some(source()), ..State::default() };
        assert_eq!(state.apply(Event::READY, 0), [Request::List]);
        let model = StoredModel { id: "1".to_owned(), source: source(), stored_bytes, total_bytes: 100 };
        let requests = state.apply(Event::Stored { models: vec![model], used_bytes: 0, quota_bytes: 0 }, 0);
        assert_eq!(requests.len(), n_requests);
    }
}

#[test]
fn stop_keeps_what_was_written() {
    let mut state = ready();
    state.send("Hello", at(100));
    state.apply(text("Hi th"), 110);
    assert_eq!(state.stop(), [Request::Stop]);
    state.apply(Event::Done(ReplyStats { finish: Finish::Stopped, ..stats() }), 120);
    assert_eq!(path(&state), ["Hello", "Hi th"]);
    assert!(state.can_answer());
}

#[test]
fn an_edit_and_a_second_try_are_branches() {
    let mut state = ready();
    state.send("One", at(100));
    state.apply(text("1"), 0);
    state.apply(Event::Done(stats()), 0);
    let first_reply = last(&state).id;
    state.regenerate(first_reply, at(200));
    state.apply(text("uno"), 0);
    state.apply(Event::Done(stats()), 0);
    assert_eq!(path(&state), ["One", "uno"]);

    let question = state.chat().expect("open").path()[0].id;
    assert_eq!(prompt(&state.edit(question, "Two", at(300))), ["Two"]);
    state.apply(text("2"), 0);
    state.apply(Event::Done(stats()), 0);
    assert_eq!(path(&state), ["Two", "2"]);

    state.select(question);
    assert_eq!(path(&state), ["One", "uno"]);
    let place = state.shown().pop().expect("a message is shown").place;
    assert_eq!((place.number, place.count, place.previous), (2, 2, Some(first_reply)));
    state.select(first_reply);
    assert_eq!(path(&state), ["One", "1"]);
}

#[test]
fn a_dead_worker_keeps_the_text_and_comes_back_with_the_model() {
    let mut state = ready();
    state.send("Hello", at(100));
    state.apply(text("Hi"), 110);
    state.worker_died("out of memory".to_owned(), 120);
    assert_eq!(path(&state), ["Hello", "Hi"]);
    assert!(!state.can_answer());
    state.worker_restarts();
    let requests = state.apply(Event::READY, 130);
    assert!(matches!(&requests[..], [Request::List, Request::Load(options)] if options.source == source()));
}

#[test]
fn a_deleted_conversation_comes_back_whole() {
    let mut state = ready();
    state.send("One", at(100));
    state.apply(text("1"), 0);
    state.apply(Event::Done(stats()), 0);
    let id = state.current.expect("open");
    state.delete(id);
    assert!(state.current.is_none() && state.summaries.is_empty() && state.take_changed().is_empty());
    assert_eq!(state.undelete(), Some(id));
    state.current = Some(id);
    assert_eq!(path(&state), ["One", "1"]);
    assert_eq!(state.take_changed().len(), 1);
}

#[test]
fn deleting_the_conversation_being_answered_stops_the_reply() {
    let mut state = ready();
    state.send("One", at(100));
    let id = state.current.expect("open");
    assert_eq!(state.delete(id), [Request::Stop]);
    state.apply(text("late"), 0);
    assert!(!state.can_answer());
    state.apply(Event::Done(stats()), 0);
    assert!(state.can_answer() && !state.has_changed());
}

#[test]
fn a_reply_stopped_by_deleting_its_conversation_comes_back_as_stopped() {
    let stopped = || Event::Done(ReplyStats { finish: Finish::Stopped, ..stats() });
    for ends_first in [true, false] {
        let mut state = ready();
        state.send("One", at(100));
        state.apply(text("1"), 0);
        let id = state.current.expect("open");
        state.delete(id);
        if ends_first {
            state.apply(stopped(), 0);
            state.undelete();
        } else {
            state.undelete();
            state.apply(stopped(), 0);
        }
        state.current = Some(id);
        assert_eq!(last(&state).stats().map(|stats| stats.finish), Some(Finish::Stopped), "{ends_first}");
        assert_eq!(state.take_changed().len(), 1);
    }
}

#[test]
fn tabs_merge_what_they_added() {
    let mut state = ready();
    state.send("One", at(100));
    let mut here = state.chat().expect("open").clone();
    let mut there = here.clone();
    here.push(Message::from_person("here".to_owned(), here.leaf, Id(1)));
    there.push(Message::from_person("there".to_owned(), there.leaf, Id(2)));
    assert!(here.merge(&there));
    assert!(!here.merge(&there));
    assert_eq!(here.check(), Ok(()));
    assert_eq!(here.messages.len(), 4);
}

#[test]
fn of_two_states_of_a_conversation_the_newer_leads() {
    let old = Chat::new("One", at(100));
    let mut new = Chat { updated_ms: 200, title: "Two".to_owned(), titled_ms: 150, ..old.clone() };
    new.push(Message::from_person("new".to_owned(), None, Id(1)));
    let mut older = old.clone();
    older.push(Message::from_person("old".to_owned(), None, Id(2)));

    let mut rescued = older.clone();
    assert!(rescued.merge(&new));
    assert_eq!((rescued.title.as_str(), rescued.leaf, rescued.updated_ms), ("Two", Some(Id(1)), 200));
    assert_eq!(rescued.messages.len(), 2);

    assert!(new.merge(&older));
    assert_eq!((new.title.as_str(), new.leaf, new.updated_ms), ("Two", Some(Id(1)), 200));
    assert!(!new.merge(&old));
}

#[test]
fn a_name_outlives_what_another_tab_says_later() {
    let mut here = Chat::new("One", at(100));
    let named = Chat { title: "Named".to_owned(), titled_ms: 150, ..here.clone() };
    here.updated_ms = 200;
    here.merge(&named);
    assert_eq!((here.title.as_str(), here.updated_ms), ("Named", 200));
}

#[test]
fn of_two_states_of_a_reply_the_longer_stays_until_it_ends() {
    let mut short = Chat::new("One", at(100));
    short.push(Message::from_model("Tiny".to_owned(), Id(1), Id(2)));
    let mut long = short.clone();
    long.message_mut(Id(2)).expect("there").content.push_str("Paris");
    assert!(!long.merge(&short));
    assert!(short.merge(&long));
    assert_eq!(short, long);
    let mut ended = long.clone();
    ended.message_mut(Id(2)).and_then(|reply| reply.origin.as_mut()).expect("there").outcome = Outcome::Done(stats());
    assert!(!ended.merge(&long));
    assert!(long.merge(&ended));
    assert_eq!(long, ended);
}

#[test]
fn another_tab_does_not_take_a_growing_reply_off_the_screen() {
    let mut state = ready();
    state.send("One", at(100));
    let reply = last(&state).id;
    let mut there = state.chat().expect("open").clone();
    there.push(Message::from_person("there".to_owned(), None, Id(1)));
    there.updated_ms = 200;
    assert!(state.merge_saved(&there));
    assert_eq!(last(&state).id, reply);
    state.apply(Event::Done(stats()), 300);
    let mut there = there.clone();
    there.updated_ms = 400;
    state.merge_saved(&there);
    assert_eq!(last(&state).id, Id(1));
}

#[test]
fn an_export_comes_back_beside_what_differs_from_it() {
    let mut state = ready();
    state.send("One", at(100));
    state.apply(Event::Done(stats()), 110);
    let file = import_export::export(vec![state.chat().expect("open").clone()]);
    let import = |state: &mut State, n| state.import(import_export::import(&file).expect("our own file"), at(n));
    assert_eq!((import(&mut state, 500), state.summaries.len()), (0, 1));
    state.send("Two", at(600));
    assert_eq!((import(&mut state, 700), state.summaries.len()), (1, 2));
    assert_eq!(import(&mut State::default(), 800), 1);
}

#[test]
fn a_file_from_elsewhere_is_not_trusted() {
    let chat = |messages: &str, leaf: &str| {
        format!(
            r#"{{"format":"minnow-conversations","version":1,"conversations":[
            {{"id":1,"title":"T","updated_ms":0,"leaf":{leaf},"messages":[{messages}]}}]}}"#
        )
    };
    let message =
        |id: u64, parent: &str| format!(r#"{{"id":{id},"parent":{parent},"role":"user","content":"x","origin":null}}"#);
    for (json, complaint) in [
        ("hello".to_owned(), "does not hold conversations"),
        ("{}".to_owned(), "does not hold conversations"),
        (r#"{"format":"other","version":1}"#.to_owned(), "does not hold conversations"),
        (r#"{"format":"minnow-conversations","version":2}"#.to_owned(), "newer Minnow"),
        (r#"{"format":"minnow-conversations","version":1,"conversations":3}"#.to_owned(), "damaged"),
        (chat(&message(2, "2"), "2"), "follows one that is not there"),
        (chat(&[message(2, "null"), message(2, "null")].join(","), "2"), "same id"),
        (chat(&message(2, "null"), "3"), "ends in a message"),
    ] {
        let error = import_export::import(&json).expect_err(&json);
        assert!(error.contains(complaint), "{json}: {error}");
    }
    assert_eq!(import_export::import(&chat(&message(2, "null"), "2")).map(|chats: Vec<Chat>| chats.len()), Ok(1));
}

#[test]
fn an_engine_that_says_why_it_fails_is_believed() {
    let mut state = ready();
    state.send("Hello", at(100));
    let crashed = Event::Failed { during: Stage::Generate, kind: ErrorKind::Crashed, message: "A mistake.".to_owned() };
    state.apply(crashed, 110);
    // The trap that follows a panic reaches the page as a death without words.
    state.worker_died("Perhaps the memory.".to_owned(), 120);
    assert_eq!(state.worker, WorkerStatus::Dead("A mistake.".to_owned()));
    let origin = last(&state).origin.expect("a reply has an origin");
    assert_eq!(origin.outcome, Outcome::Failed("The engine has stopped. A mistake.".to_owned()));
}

#[test]
fn a_model_that_is_not_where_it_was_wanted_says_why() {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.settings.backend = BackendWish::Gpu;
    state.load(source());
    state.apply(Event::Loaded(ModelInfo { tier: "simd128, because of that".to_owned(), ..info() }), 0);
    assert!(
        state.notes().is_some_and(|note| note.contains("runs on the CPU, in one thread: simd128, because of that."))
    );
}

#[test]
fn a_model_that_a_gpu_has_no_room_for_says_why() {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.load(source());
    let second_best = ModelInfo { tier: "simd128, because of that".to_owned(), is_second_best: true, ..info() };
    state.apply(Event::Loaded(second_best), 0);
    assert!(state.notes().is_some_and(|note| note.contains("simd128, because of that.")));
}

#[test]
fn a_load_that_began_again_says_why() {
    let mut state = State::default();
    state.apply(Event::READY, 0);
    state.load(source());
    state.apply(Event::StartedOver(StartOver::Changed), 0);
    state.apply(Event::Loaded(info()), 0);
    assert!(state.notes().is_some_and(|note| note.contains("changed on the server")));

    state.load(source());
    state.apply(Event::StartedOver(StartOver::Unusable), 0);
    let message = "No network.".to_owned();
    state.apply(Event::Failed { during: Stage::Load, kind: ErrorKind::Network, message }, 0);
    let failure = state.load_failure.expect("the load failed");
    assert!(failure.message.starts_with("The copy on this device") && failure.message.ends_with("No network."));
}

#[test]
fn a_message_is_edited_in_one_conversation_only() {
    let mut state = ready();
    state.send("One", at(100));
    let (id, question) = (state.current.expect("open"), state.chat().expect("open").path()[0].id);
    let copy = Chat { title: "Copy".to_owned(), ..state.chat().expect("open").clone() };
    state.import(vec![copy], at(500));
    state.set_edit(question, Some("Two".to_owned()));

    state.current = Some(Id(500));
    assert!(state.shown().iter().all(|shown| shown.edit.is_none() && shown.phase.is_none()));
    state.set_edit(question, Some("Three".to_owned()));
    state.set_edit(question, None);
    state.current = Some(id);
    assert_eq!(state.shown()[0].edit.as_deref(), Some("Two"));
}

#[test]
fn an_imported_conversation_is_not_from_the_future() {
    let mut state = State::default();
    state.import(vec![Chat { titled_ms: u64::MAX, updated_ms: u64::MAX, ..Chat::new("One", at(1)) }], at(500));
    let chat = &state.chats[&Id(1)];
    assert_eq!((chat.titled_ms, chat.updated_ms, state.summaries[0].updated_ms), (500, 500, 500));
}
