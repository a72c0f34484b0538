//! Bytes back from the device.

use super::device::{Device, lock};
use crate::error::{Error, ErrorKind, Result};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// A buffer that the host can read, as long as the longest that was asked for.
#[derive(Debug, Default)]
pub(super) struct Readback {
    buffer: Option<wgpu::Buffer>,
    answer: Option<Arc<Mutex<Answer>>>,
    /// The work that fills it.
    pub(super) submission: Option<wgpu::SubmissionIndex>,
}

/// The answer of a mapping, and who waits for it.
#[derive(Debug, Default)]
struct Answer {
    result: Option<std::result::Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

impl Readback {
    /// Has the device copy the first bytes of `from`, after what it was told before.
    pub(super) fn copy(
        &mut self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        from: &wgpu::Buffer,
        bytes: usize,
    ) {
        let bytes = bytes as u64;
        let buffer = match self.buffer.take() {
            Some(buffer) if buffer.size() >= bytes => buffer,
            Some(_) | None => device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
        };
        encoder.copy_buffer_to_buffer(from, 0, &buffer, 0, bytes);
        self.buffer = Some(buffer);
    }

    /// Asks for what was copied, which has been submitted.
    pub(super) fn ask(&mut self, bytes: usize) {
        let buffer = self.buffer.as_ref().expect("something was copied");
        let answer = Arc::new(Mutex::new(Answer::default()));
        let told = answer.clone();
        buffer.slice(..bytes as u64).map_async(wgpu::MapMode::Read, move |result| {
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
    pub(super) async fn take<T: bytemuck::AnyBitPattern>(&mut self, device: &Device, n: usize) -> Result<Vec<T>> {
        let answer = self.answer.take().expect("it was asked for");
        let buffer = self.buffer.as_ref().expect("something was copied");
        let lost = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unsupported, "The GPU does not answer.").with_source(error)
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
        let mapped = result.await.map_err(|error| {
            device.give_up();
            lost(error.into())
        });
        device.check()?;
        mapped?;
        let view =
            buffer.slice(..(n * size_of::<T>()) as u64).get_mapped_range().map_err(|error| lost(error.into()))?;
        let values = view.as_chunks_of::<T>();
        drop(view);
        buffer.unmap();
        Ok(values)
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
