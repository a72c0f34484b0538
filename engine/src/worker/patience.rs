//! Waiting for a device that may never answer.

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Cancel, js};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Slow ones compile their shaders for seconds.
const LIMIT_MS: u32 = 60_000;

/// What `answer` comes to.
///
/// # Errors
/// Its own; `Cancelled` as soon as that is wished; `Unsupported` after a minute.
pub(super) async fn wait<T>(answer: impl Future<Output = Result<T>>, cancel: &Cancel) -> Result<T> {
    cancel.check()?;
    let (mut answer, mut limit) = (pin!(answer), pin!(js::sleep(LIMIT_MS)));
    let mut listens = false;
    poll_fn(move |context| {
        if !std::mem::replace(&mut listens, true) {
            let waker = context.waker().clone();
            cancel.on_cancel(move || waker.wake_by_ref());
        }
        if let Err(cancelled) = cancel.check() {
            return Poll::Ready(Err(cancelled));
        }
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        limit.as_mut().poll(context).map(|()| Err(Error::new(ErrorKind::Unsupported, "the GPU does not answer")))
    })
    .await
}
