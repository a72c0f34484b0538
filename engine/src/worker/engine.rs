//! The model that answers, if there is one.

use super::backend_choice::BackendChooser;
use super::gpu_fallback::FallbackReason;
use super::load::{Loaded, Wanted, load};
use super::post::{failed, post, progress};
use super::queue::{Job, Work};
use super::reply::{self, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Event, GenerateOptions, Kept, LoadOptions, ModelInfo, Stage};
use crate::session::Session;
use crate::store::Cancel;
use std::rc::Rc;
use web_sys::File;

/// See the module.
#[derive(Default)]
pub(super) struct Engine {
    session: Option<Session>,
    /// How the model can be had again, in all likelihood without the network.
    again: Option<Again>,
    backends: BackendChooser,
}

/// See [`Engine`].
struct Again {
    options: LoadOptions,
    file: Option<File>,
    /// Where the page believes that it runs, and with what.
    told: (String, String),
}

impl Again {
    /// Loads the model once more, without a word of it. Only where a new session begins may a file come over the network, if the
    /// browser has given its copy up: it may be another one by now.
    async fn load(&self, may_download: bool, cancel: &Cancel, backends: &mut BackendChooser) -> Result<Loaded> {
        let wanted = Wanted {
            options: &self.options,
            file: self.file.clone(),
            may_download,
            cancel,
            on_progress: Rc::new(|_stage, _loaded_bytes, _total_bytes| {}),
            on_start_over: |_why| {},
        };
        load(wanted, backends, &mut None).await
    }

    /// Tells the page where the model runs, if it believes something else.
    fn tell(&mut self, info: ModelInfo) {
        let now = told(&info);
        if self.told != now {
            self.told = now;
            post(&Event::Moved(info));
        }
    }
}

fn told(info: &ModelInfo) -> (String, String) {
    (info.backend.clone(), info.tier.clone())
}

impl Engine {
    /// Does a job, and answers it.
    pub(super) async fn run(&mut self, job: Job<File>) {
        let had_model = self.has_model();
        let stage = job.work.stage();
        let outcome = match job.work {
            Work::Load(options, file) => self.load(options, file, &job.cancel).await,
            Work::Generate(options) => self.generate(&options, &job.cancel).await,
            Work::Bench(options) => match self.session(&job.cancel).await {
                Ok(session) => reply::bench(session, options, &job.cancel).await,
                Err(error) => Err(error),
            },
        };
        if self.session.as_ref().is_some_and(|session| session.backend().is_lost()) {
            self.session = None;
        }
        if had_model && !self.has_model() {
            post(&Event::Unloaded);
        }
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled && stage == Stage::Load => post(&Event::LoadCancelled),
            Err(error) if error.kind() == ErrorKind::Cancelled && stage == Stage::Generate => reply::stopped(),
            Err(error) => failed(stage, &error),
        }
    }

    fn has_model(&self) -> bool {
        self.session.is_some() || self.again.is_some()
    }

    /// The model that answers. If it had to make room for one that did not come after all, or its device was lost, it is
    /// loaded again.
    async fn session(&mut self, cancel: &Cancel) -> Result<&mut Session> {
        if self.session.is_none()
            && let Some(again) = &mut self.again
        {
            self.backends.forget_fallback();
            match again.load(true, cancel, &mut self.backends).await {
                Ok(Loaded { session, info }) => {
                    again.tell(info);
                    self.session = Some(session);
                }
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    self.again = None;
                    return Err(error);
                }
            }
        }
        self.session.as_mut().ok_or_else(|| Error::new(ErrorKind::NotFound, "No model is loaded: choose one first."))
    }

    /// A reply; if the device fails in the middle of it or is full, it goes on with the file that is at hand.
    async fn generate(&mut self, options: &GenerateOptions, cancel: &Cancel) -> Result<()> {
        let mut writer = Writer::start(self.session(cancel).await?, options)?;
        loop {
            let session = self.session(cancel).await?;
            let Err(mut error) = writer.write(session, cancel).await else {
                self.backends.note_success();
                return Ok(());
            };
            if !session.backend().is_lost() {
                return Err(error);
            }
            if error.kind() == ErrorKind::Memory {
                let n_ctx_before = session.backend().n_ctx_before();
                self.backends.note_fallback(FallbackReason::NoRoomForConversation(n_ctx_before));
                if let Some(n_ctx) = n_ctx_before {
                    let message = format!(
                        "The GPU has not enough memory for so long a conversation: choose a context of {n_ctx} tokens."
                    );
                    error = Error::new(ErrorKind::Memory, message).with_source(error);
                }
            } else {
                self.backends.note_failure();
            }
            // Who stops it meanwhile is told that it was stopped, by the session that is here.
            if !self.recover(cancel).await && !cancel.is_cancelled() {
                return Err(error);
            }
        }
    }

    /// Loads the model again, and moves the session to where it is now; false if that cannot be.
    async fn recover(&mut self, cancel: &Cancel) -> bool {
        let Some(again) = &mut self.again else { return false };
        match (again.load(false, cancel, &mut self.backends).await, &mut self.session) {
            (Ok(loaded), Some(session)) => {
                let has_room = session.move_to(loaded.session.into_backend());
                if has_room {
                    again.told = told(&loaded.info);
                    post(&Event::Moved(loaded.info));
                }
                has_room
            }
            (Ok(_) | Err(_), _) => false,
        }
    }

    async fn load(&mut self, options: LoadOptions, file: Option<File>, cancel: &Cancel) -> Result<()> {
        self.backends.reset();
        let wanted = Wanted {
            options: &options,
            file: file.clone(),
            may_download: true,
            cancel,
            on_progress: progress(),
            on_start_over: |why| post(&Event::StartedOver(why)),
        };
        let Loaded { session, info } = load(wanted, &mut self.backends, &mut self.session).await?;
        self.session = Some(session);
        let is_at_hand = info.kept == Kept::Yes || file.is_some();
        self.again = is_at_hand.then(|| Again { told: told(&info), options, file });
        post(&Event::Loaded(info));
        Ok(())
    }
}
