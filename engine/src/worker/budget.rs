//! How much context fits beside a model.

use crate::error::{Error, ErrorKind, Result};
use crate::store::served::megabytes;

/// What wasm can address.
pub const HEAP_BYTES_MAX: u64 = 4 << 30;
/// The vocabulary, the piece of the file on its way, and the program itself.
const RESERVE_BYTES: u64 = 256 << 20;
/// With less, there is no conversation.
const CONTEXT_TOKENS_MIN: usize = 512;

/// A model, as far as its need for memory goes.
#[derive(Debug, Clone, Copy)]
pub struct Need<F> {
    /// [`Cpu::weights_bytes`](crate::cpu::Cpu::weights_bytes) and
    /// [`Cpu::activations_bytes`](crate::cpu::Cpu::activations_bytes).
    pub model_bytes: u64,
    /// Bytes that its memories take in a context of so many tokens:
    /// [`Cpu::memory_bytes`](crate::cpu::Cpu::memory_bytes).
    pub memory_bytes: F,
    /// The largest context wanted, already within what the model was trained for.
    pub context_tokens: usize,
}

/// Of a small device, the system and the browser keep a quarter.
const SMALL_DEVICE_SHARE: f64 = 0.75;

/// What a page may take of phones that do not say what they have, by a word of their browsers: Apple's may end a tab that takes
/// more. As in `xtask/src/variants.rs`.
const SILENT_PHONES: [(&str, u64); 3] = [("iPhone", 1 << 30), ("iPad", 1 << 30), ("Android", 2 << 30)];

/// The heap a page should take of a device with so much memory (GB; browsers say at most 8, some say nothing), which is
/// called so.
#[expect(clippy::cast_possible_truncation, reason = "a float saturates as it becomes an integer")]
pub fn heap_bytes(device_memory_gb: Option<f64>, device: &str) -> u64 {
    match device_memory_gb {
        Some(gb) if gb < 8.0 => ((gb * SMALL_DEVICE_SHARE * f64::from(1 << 30)) as u64).min(HEAP_BYTES_MAX),
        Some(_) => HEAP_BYTES_MAX,
        None => {
            let phone = SILENT_PHONES.iter().find(|(name, _)| device.contains(name));
            phone.map_or(HEAP_BYTES_MAX, |(_, bytes)| *bytes)
        }
    }
}

/// The context that fits into a heap.
pub fn context_tokens(need: Need<impl Fn(usize) -> u64>, heap_bytes: u64) -> Result<usize> {
    let total =
        |n_ctx: usize| need.model_bytes.saturating_add(RESERVE_BYTES).saturating_add((need.memory_bytes)(n_ctx));
    let least = CONTEXT_TOKENS_MIN.min(need.context_tokens);
    if total(least) > heap_bytes {
        let message = format!(
            "This model needs {} of memory, and a page on this device can have {}. Choose a smaller model; of one model, the \
             Q4_0 file takes least.",
            megabytes(total(least)),
            megabytes(heap_bytes)
        );
        return Err(Error::new(ErrorKind::Memory, message));
    }
    // The most that fits: a longer context never takes less.
    let (mut fits, mut too_many) = (least, need.context_tokens + 1);
    while fits + 1 < too_many {
        let middle = fits + (too_many - fits) / 2;
        if total(middle) <= heap_bytes {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    Ok(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::plan::Plan;
    use crate::protocol::CacheType;

    const MB: u64 = 1 << 20;
    const GB: u64 = 1 << 30;

    fn check(model_bytes: u64, context_tokens: usize, heap_bytes: u64, expected: Option<usize>) {
        check_with(CacheType::F16, model_bytes, context_tokens, heap_bytes, expected);
    }

    fn check_with(
        cache_type: CacheType,
        model_bytes: u64,
        context_tokens: usize,
        heap_bytes: u64,
        expected: Option<usize>,
    ) {
        // SmolLM2-135M: 30 layers, 3 heads of 64, keys and values.
        let mut plan = Plan::default();
        for _ in 0..30 {
            plan.kv_cache(3, 64, None);
        }
        let memory_bytes = |n_ctx| Cpu::memory_bytes(&plan, n_ctx, cache_type);
        let need = Need { model_bytes, memory_bytes, context_tokens };
        assert_eq!(super::context_tokens(need, heap_bytes).ok(), expected, "{model_bytes} bytes, {context_tokens}");
    }

    #[test]
    fn the_cache_gets_what_the_weights_leave() {
        check(98 * MB, 8192, 4 * GB, Some(8192));
        check(98 * MB, 100, 4 * GB, Some(100));
        check(98 * MB, 8192, 512 * MB, Some(7190));
        check_with(CacheType::Q8_0, 98 * MB, 16384, 512 * MB, Some(13535));
        check(98 * MB, 8192, 360 * MB, None);
        check(2 * GB, 8192, 4 * GB, Some(8192));
        check(4 * GB, 8192, 4 * GB, None);
        check(u64::MAX, 1, 4 * GB, None);
    }

    #[test]
    fn what_a_page_may_take() {
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X)";
        for agent in ["Mozilla/5.0 (X11; Linux x86_64)", phone] {
            assert_eq!(heap_bytes(Some(2.0), agent), 1536 * MB);
            assert_eq!(heap_bytes(Some(4.0), agent), 3 * GB);
            assert_eq!(heap_bytes(Some(8.0), agent), 4 * GB);
            assert_eq!(heap_bytes(Some(f64::NAN), agent), 4 * GB);
        }
        assert_eq!(heap_bytes(None, "Mozilla/5.0 (X11; Linux x86_64)"), 4 * GB);
        assert_eq!(heap_bytes(None, phone), GB);
        assert_eq!(heap_bytes(None, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)?gpu=off&device=iPad"), GB);
        assert_eq!(heap_bytes(None, "Mozilla/5.0 (Android 15; Mobile; rv:140.0)"), 2 * GB);
    }
}
