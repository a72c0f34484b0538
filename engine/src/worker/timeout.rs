//! Waiting for a device that may never answer.

use crate::error::Result;
use crate::store::{Cancel, js};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Slow ones compile their shaders for seconds.
const LIMIT_MS: u32 = 60_000;

/// The output of `answer`; none if it has not come after [`LIMIT_MS`].
pub(super) async fn with_timeout<T>(answer: impl Future<Output = T>) -> Option<T> {
    let (mut answer, mut limit) = (pin!(answer), pin!(js::sleep(LIMIT_MS)));
    poll_fn(move |context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => limit.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// What `answer` comes to.
///
/// # Errors
/// Its own; `Cancelled` as soon as that is wished.
pub(super) async fn unless_cancelled<T>(cancel: &Cancel, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let mut answer = pin!(answer);
    let mut listens = false;
    poll_fn(move |context| {
        if !std::mem::replace(&mut listens, true) {
            let waker = context.waker().clone();
            cancel.on_cancel(move || waker.wake_by_ref());
        }
        match cancel.check() {
            Ok(()) => answer.as_mut().poll(context),
            Err(cancelled) => Poll::Ready(Err(cancelled)),
        }
    })
    .await
}
