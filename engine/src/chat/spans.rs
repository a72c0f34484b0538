//! Takes a reply apart while it streams: what the model thought, what it answered, and where it meant to stop.

/// Words around a thought. A thought opens a reply, or the prompt has opened it already; the same words later in an answer
/// are part of the answer.
const THOUGHTS: [(&str, &str); 4] = [
    ("<think>", "</think>"),                    // Qwen3, DeepSeek R1, SmolLM3, LFM2.5
    ("[THINK]", "[/THINK]"),                    // Magistral
    ("<seed:think>", "</seed:think>"),          // Seed-OSS
    ("<|START_THINKING|>", "<|END_THINKING|>"), // Command A
];

/// A piece of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Not empty.
    pub text: String,
    /// Part of the model's thoughts, not of its answer.
    pub thought: bool,
}

/// Splits a stream of text. Text is held back only while it could still become a marker.
#[derive(Debug)]
pub struct Spans {
    state: State,
    held: String,
    stops: Vec<String>,
    stopped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// White space at most so far.
    Start,
    /// In a thought; `blank` while it is white space at most, which is dropped.
    Thought { close: &'static str, blank: bool },
    /// In the answer; `blank` while nothing but white space followed a thought, which is dropped.
    Answer { blank: bool },
}

impl Spans {
    /// For the reply to `prompt`. The reply ends where it spells one of `stops`: end markers that are no tokens of the
    /// model's vocabulary.
    pub fn new(prompt: &str, stops: Vec<String>) -> Self {
        let open = THOUGHTS.iter().find(|(open, _)| prompt.trim_end().ends_with(open));
        let state = open.map_or(State::Start, |&(_, close)| State::Thought { close, blank: true });
        Self { state, held: String::new(), stops, stopped: false }
    }

    /// Whether `text` is one of the markers around thoughts, or a stop: such a token is read here, even if it is not to be shown.
    pub fn is_marker(&self, text: &str) -> bool {
        self.stops.iter().any(|stop| stop == text)
            || THOUGHTS.iter().any(|&(open, close)| text == open || text == close)
    }

    /// Whether the reply has spelt one of the stops; what comes after is dropped.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// More text of the reply.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        while !self.stopped && self.advance(&mut pieces) {}
        pieces
    }

    /// The reply is over: what is still held back.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let held = std::mem::take(&mut self.held);
        if !self.stopped {
            self.emit(held, &mut pieces);
        }
        pieces
    }

    /// Reads up to the next marker, and says whether there was one.
    fn advance(&mut self, pieces: &mut Vec<Piece>) -> bool {
        if self.drops_blanks() {
            self.held.drain(..self.held.len() - self.held.trim_start().len());
        }
        if self.state == State::Start {
            let start = self.held.trim_start();
            if let Some((open, close)) = THOUGHTS.iter().find(|(open, _)| start.starts_with(open)) {
                self.held.drain(..self.held.len() - start.len() + open.len());
                self.state = State::Thought { close, blank: true };
                return true;
            }
            if THOUGHTS.iter().any(|(open, _)| open.starts_with(start)) {
                return false;
            }
            self.state = State::Answer { blank: false };
        }

        let close = match self.state {
            State::Thought { close, .. } => Some(close),
            State::Start | State::Answer { .. } => None,
        };
        let markers = || close.into_iter().chain(self.stops.iter().map(String::as_str));
        let next = markers().filter_map(|marker| Some((self.held.find(marker)?, marker.len()))).min();
        let n_held = markers().map(|marker| longest_start_at_end(&self.held, marker)).max().unwrap_or(0);

        let Some((at, marker_bytes)) = next else {
            let rest = self.held.split_off(self.held.len() - n_held);
            let text = std::mem::replace(&mut self.held, rest);
            self.emit(text, pieces);
            return false;
        };
        let closes = close.is_some_and(|close| self.held[at..].starts_with(close));
        let rest = self.held.split_off(at + marker_bytes);
        let mut text = std::mem::replace(&mut self.held, rest);
        text.truncate(at);
        self.emit(text, pieces);
        if closes {
            self.state = State::Answer { blank: true };
        } else {
            self.stopped = true;
        }
        true
    }

    fn drops_blanks(&self) -> bool {
        match self.state {
            State::Start => false,
            State::Thought { blank, .. } | State::Answer { blank } => blank,
        }
    }

    fn emit(&mut self, text: String, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        let thought = match &mut self.state {
            State::Start => false,
            State::Thought { blank, .. } => {
                *blank = false;
                true
            }
            State::Answer { blank } => {
                *blank = false;
                false
            }
        };
        pieces.push(Piece { text, thought });
    }
}

