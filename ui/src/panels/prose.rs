//! Markdown on screen: nodes made from the tree, block by block.

use super::icon::{Glyph, Icon};
use crate::browser;
use crate::highlight::{Kind, highlight};
use crate::markdown::{Block, Document, Inline, Item, Row};
use crate::text;
use leptos::prelude::*;
use leptos::task::spawn_local;
use pulldown_cmark::Alignment;
use std::sync::Arc;
use std::time::Duration;

/// A text that may still grow. Only blocks that changed are made again.
#[component]
pub fn Prose(#[prop(into)] text: Signal<String>) -> impl IntoView {
    let document = Memo::new_owning(move |document: Option<Document>| {
        let mut document = document.unwrap_or_default();
        let changed = text.with(|text| document.update(text));
        (document, changed)
    });
    let block = move |index: usize| {
        let block = Memo::new_with_compare(
            move |_| document.with(|document| document.blocks().get(index).cloned()),
            |old, new| match (old.and_then(Option::as_ref), new.and_then(Option::as_ref)) {
                (Some(old), Some(new)) => !Arc::ptr_eq(old, new),
                (None, None) => false,
                (Some(_), None) | (None, Some(_)) => true,
            },
        );
        move || block.with(|block| block.as_deref().map(show_block))
    };
    view! {
        <div class="prose" dir="auto">
            <For each=move || 0..document.with(|document| document.blocks().len()) key=|index| *index children=block />
        </div>
    }
}

fn show_block(block: &Block) -> AnyView {
    match block {
        Block::Paragraph(content) => view! { <p>{show_inlines(content)}</p> }.into_any(),
        Block::Heading { level, content } => {
            let content = show_inlines(content);
            // The page has the first levels.
            match level {
                1 => view! { <h3>{content}</h3> }.into_any(),
                2 => view! { <h4>{content}</h4> }.into_any(),
                3 => view! { <h5>{content}</h5> }.into_any(),
                _ => view! { <h6>{content}</h6> }.into_any(),
            }
        }
        Block::Quote(content) => view! { <blockquote>{show_blocks(content)}</blockquote> }.into_any(),
        Block::Code { language, text } => view! { <Code language=language.clone() text=text.clone() /> }.into_any(),
        Block::List { start, items } => {
            let content = items.iter().map(show_item).collect_view();
            match start {
                Some(start) => view! { <ol start=start.to_string()>{content}</ol> }.into_any(),
                None => view! { <ul>{content}</ul> }.into_any(),
            }
        }
        Block::Table { head, rows, alignments } => show_table(head, rows, alignments),
        Block::Rule => view! { <hr /> }.into_any(),
    }
}

fn show_blocks(blocks: &[Block]) -> Vec<AnyView> {
    blocks.iter().map(show_block).collect()
}

/// A paragraph alone in an item needs no space around it.
fn show_item(item: &Item) -> AnyView {
    let content = match &item.content[..] {
        [Block::Paragraph(content), rest @ ..] => view! { {show_inlines(content)} {show_blocks(rest)} }.into_any(),
        content => show_blocks(content).into_any(),
    };
    match item.ticked {
        Some(ticked) => view! {
            <li class="prose__task">
                <input type="checkbox" disabled checked=ticked />
                {content}
            </li>
        }
        .into_any(),
        None => view! { <li>{content}</li> }.into_any(),
    }
}

fn show_table(head: &Row, rows: &[Row], alignments: &[Alignment]) -> AnyView {
    let side = |column: usize| match alignments.get(column) {
        Some(Alignment::Right) => "prose__cell--right",
        Some(Alignment::Center) => "prose__cell--center",
        Some(Alignment::Left | Alignment::None) | None => "",
    };
    let head =
        head.iter().enumerate().map(|(i, cell)| view! { <th class=side(i)>{show_inlines(cell)}</th> }).collect_view();
    let row = |row: &Row| {
        let cells = row
            .iter()
            .enumerate()
            .map(|(i, cell)| view! { <td class=side(i)>{show_inlines(cell)}</td> })
            .collect_view();
        view! { <tr>{cells}</tr> }
    };
    let rows = rows.iter().map(row).collect_view();
    view! {
        <div class="prose__table" tabindex="0" role="group" aria-label=text::message::TABLE>
            <table>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn show_inlines(inlines: &[Inline]) -> Vec<AnyView> {
    inlines.iter().map(show_inline).collect()
}

fn show_inline(inline: &Inline) -> AnyView {
    match inline {
        Inline::Text(text) => text.clone().into_any(),
        Inline::Code(text) => view! { <code>{text.clone()}</code> }.into_any(),
        Inline::Emphasis(content) => view! { <em>{show_inlines(content)}</em> }.into_any(),
        Inline::Strong(content) => view! { <strong>{show_inlines(content)}</strong> }.into_any(),
        Inline::Strikethrough(content) => view! { <del>{show_inlines(content)}</del> }.into_any(),
        Inline::Link { href, content } => view! {
            <a href=href.clone() target="_blank" rel="noopener noreferrer">{show_inlines(content)}</a>
        }
        .into_any(),
        Inline::Break => view! { <br /> }.into_any(),
    }
}

/// A block of code, with its language and a button that copies it.
#[component]
fn Code(language: String, text: String) -> impl IntoView {
    let pieces: Vec<_> = highlight(&language, &text).into_iter().map(show_piece).collect();
    let name = if language.is_empty() { "text".to_owned() } else { language };
    view! {
        <div class="code">
            <div class="code__bar">
                <span class="code__language">{name}</span>
                <CopyButton label=text::message::COPY_CODE text=Signal::stored(text) />
            </div>
            <pre tabindex="0"><code>{pieces}</code></pre>
        </div>
    }
}

fn show_piece((kind, text): (Kind, &str)) -> AnyView {
    let class = match kind {
        Kind::Plain => return text.to_owned().into_any(),
        Kind::Comment => "code__comment",
        Kind::Keyword => "code__keyword",
        Kind::Number => "code__number",
        Kind::Text => "code__string",
    };
    view! { <span class=class>{text.to_owned()}</span> }.into_any()
}

/// A button that copies, and says so.
#[component]
pub fn CopyButton(label: &'static str, #[prop(into)] text: Signal<String>) -> impl IntoView {
    const SHOWN: Duration = Duration::from_secs(2);
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let text = text.get_untracked();
        spawn_local(async move {
            if browser::copy(&text).await {
                copied.try_set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    SHOWN,
                );
            }
        });
    };
    view! {
        <button class="button button--small" aria-label=label title=label on:click=copy>
            <Show when=move || copied.get() fallback=|| view! { <Icon glyph=Glyph::Copy /> }>
                <Icon glyph=Glyph::Tick />
            </Show>
            <span class="visually-hidden" role="status">{move || copied.get().then_some(text::message::COPIED)}</span>
        </button>
    }
}
