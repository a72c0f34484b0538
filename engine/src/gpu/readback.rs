//! Bytes back from the device.

use super::device::{Device, lock};
use crate::error::{Error, ErrorKind, Result};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// A buffer that the host can read: it is given room, some results are copied into it, one behind the other, and it is asked
/// for all of them at once.
#[derive(Debug, Default)]
pub(super) struct Readback {
    buffer: Option<wgpu::Buffer>,
    /// What was copied.
    len_bytes: u64,
    answer: Option<Arc<Mutex<Answer>>>,
    /// The last work that fills it.
    pub(super) submission: Option<wgpu::SubmissionIndex>,
}

/// The answer of a mapping, and who waits for it.
#[derive(Debug, Default)]
struct Answer {
    result: Option<std::result::Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

impl Readback {
    /// Empties it, and makes room for so many bytes.
    pub(super) fn make_room(&mut self, device: &Device, bytes: usize) {
        self.len_bytes = 0;
        if self.buffer.as_ref().is_none_or(|buffer| buffer.size() < bytes as u64) {
            self.destroy();
            self.buffer = Some(device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: bytes as u64,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }));
        }
    }

    /// Gives its memory back now; see [`super::memory`].
    fn destroy(&mut self) {
        self.buffer.take().iter().for_each(wgpu::Buffer::destroy);
    }

    /// Has the device copy the first bytes of `from`, after what it was told before.
    pub(super) fn copy(&mut self, encoder: &mut wgpu::CommandEncoder, from: &wgpu::Buffer, bytes: usize) {
        let buffer = self.buffer.as_ref().expect("room was made");
        encoder.copy_buffer_to_buffer(from, 0, buffer, self.len_bytes, bytes as u64);
        self.len_bytes += bytes as u64;
    }

    /// How many results of this type were copied.
    pub(super) fn len<T>(&self) -> usize {
        usize::try_from(self.len_bytes).expect("it was a usize before") / size_of::<T>()
    }

    /// Asks for what was copied, which has been submitted.
    pub(super) fn ask(&mut self) {
        let buffer = self.buffer.as_ref().expect("something was copied");
        let answer = Arc::new(Mutex::new(Answer::default()));
        let told = answer.clone();
        buffer.slice(..self.len_bytes).map_async(wgpu::MapMode::Read, move |result| {
            let mut answer = lock(&told);
            answer.result = Some(result);
            if let Some(waker) = answer.waker.take() {
                waker.wake();
            }
        });
        self.answer = Some(answer);
    }

    /// Whether what was asked for is there.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| lock(answer).result.is_some())
    }

    /// Waits for what was asked for.
    pub(super) async fn take<T: bytemuck::AnyBitPattern>(&mut self, device: &Device) -> Result<Vec<T>> {
        let answer = self.answer.take().expect("it was asked for");
        let buffer = self.buffer.as_ref().expect("something was copied");
        // Gives the device up; what it says itself is better than that it says nothing.
        let lost = |error: Box<dyn std::error::Error + Send + Sync>| {
            device.give_up();
            let silent = || Error::new(ErrorKind::Unsupported, "The GPU does not answer.").with_source(error);
            device.check().err().unwrap_or_else(silent)
        };
        // A browser answers by itself. Elsewhere nobody does, so this waits, though only for what is not done.
        while !cfg!(target_arch = "wasm32") && lock(&answer).result.is_none() {
            let oldest = self.submission.take();
            let wait = wgpu::PollType::Wait { submission_index: oldest, timeout: None };
            device.device.poll(wait).map_err(|error| lost(error.into()))?;
        }
        let result = poll_fn(|context| {
            let mut answer = lock(&answer);
            match answer.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    answer.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        result.await.map_err(|error| lost(error.into()))?;
        device.check()?;
        let view = buffer.slice(..self.len_bytes).get_mapped_range().map_err(|error| lost(error.into()))?;
        let values = view.as_chunks_of::<T>();
        drop(view);
        buffer.unmap();
        Ok(values)
    }
}

impl Drop for Readback {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// Bytes as numbers, wherever they lie.
trait Chunks {
    fn as_chunks_of<T: bytemuck::AnyBitPattern>(&self) -> Vec<T>;
}

impl Chunks for wgpu::BufferView {
    fn as_chunks_of<T: bytemuck::AnyBitPattern>(&self) -> Vec<T> {
        self.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }
}