/// Bytes of the longest end of `text` that `marker` starts with, but is longer than.
fn longest_start_at_end(text: &str, marker: &str) -> usize {
    let fits = |&n: &usize| marker.is_char_boundary(n) && text.ends_with(&marker[..n]);
    (1..marker.len()).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces the text comes in, the same is thought and answered.
    #[track_caller]
    fn check(prompt: &str, reply: &str, thought: &str, answer: &str) {
        for piece_chars in 1..=reply.chars().count() {
            let mut spans = Spans::new(prompt, vec!["<|im_end|>".into(), "</s>".into()]);
            let chars: Vec<char> = reply.chars().collect();
            let mut pieces: Vec<Piece> =
                chars.chunks(piece_chars).flat_map(|piece| spans.push(&piece.iter().collect::<String>())).collect();
            pieces.extend(spans.finish());
            let join =
                |thought| pieces.iter().filter(|p| p.thought == thought).map(|p| p.text.as_str()).collect::<String>();
            assert_eq!((join(true).as_str(), join(false).as_str()), (thought, answer), "{reply:?} by {piece_chars}");
            assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
        }
    }

    #[test]
    fn thoughts_and_answers() {
        check("", "Paris.", "", "Paris.");
        check("", "  indented", "", "  indented");
        check("", "<think>\nHm, é < 3.\n</think>\n\nParis.", "Hm, é < 3.\n", "Paris.");
        check("", "\n<think>a</think>b", "a", "b");
        check("", "[THINK]a</think>[/THINK]b", "a</think>", "b");
        check("", "<think></think>b", "", "b");
        check("", "<think>unfinished </thi", "unfinished </thi", "");
        check("", "<thi", "", "<thi");
        check("", "Write <think> and </think>.", "", "Write <think> and </think>.");
        check("", "<think>a</think>b<think>c</think>", "a", "b<think>c</think>");
        check("", "<<think>", "", "<<think>");
    }

    #[test]
    fn a_prompt_can_open_the_thought() {
        check("<|im_start|>assistant\n<think>\n", "\nHm.</think>\nYes", "Hm.", "Yes");
        check("<|im_start|>assistant\n<think>\n\n</think>\n\n", "Yes", "", "Yes");
    }

    #[test]
    fn a_spelt_stop_ends_the_reply() {
        check("", "Yes.<|im_end|>\n<|im_start|>user", "", "Yes.");
        check("", "Yes.<|im_end|", "", "Yes.<|im_end|");
        check("", "a < b</s>c", "", "a < b");
        check("", "<think>a</s>b</think>", "a", "");
        check("", "</s>", "", "");
    }

    #[test]
    fn nothing_is_held_without_need() {
        let mut spans = Spans::new("", vec!["</s>".into()]);
        let mut push = |text| spans.push(text).into_iter().map(|piece| piece.text).collect::<String>();
        assert_eq!(push("<"), "");
        assert_eq!(push("b"), "<b");
        assert_eq!(push("> a<"), "> a");
        assert_eq!(push("/"), "");
        assert_eq!(push("i> <think"), "</i> <think");
        let mut thought = Spans::new("<think>", Vec::new());
        assert_eq!(thought.push("a</th"), [Piece { text: "a".into(), thought: true }]);
        assert_eq!(thought.push("e"), [Piece { text: "</the".into(), thought: true }]);
    }
}
