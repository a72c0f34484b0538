//! Conversations in IndexedDB: their texts in one store, the lines of the list in another.

use crate::state::chat::{Chat, Id, Summary};
use idb::builder::{DatabaseBuilder, ObjectStoreBuilder};
use idb::{Database, Transaction, TransactionMode, TransactionResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::rc::Rc;
use wasm_bindgen::JsValue;

const CHATS: &str = "chats";
const SUMMARIES: &str = "summaries";

/// The browser's database.
#[derive(Clone)]
pub struct Storage(Rc<Database>);

impl Storage {
    pub async fn open() -> Result<Self, idb::Error> {
        let database = DatabaseBuilder::new("minnow")
            .version(1)
            .add_object_store(ObjectStoreBuilder::new(CHATS))
            .add_object_store(ObjectStoreBuilder::new(SUMMARIES))
            .build()
            .await?;
        Ok(Self(Rc::new(database)))
    }

    /// The list of conversations, the one changed last first.
    pub async fn summaries(&self) -> Result<Vec<Summary>, idb::Error> {
        let mut summaries: Vec<Summary> = self.all(SUMMARIES).await?;
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.updated_ms));
        Ok(summaries)
    }

    pub async fn chats(&self) -> Result<Vec<Chat>, idb::Error> {
        self.all(CHATS).await
    }

    pub async fn chat(&self, id: Id) -> Result<Option<Chat>, idb::Error> {
        let transaction = self.0.transaction(&[CHATS], TransactionMode::ReadOnly)?;
        let value = transaction.object_store(CHATS)?.get(key(id))?.await?;
        Ok(value.and_then(|value| from_value(&value)))
    }

    /// Saves a conversation, with whatever another tab has added to it. Returns both together.
    pub async fn save(&self, mut chat: Chat) -> Result<Chat, idb::Error> {
        let transaction = self.0.transaction(&[CHATS, SUMMARIES], TransactionMode::ReadWrite)?;
        let (chats, summaries) = (transaction.object_store(CHATS)?, transaction.object_store(SUMMARIES)?);
        let key = key(chat.id);
        if let Some(other) = chats.get(key.clone())?.await?.and_then(|value| from_value(&value)) {
            chat.merge(&other);
        }
        chats.put(&to_value(&chat), Some(&key))?.await?;
        summaries.put(&to_value(&chat.summary()), Some(&key))?.await?;
        finish(transaction).await?;
        Ok(chat)
    }

    pub async fn delete(&self, id: Id) -> Result<(), idb::Error> {
        let transaction = self.0.transaction(&[CHATS, SUMMARIES], TransactionMode::ReadWrite)?;
        transaction.object_store(CHATS)?.delete(key(id))?.await?;
        transaction.object_store(SUMMARIES)?.delete(key(id))?.await?;
        finish(transaction).await
    }

    /// What does not parse was written by a newer page, and is left alone.
    async fn all<T: DeserializeOwned>(&self, store: &str) -> Result<Vec<T>, idb::Error> {
        let transaction = self.0.transaction(&[store], TransactionMode::ReadOnly)?;
        let values = transaction.object_store(store)?.get_all(None, None)?.await?;
        Ok(values.iter().filter_map(from_value).collect())
    }
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
