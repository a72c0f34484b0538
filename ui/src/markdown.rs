//! A reply's Markdown as a tree of plain nodes: no HTML ever passes through.
//!
//! A reply grows at its end, and only the block there can still change its meaning: [`Document::update`] parses that
//! one again and keeps the others. A line that is not complete says nothing yet: what looks like a new paragraph may
//! become another row of the table above it.

#![expect(clippy::wildcard_enum_match_arm, reason = "the parser's enums are not ours")]

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag};
use std::ops::Range;
use std::sync::Arc;

/// Nobody nests deeper on purpose, and every level takes from the stack.
const DEPTH_MAX: usize = 32;

/// A text and its blocks.
#[derive(Debug, Clone, Default)]
pub struct Document {
    source: String,
    blocks: Vec<Arc<Block>>,
    /// Where each block begins in `source`.
    starts: Vec<usize>,
}

/// What stands below something else.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Paragraph(Vec<Inline>),
    Heading { level: u8, content: Vec<Inline> },
    Quote(Vec<Self>),
    Code { language: String, text: String },
    List { start: Option<u64>, items: Vec<Item> },
    Table { head: Row, rows: Vec<Row>, alignments: Vec<Alignment> },
    Rule,
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Whether it is ticked, if it is a task.
    pub ticked: Option<bool>,
    pub content: Vec<Block>,
}

/// The cells of a table's row.
pub type Row = Vec<Vec<Inline>>;

/// What stands beside something else.
#[derive(Debug, Clone, PartialEq)]
pub enum Inline {
    Text(String),
    Code(String),
    Emphasis(Vec<Self>),
    Strong(Vec<Self>),
    Strikethrough(Vec<Self>),
    /// A link, or an image: the page fetches nothing that the person did not ask for.
    Link {
        href: String,
        content: Vec<Self>,
    },
    Break,
}

impl Document {
    /// Takes in the new state of the text. Returns whether anything changed.
    pub fn update(&mut self, source: &str) -> bool {
        if source == self.source {
            return false;
        }
        let last_line = self.source.rfind('\n').map_or(0, |at| at + 1);
        let last_sure = self.starts.iter().rposition(|start| *start < last_line).unwrap_or(0);
        let kept = if source.starts_with(&self.source) { last_sure } else { 0 };
        let from = self.starts.get(kept).copied().unwrap_or(0);
        self.blocks.truncate(kept);
        self.starts.truncate(kept);
        for (start, block) in parse(&source[from..]) {
            self.starts.push(from + start);
            self.blocks.push(Arc::new(block));
        }
        source.clone_into(&mut self.source);
        true
    }

    pub fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }
}

/// The blocks of a text, each with where it begins.
fn parse(source: &str) -> Vec<(usize, Block)> {
    let mut events = events(source);
    let mut blocks = Vec::new();
    while let Some((event, range)) = events.next() {
        let mut events = events.by_ref().map(|(event, _)| event);
        blocks.extend(block(event, &mut events).map(|block| (range.start, block)));
    }
    blocks
}

/// What the parser says, each with where it stands. What would nest too deep is the text that it was written as.
fn events(source: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut events = Parser::new_ext(source, options).into_offset_iter();
    let mut depth = 0;
    std::iter::from_fn(move || {
        let (event, range) = events.next()?;
        match &event {
            Event::Start(tag) if depth >= DEPTH_MAX && can_nest(tag) => {
                let mut open = 1;
                while open > 0 {
                    match events.next()?.0 {
                        Event::Start(_) => open += 1,
                        Event::End(_) => open -= 1,
                        _ => {}
                    }
                }
                return Some((Event::Text(source[range.clone()].into()), range));
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        Some((event, range))
    })
}

/// Whether it may hold more of its own kind.
fn can_nest(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::BlockQuote(_) | Tag::List(_))
        || matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

/// The block that `event` opens, read to its end.
fn block<'a>(event: Event<'a>, events: &mut dyn Iterator<Item = Event<'a>>) -> Option<Block> {
    match event {
        Event::Start(Tag::Paragraph) => Some(Block::Paragraph(inlines(events))),
        Event::Start(Tag::Heading { level, .. }) => {
            Some(Block::Heading { level: level as u8, content: inlines(events) })
        }
        Event::Start(Tag::BlockQuote(_)) => Some(Block::Quote(nested(events).content)),
        Event::Start(Tag::CodeBlock(kind)) => {
            let language = match kind {
                CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next().unwrap_or_default().to_owned(),
                CodeBlockKind::Indented => String::new(),
            };
            Some(Block::Code { language, text: text(events) })
        }
        Event::Start(Tag::HtmlBlock) => Some(Block::Paragraph(vec![Inline::Text(text(events))])),
        Event::Start(Tag::List(start)) => Some(Block::List { start, items: items(events) }),
        Event::Start(Tag::Table(alignments)) => {
            let mut rows = rows(events);
            let head = if rows.is_empty() { Row::new() } else { rows.remove(0) };
            Some(Block::Table { head, rows, alignments })
        }
        Event::Rule => Some(Block::Rule),
        _ => None,
    }
}

/// What an item or a quote holds. A tight list puts text into its items without a paragraph around it.
fn nested<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> Item {
    let mut item = Item { ticked: None, content: Vec::new() };
    let mut loose = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::End(_) => break,
            Event::TaskListMarker(ticked) => item.ticked = Some(ticked),
            Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
            | Event::Text(_)
            | Event::Code(_)
            | Event::InlineHtml(_)
            | Event::SoftBreak
            | Event::HardBreak => push_inline(&mut loose, event, events),
            other => {
                flush(&mut item.content, &mut loose);
                item.content.extend(block(other, events));
            }
        }
    }
    flush(&mut item.content, &mut loose);
    item
}

