//! A conversation is a tree of messages: an edited question or a second try becomes a sibling, so nothing is lost.

use super::ActionContext;
use crate::text;
use protocol::{self, ReplyStats, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Names a conversation or a message; drawn at random, so that two tabs never draw the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A conversation. A parent always stands before its replies in `messages`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    pub id: Id,
    pub title: String,
    /// When the person named it; 0 if its first words still do.
    #[serde(default)]
    pub titled_ms: u64,
    pub updated_ms: u64,
    /// The last message of the branch on screen.
    pub leaf: Option<Id>,
    /// Shared, so that a memo can hold a message and notice by its address that it changed.
    pub messages: Vec<Arc<Message>>,
}

/// One message, and what it follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: Id,
    pub parent: Option<Id>,
    pub role: Role,
    pub content: String,
    /// How it came about, if a model wrote it.
    pub origin: Option<Origin>,
}

/// How a reply came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The model's name; empty until one answers.
    pub model: String,
    /// Its hidden thinking, kept under the name it had at first.
    #[serde(rename = "thought")]
    pub reasoning: String,
    /// Messages that no longer fitted into the context.
    pub n_dropped: u32,
    pub outcome: Outcome,
}

/// How a reply ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is being written, or was when the page closed.
    Open,
    Done(ReplyStats),
    /// A sentence for the person; what was written before is kept.
    Failed(String),
}

/// A line of the list of conversations.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Summary {
    pub id: Id,
    pub title: String,
    pub updated_ms: u64,
}

/// A message's place among the alternatives to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub number: usize,
    pub count: usize,
    pub previous: Option<Id>,
    pub next: Option<Id>,
}

impl Place {
    fn among(siblings: &[Id], id: Id) -> Self {
        let index = siblings.iter().position(|sibling| *sibling == id).expect("a message is its own sibling");
        Self {
            number: index + 1,
            count: siblings.len(),
            previous: index.checked_sub(1).map(|i| siblings[i]),
            next: siblings.get(index + 1).copied(),
        }
    }
}

const TITLE_CHARS: usize = 60;

impl Chat {
    /// An empty conversation, named after the first thing said in it.
    pub fn new(first_words: &str, context: ActionContext) -> Self {
        Self {
            id: context.id(0),
            title: title(first_words),
            titled_ms: 0,
            updated_ms: context.now_ms,
            leaf: None,
            messages: Vec::new(),
        }
    }

    pub fn summary(&self) -> Summary {
        Summary { id: self.id, title: self.title.clone(), updated_ms: self.updated_ms }
    }

    pub fn message(&self, id: Id) -> Option<&Arc<Message>> {
        self.messages.iter().find(|message| message.id == id)
    }

    pub fn message_mut(&mut self, id: Id) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.id == id).map(Arc::make_mut)
    }

    /// Adds a message at the end of the branch that its parent ends, and shows it.
    pub fn push(&mut self, message: Message) {
        self.leaf = Some(message.id);
        self.messages.push(Arc::new(message));
    }

    /// The messages from the first to `last`.
    pub fn path_to(&self, last: Option<Id>) -> Vec<&Arc<Message>> {
        let mut wanted = last;
        let mut path = Vec::new();
        for message in self.messages.iter().rev() {
            if Some(message.id) == wanted {
                path.push(message);
                wanted = message.parent;
            }
        }
        path.reverse();
        path
    }

    /// The messages on screen.
    pub fn path(&self) -> Vec<&Arc<Message>> {
        self.path_to(self.leaf)
    }

    /// What the model reads to answer `last`. A reply of which nothing was written is left out.
    pub fn prompt(&self, last: Id) -> Vec<protocol::Message> {
        self.path_to(Some(last))
            .into_iter()
            .filter(|message| message.role != Role::Assistant || !message.content.is_empty())
            .map(|message| protocol::Message { role: message.role, content: message.content.clone() })
            .collect()
    }

    /// The messages on screen, each with its place among the alternatives to it.
    pub fn shown(&self) -> Vec<(Arc<Message>, Place)> {
        let mut siblings: BTreeMap<Option<Id>, Vec<Id>> = BTreeMap::new();
        for message in &self.messages {
            siblings.entry(message.parent).or_default().push(message.id);
        }
        let place = |message: &Message| Place::among(&siblings[&message.parent], message.id);
        self.path().into_iter().map(|message| (Arc::clone(message), place(message))).collect()
    }

    /// Shows the branch through `id`, down to its newest message.
    pub fn select(&mut self, id: Id) {
        let mut leaf = id;
        while let Some(child) = self.messages.iter().rev().find(|m| m.parent == Some(leaf)) {
            leaf = child.id;
        }
        self.leaf = Some(leaf);
    }

    /// Takes over what another tab has saved in the meantime: messages are only ever added, and only replies change:
    /// they grow, then end. The newer title stays, and the newer branch. Returns whether there was anything new.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut is_new = false;
        if other.titled_ms > self.titled_ms {
            self.titled_ms = other.titled_ms;
            self.title.clone_from(&other.title);
            is_new = true;
        }
        if other.updated_ms > self.updated_ms {
            self.updated_ms = other.updated_ms;
            self.leaf = other.leaf;
            is_new = true;
        }
        for theirs in &other.messages {
            match self.messages.iter_mut().find(|ours| ours.id == theirs.id) {
                Some(ours) if theirs.is_ahead_of(ours) => *ours = Arc::clone(theirs),
                Some(_) => continue,
                None => self.messages.push(Arc::clone(theirs)),
            }
            is_new = true;
        }
        is_new
    }

    /// Whether all is the same but for what the person was looking at.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.title == other.title && self.messages == other.messages
    }

    /// Whether the tree hangs together; a file from elsewhere may hold anything.
    pub fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for message in &self.messages {
            if message.parent.is_some_and(|parent| !seen.contains(&parent)) {
                return Err(text::transfer::orphan(&self.title));
            }
            if !seen.insert(message.id) {
                return Err(text::transfer::twice(&self.title));
            }
        }
        match self.leaf {
            Some(leaf) if !seen.contains(&leaf) => Err(text::transfer::no_end(&self.title)),
            Some(_) | None => Ok(()),
        }
    }
}

impl Message {
    pub fn from_person(content: String, parent: Option<Id>, id: Id) -> Self {
        Self { id, parent, role: Role::User, content, origin: None }
    }

    /// A reply of which nothing is there yet.
    pub fn from_model(model: String, parent: Id, id: Id) -> Self {
        let origin = Origin { model, reasoning: String::new(), n_dropped: 0, outcome: Outcome::Open };
        Self { id, parent: Some(parent), role: Role::Assistant, content: String::new(), origin: Some(origin) }
    }

    /// A reply that is being written, or was when the page closed.
    pub fn is_open(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.outcome == Outcome::Open)
    }

    /// Whether this is a later state of the same message.
    fn is_ahead_of(&self, other: &Self) -> bool {
        let written = |message: &Self| message.content.len() + message.origin.as_ref().map_or(0, |o| o.reasoning.len());
        other.is_open() && (!self.is_open() || written(self) > written(other))
    }

    /// How the reply went, once it is complete.
    pub fn stats(&self) -> Option<&ReplyStats> {
        match &self.origin.as_ref()?.outcome {
            Outcome::Done(stats) => Some(stats),
            Outcome::Open | Outcome::Failed(_) => None,
        }
    }
}

/// The first line of what was said, cut at a length that fits into the list.
pub fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(text::sidebar::NEW_CONVERSATION);
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}
