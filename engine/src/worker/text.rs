//! Pieces of a reply, joined where they come faster than a screen shows them.

use crate::protocol::Event;

/// About one frame.
const FRAME_MS: f64 = 16.0;

/// Holds text back until a frame has passed.
#[derive(Debug, Default)]
pub struct Joiner {
    text: String,
    thought: bool,
    /// None before the first event, which never waits.
    sent_ms: Option<f64>,
}

impl Joiner {
    /// Adds a piece; returns what is to be sent now.
    pub fn push(&mut self, text: &str, thought: bool, now_ms: f64) -> Vec<Event> {
        let mut events = Vec::new();
        if thought != self.thought {
            events.extend(self.flush(now_ms));
            self.thought = thought;
        }
        self.text.push_str(text);
        if self.sent_ms.is_none_or(|sent_ms| now_ms - sent_ms >= FRAME_MS) {
            events.extend(self.flush(now_ms));
        }
        events
    }

    /// Returns what was held back.
    pub fn flush(&mut self, now_ms: f64) -> Option<Event> {
        if self.text.is_empty() {
            return None;
        }
        self.sent_ms = Some(now_ms);
        Some(Event::Text { text: std::mem::take(&mut self.text), thought: self.thought })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_within_a_frame() {
        let mut joiner = Joiner::default();
        let mut sent = Vec::new();
        for (text, thought, now_ms) in [
            ("a", false, 0.0),
            ("b", false, 5.0),
            ("c", false, 10.0),
            ("d", false, 16.0),
            ("e", false, 17.0),
            ("f", true, 18.0),
            ("g", true, 40.0),
            ("", true, 60.0),
        ] {
            sent.push(joiner.push(text, thought, now_ms));
        }
        let text = |text: &str, thought| Event::Text { text: text.into(), thought };
        let none = Vec::new;
        assert_eq!(
            sent,
            [
                vec![text("a", false)],
                none(),
                none(),
                vec![text("bcd", false)],
                none(),
                vec![text("e", false)],
                vec![text("fg", true)],
                none(),
            ]
        );
        assert_eq!(joiner.flush(60.0), None);
    }
}