fn flush(blocks: &mut Vec<Block>, loose: &mut Vec<Inline>) {
    if !loose.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(loose)));
    }
}

fn items<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> Vec<Item> {
    let mut items = Vec::new();
    while let Some(Event::Start(Tag::Item)) = events.next() {
        items.push(nested(events));
    }
    items
}

/// A table's head is its first row.
fn rows<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> Vec<Row> {
    let mut rows = Vec::new();
    while let Some(Event::Start(Tag::TableHead | Tag::TableRow)) = events.next() {
        let mut row = Row::new();
        while let Some(Event::Start(Tag::TableCell)) = events.next() {
            row.push(inlines(events));
        }
        rows.push(row);
    }
    rows
}

/// Everything up to the end of what was opened.
fn inlines<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> Vec<Inline> {
    let mut inlines = Vec::new();
    while let Some(event) = events.next() {
        if matches!(event, Event::End(_)) {
            break;
        }
        push_inline(&mut inlines, event, events);
    }
    inlines
}

fn push_inline<'a>(inlines: &mut Vec<Inline>, event: Event<'a>, events: &mut dyn Iterator<Item = Event<'a>>) {
    match event {
        Event::Text(text) | Event::InlineHtml(text) | Event::Html(text) => push_text(inlines, &text),
        Event::Code(text) => inlines.push(Inline::Code(text.into_string())),
        Event::SoftBreak => push_text(inlines, "\n"),
        Event::HardBreak => inlines.push(Inline::Break),
        Event::Start(Tag::Emphasis) => inlines.push(Inline::Emphasis(self::inlines(events))),
        Event::Start(Tag::Strong) => inlines.push(Inline::Strong(self::inlines(events))),
        Event::Start(Tag::Strikethrough) => inlines.push(Inline::Strikethrough(self::inlines(events))),
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            let mut content = self::inlines(events);
            if content.is_empty() {
                content.push(Inline::Text(dest_url.to_string()));
            }
            if is_safe(&dest_url) {
                inlines.push(Inline::Link { href: dest_url.into_string(), content });
            } else {
                inlines.extend(content);
            }
        }
        // Whatever else is opened inside a line is read to its end, so that the levels stay right.
        Event::Start(_) => inlines.extend(self::inlines(events)),
        _ => {}
    }
}

/// Joins neighbouring texts, so that a growing line stays one node.
fn push_text(inlines: &mut Vec<Inline>, text: &str) {
    match inlines.last_mut() {
        Some(Inline::Text(last)) => last.push_str(text),
        Some(_) | None => inlines.push(Inline::Text(text.to_owned())),
    }
}

fn text<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> String {
    let mut out = String::new();
    for event in events {
        match event {
            Event::End(_) => break,
            Event::Text(text) | Event::Html(text) => out.push_str(&text),
            _ => {}
        }
    }
    out
}

