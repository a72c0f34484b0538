//! Conversations in IndexedDB: their texts in one store, the lines of the list in another.
//!
//! A browser may close the database at any time: because another tab deletes or upgrades it, because the person clears
//! the page's data, because a disk fails. It is then opened again by whatever is asked of it next.

use crate::browser;
use crate::state::chat::{Chat, Id, Summary};
use idb::event::VersionChangeEvent;
use idb::{Database, DatabaseEvent, Factory, ObjectStoreParams, Transaction, TransactionMode, TransactionResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use wasm_bindgen::JsValue;

const NAME: &str = "minnow";
const CHATS: &str = "chats";
const SUMMARIES: &str = "summaries";

/// Step `n` brings the database from version `n` to version `n + 1`. A released step never changes; a new one is added.
const MIGRATIONS: &[Migration] = &[create_stores];

/// Brings a database to its next version.
type Migration = fn(&Database) -> Result<(), idb::Error>;

/// A database that has not answered for so long may never: the browser waits without a word for tabs that hang.
const ANSWER_MS: i32 = 5_000;

/// The browser's database.
#[derive(Clone)]
pub struct Storage(Rc<Inner>);

struct Inner {
    connection: RefCell<Option<Rc<Connection>>>,
    on_lost: Rc<dyn Fn()>,
}

/// An open database.
struct Connection {
    database: Database,
    /// It was closed by the browser, or for another page.
    is_closed: Rc<Cell<bool>>,
}

impl Drop for Connection {
    /// A connection that nobody holds would keep other pages from changing the database.
    fn drop(&mut self) {
        self.database.close();
    }
}

/// Why something could not be saved or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageError {
    /// There is no room.
    Full,
    /// A newer page has changed the database.
    Newer,
    NoAnswer,
    /// Whatever else the browser says.
    Other(String),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the storage is full",
            Self::Newer => "it belongs to a newer Minnow: reload the page",
            Self::NoAnswer => "the browser's database does not answer",
            Self::Other(reason) => reason,
        })
    }
}

impl From<idb::Error> for StorageError {
    /// Browsers agree only on the names of errors.
    fn from(error: idb::Error) -> Self {
        let reason = error.to_string();
        match reason {
            reason if reason.contains("QuotaExceeded") => Self::Full,
            reason if reason.contains("VersionError") => Self::Newer,
            reason => Self::Other(reason),
        }
    }
}

impl Storage {
    /// Opens the database. `on_lost` is called when what was in it may be gone.
    pub async fn open(on_lost: impl Fn() + 'static) -> Result<Self, StorageError> {
        let storage = Self(Rc::new(Inner { connection: RefCell::default(), on_lost: Rc::new(on_lost) }));
        storage.run(async |_| Ok(())).await?;
        Ok(storage)
    }

