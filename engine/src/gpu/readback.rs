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

    /// Waits for what was copied, which has been submitted.
    pub(super) async fn take<T: bytemuck::AnyBitPattern>(&self, device: &Device, n: usize) -> Result<Vec<T>> {
        let buffer = self.buffer.as_ref().expect("something was copied");
        let slice = buffer.slice(..(n * size_of::<T>()) as u64);
        let answer = Arc::new(Mutex::new(Answer::default()));
        let told = answer.clone();
        slice.map_async(wgpu::MapMode::Read, move |result| {
            let mut answer = lock(&told);
            answer.result = Some(result);
            if let Some(waker) = answer.waker.take() {
                waker.wake();
            }
        });
        // A browser answers by itself; elsewhere nobody does, so this waits.
        let polled = device.device.poll(wgpu::PollType::wait_indefinitely());
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
        let lost = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unsupported, "The GPU does not answer.").with_source(error)
        };
        polled.map_err(|error| lost(error.into()))?;
        let mapped = result.await.map_err(|error| lost(error.into()));
        device.check()?;
        mapped?;
        let view = slice.get_mapped_range().map_err(|error| lost(error.into()))?;
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
