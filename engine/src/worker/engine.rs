//! The model that answers, if there is one.

use super::load::{self, Loaded};
use super::place;
use super::post::{failed, post, progress};
use super::queue::{Job, Work};
use super::reply::{self, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Event, GenerateOptions, Kept, LoadOptions, Stage};
use crate::session::Session;
use crate::store::Cancel;
use std::rc::Rc;
use web_sys::File;

/// See the module.
#[derive(Default)]
pub(super) struct Engine {
    session: Option<Session>,
    /// How the model that answers can be had again without the network.
    again: Option<Again>,
}

/// See [`Engine`].
#[derive(Clone)]
struct Again {
    options: LoadOptions,
    file: Option<File>,
    /// Where the page believes that it runs.
    backend: String,
}

impl Again {
    /// Loads the model once more, over `old`, without a word of it. No wish to stop ends this: the reply ends after it, and the
    /// model is there for the next one.
    async fn load(&self, old: &mut Option<Session>) -> Result<Loaded> {
        let silent = Rc::new(|_stage, _loaded_bytes, _total_bytes| {});
        load::load(&self.options, self.file.clone(), &Cancel::default(), silent, |_why| {}, old).await
    }
}

impl Engine {
    /// Does a job, and answers it.
    pub(super) async fn run(&mut self, job: Job<File>) {
        let stage = job.work.stage();
        let outcome = match job.work {
            Work::Load(options, file) => self.load(options, file, &job.cancel).await,
            Work::Generate(options) => self.generate(&options, &job.cancel).await,
            Work::Bench(options) => match self.session() {
                Ok(session) => reply::bench(session, options, &job.cancel).await,
                Err(error) => Err(error),
            },
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled && stage == Stage::Load => post(&Event::LoadCancelled),
            Err(error) => failed(stage, &error),
        }
        if self.session.as_ref().is_some_and(|session| session.backend().is_lost()) {
            self.session = None;
        }
        self.restore().await;
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| Error::new(ErrorKind::NotFound, "No model is loaded: choose one first."))
    }

    /// A reply; if the device fails in the middle of it or is full, it goes on with the file that is at hand.
    async fn generate(&mut self, options: &GenerateOptions, cancel: &Cancel) -> Result<()> {
        let mut writer = Writer::start(self.session()?, options)?;
        loop {
            let session = self.session()?;
            let outcome = writer.write(session, cancel).await;
            let Err(error) = &outcome else {
                place::note_success();
                return outcome;
            };
            if !session.backend().is_lost() {
                return outcome;
            }
            if error.kind() == ErrorKind::Memory {
                place::note_obstacle(Some(place::Obstacle::NoRoomForConversation));
            } else {
                place::note_failure();
            }
            if !self.recover().await {
                return outcome;
            }
        }
    }

    /// Loads the model again, and moves the session to where it is now; false if that cannot be.
    async fn recover(&mut self) -> bool {
        let Some(again) = &mut self.again else { return false };
        match (again.load(&mut None).await, &mut self.session) {
            (Ok(loaded), Some(session)) => {
                let has_room = session.move_to(loaded.session.into_backend());
                if has_room {
                    again.backend.clone_from(&loaded.info.backend);
                    post(&Event::Moved(loaded.info));
                }
                has_room
            }
            (Ok(_) | Err(_), _) => false,
        }
    }

    async fn load(&mut self, options: LoadOptions, file: Option<File>, cancel: &Cancel) -> Result<()> {
        place::start_anew();
        let on_start_over = |why| post(&Event::StartedOver(why));
        let Loaded { session, info } =
            load::load(&options, file.clone(), cancel, progress(), on_start_over, &mut self.session).await?;
        self.session = Some(session);
        let is_at_hand = info.kept == Kept::Yes || file.is_some();
        self.again = is_at_hand.then(|| Again { options, file, backend: info.backend.clone() });
        post(&Event::Loaded(info));
        Ok(())
    }

    /// If the model that answered had to make room for one that did not come after all, it answers again.
    async fn restore(&mut self) {
        if self.session.is_some() {
            return;
        }
        let Some(mut again) = self.again.take() else { return };
        place::note_obstacle(None);
        if let Ok(Loaded { session, info }) = again.load(&mut self.session).await {
            self.session = Some(session);
            if again.backend != info.backend {
                again.backend.clone_from(&info.backend);
                post(&Event::Moved(info));
            }
            self.again = Some(again);
        }
    }
}