    /// The list of conversations, the one changed last first.
    pub async fn summaries(&self) -> Result<Vec<Summary>, StorageError> {
        let mut summaries: Vec<Summary> = self.run(async |database| all(database, SUMMARIES).await).await?;
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.updated_ms));
        Ok(summaries)
    }

    pub async fn chats(&self) -> Result<Vec<Chat>, StorageError> {
        self.run(async |database| all(database, CHATS).await).await
    }

    pub async fn chat(&self, id: Id) -> Result<Option<Chat>, StorageError> {
        self.run(async move |database| {
            let transaction = database.transaction(&[CHATS], TransactionMode::ReadOnly)?;
            let value = transaction.object_store(CHATS)?.get(key(id))?.await?;
            Ok(value.and_then(|value| from_value(&value)))
        })
        .await
    }

    /// Saves a conversation, with whatever another tab has added to it. Returns both together.
    pub async fn save(&self, chat: Chat) -> Result<Chat, StorageError> {
        self.run(async move |database| {
            let mut chat = chat.clone();
            let transaction = database.transaction(&[CHATS, SUMMARIES], TransactionMode::ReadWrite)?;
            let (chats, summaries) = (transaction.object_store(CHATS)?, transaction.object_store(SUMMARIES)?);
            let key = key(chat.id);
            if let Some(other) = chats.get(key.clone())?.await?.and_then(|value| from_value(&value)) {
                chat.merge(&other);
            }
            chats.put(&to_value(&chat), Some(&key))?.await?;
            summaries.put(&to_value(&chat.summary()), Some(&key))?.await?;
            finish(transaction).await?;
            Ok(chat)
        })
        .await
    }

    pub async fn delete(&self, id: Id) -> Result<(), StorageError> {
        self.run(async move |database| {
            let transaction = database.transaction(&[CHATS, SUMMARIES], TransactionMode::ReadWrite)?;
            transaction.object_store(CHATS)?.delete(key(id))?.await?;
            transaction.object_store(SUMMARIES)?.delete(key(id))?.await?;
            finish(transaction).await
        })
        .await
    }

    /// Does something with the database, open or opened for it. What fails is tried once more with a fresh connection.
    async fn run<T: 'static>(
        &self,
        work: impl AsyncFn(&Database) -> Result<T, idb::Error> + 'static,
    ) -> Result<T, StorageError> {
        let storage = self.clone();
        let twice = async move {
            match storage.run_once(&work).await {
                Err(StorageError::Other(_)) => storage.run_once(&work).await,
                done => done,
            }
        };
        let answer = browser::within(ANSWER_MS, twice).await;
        if answer.is_none() {
            self.0.connection.replace(None);
        }
        answer.unwrap_or(Err(StorageError::NoAnswer))
    }

    async fn run_once<T>(&self, work: &impl AsyncFn(&Database) -> Result<T, idb::Error>) -> Result<T, StorageError> {
        let connection = self.connection().await?;
        let done = work(&connection.database).await;
        if done.is_err() {
            self.0.connection.replace(None);
        }
        Ok(done?)
    }

    async fn connection(&self) -> Result<Rc<Connection>, idb::Error> {
        let open = self.0.connection.borrow().clone();
        if let Some(connection) = open.filter(|connection| !connection.is_closed.get()) {
            return Ok(connection);
        }
        let connection = Rc::new(connect(Rc::clone(&self.0.on_lost)).await?);
        self.0.connection.replace(Some(Rc::clone(&connection)));
        Ok(connection)
    }
}

async fn connect(on_lost: Rc<dyn Fn()>) -> Result<Connection, idb::Error> {
    let version = u32::try_from(MIGRATIONS.len()).expect("the steps can be counted");
    let mut request = Factory::new()?.open(NAME, Some(version))?;
    request.on_upgrade_needed(|event| migrate(&event).expect("what is new can be added to the database"));
    let mut database = request.await?;
    let is_closed = Rc::new(Cell::new(false));
    let (closed, lost) = (Rc::clone(&is_closed), Rc::clone(&on_lost));
    database.on_close(move |_| {
        closed.set(true);
        lost();
    });
    let closed = Rc::clone(&is_closed);
    // Another page deletes or upgrades the database, and waits until this one lets go of it.
    database.on_version_change(move |event| {
        closed.set(true);
        if let Ok(database) = event.database() {
            database.close();
        }
        let upgrades = VersionChangeEvent::try_from(JsValue::from(event)).and_then(|event| event.new_version());
        if !matches!(upgrades, Ok(Some(_))) {
            on_lost();
        }
    });
    Ok(Connection { database, is_closed })
}

fn migrate(event: &VersionChangeEvent) -> Result<(), idb::Error> {
    let database = event.database()?;
    let from = usize::try_from(event.old_version()?).expect("a version is a small number");
    MIGRATIONS[from..].iter().try_for_each(|step| step(&database))
}

fn create_stores(database: &Database) -> Result<(), idb::Error> {
    for store in [CHATS, SUMMARIES] {
        database.create_object_store(store, ObjectStoreParams::new())?;
    }
    Ok(())
}

/// What does not parse was written by a newer page, and is left alone.
async fn all<T: DeserializeOwned>(database: &Database, store: &str) -> Result<Vec<T>, idb::Error> {
    let transaction = database.transaction(&[store], TransactionMode::ReadOnly)?;
    let values = transaction.object_store(store)?.get_all(None, None)?.await?;
    Ok(values.iter().filter_map(from_value).collect())
}

/// Waits until all is written. On a full disk a browser may give it up only now, and that is no error to `idb`.
async fn finish(transaction: Transaction) -> Result<(), idb::Error> {
    match transaction.await? {
        TransactionResult::Committed => Ok(()),
        TransactionResult::Aborted => Err(idb::Error::TransactionCommitError("the browser gave it up".into())),
    }
}

fn key(id: Id) -> JsValue {
    id.to_string().into()
}

fn to_value<T: Serialize>(value: &T) -> JsValue {
    serde_json::to_string(value).expect("plain data has a JSON form").into()
}

fn from_value<T: DeserializeOwned>(value: &JsValue) -> Option<T> {
    serde_json::from_str(&value.as_string()?).ok()
}