/// Whether a link may be followed: the web and mail, nothing that runs.
fn is_safe(href: &str) -> bool {
    let scheme = href.split(':').next().unwrap_or_default().to_ascii_lowercase();
    href.contains(':') && matches!(scheme.as_str(), "http" | "https" | "mailto")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<Block> {
        parse(source).into_iter().map(|(_, block)| block).collect()
    }

    fn words(text: &str) -> Vec<Inline> {
        vec![Inline::Text(text.to_owned())]
    }

    fn paragraph(text: &str) -> Block {
        Block::Paragraph(words(text))
    }

    const EVERYTHING: &str = "# Title\n\nSome *words* and **more**, ~~old~~ `code`.\nNext  \nline\n\n\
        > quote\n> - inner\n\n1. one\n2. two\n\n   loose\n\n- [x] done\n- [ ] open\n\n\
        | a | b |\n|:-|-:|\n| 1 | *2* |\n\n```rust ignore\nfn main() {}\n```\n\n---\n\n\
        <script>alert(1)</script>\n\nend [link](https://example.org) ![image](https://example.org/i.png)\n";

    #[test]
    fn every_kind_of_block() {
        for (source, want) in [
            ("## Two", Block::Heading { level: 2, content: words("Two") }),
            ("> q", Block::Quote(vec![paragraph("q")])),
            ("```rust ignore\nx\n```", Block::Code { language: "rust".to_owned(), text: "x\n".to_owned() }),
            ("```\nstill open", Block::Code { language: String::new(), text: "still open".to_owned() }),
            (
                "3. a\n4. b",
                Block::List {
                    start: Some(3),
                    items: ["a", "b"].map(|t| Item { ticked: None, content: vec![paragraph(t)] }).to_vec(),
                },
            ),
            (
                "- [x] a",
                Block::List { start: None, items: vec![Item { ticked: Some(true), content: vec![paragraph("a")] }] },
            ),
            (
                "|a|\n|-|\n|1|",
                Block::Table {
                    head: vec![words("a")],
                    rows: vec![vec![words("1")]],
                    alignments: vec![Alignment::None],
                },
            ),
            ("---", Block::Rule),
        ] {
            assert_eq!(blocks(source), [want], "{source}");
        }
    }

    #[test]
    fn html_is_text() {
        assert_eq!(blocks("<img src=x onerror=alert(1)>"), [paragraph("<img src=x onerror=alert(1)>")]);
        assert_eq!(blocks("a <b>c</b>"), [paragraph("a <b>c</b>")]);
    }

    #[test]
    fn only_web_and_mail_links_are_links() {
        for href in ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "/here", "file:///etc/passwd"] {
            assert_eq!(blocks(&format!("[text]({href})")), [paragraph("text")], "{href}");
        }
        for href in ["https://example.org/a:b", "mailto:a@example.org"] {
            let link = Inline::Link { href: href.to_owned(), content: words("text") };
            assert_eq!(blocks(&format!("[text]({href})")), [Block::Paragraph(vec![link])]);
        }
        let image = Inline::Link { href: "https://example.org/i.png".to_owned(), content: words("alt") };
        assert_eq!(blocks("![alt](https://example.org/i.png)"), [Block::Paragraph(vec![image])]);
    }

    #[test]
    fn a_growing_text_reads_like_the_whole() {
        let mut document = Document::default();
        for (end, _) in EVERYTHING.char_indices().chain([(EVERYTHING.len(), ' ')]) {
            document.update(&EVERYTHING[..end]);
            let grown: Vec<&Block> = document.blocks().iter().map(AsRef::as_ref).collect();
            let whole = blocks(&EVERYTHING[..end]);
            assert_eq!(grown, whole.iter().collect::<Vec<_>>(), "after {:?}", &EVERYTHING[..end]);
        }
    }

    fn inline_words(inlines: &[Inline], depth: usize, out: &mut String) {
        assert!(depth <= DEPTH_MAX + 2);
        for inline in inlines {
            match inline {
                Inline::Text(text) | Inline::Code(text) => out.push_str(text),
                Inline::Emphasis(content)
                | Inline::Strong(content)
                | Inline::Strikethrough(content)
                | Inline::Link { content, .. } => inline_words(content, depth + 1, out),
                Inline::Break => {}
            }
        }
    }

    fn block_words(blocks: &[Block], depth: usize, out: &mut String) {
        assert!(depth <= DEPTH_MAX + 1);
        for block in blocks {
            match block {
                Block::Paragraph(content) => inline_words(content, depth + 1, out),
                Block::Quote(content) => block_words(content, depth + 1, out),
                Block::List { items, .. } => items.iter().for_each(|item| block_words(&item.content, depth + 2, out)),
                other => panic!("no such block was written: {other:?}"),
            }
        }
    }

    #[test]
    fn what_nests_too_deep_is_text() {
        for (sign, count) in [(">", 20_000), ("- ", 3_000), ("> - ", 3_000), ("1. > ", 3_000), ("*a **b ", 300)] {
            let closing = if sign.starts_with('*') { "b** a*".repeat(count) } else { String::new() };
            let source = format!("{}end{closing}\n\nafter", sign.repeat(count));
            let blocks = blocks(&source);
            let mut said = String::new();
            block_words(&blocks, 0, &mut said);
            let signs = said.matches(sign.trim_end()).count();
            assert!(signs >= count - DEPTH_MAX && said.contains("end") && said.contains("after"), "{sign}: {signs}");
        }
    }

    #[test]
    fn finished_blocks_are_kept() {
        let mut document = Document::default();
        document.update("one\n\ntwo\n\nthree");
        let first = Arc::clone(&document.blocks()[0]);
        document.update("one\n\ntwo\n\nthree and\n\nfour");
        assert!(Arc::ptr_eq(&first, &document.blocks()[0]));
        assert!(!document.update("one\n\ntwo\n\nthree and\n\nfour"));
        document.update("other");
        assert_eq!(document.blocks().len(), 1);
    }
}
