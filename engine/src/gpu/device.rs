//! The device: opened once, asked once what it can do, told apart from everything else that knows `wgpu`.

use super::buffers::Access;
use super::kernels::{Kernel, compose};
use super::tier::Tier;
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A device and its queue, and the pipelines made so far. Clones are the same device, with the same pipelines.
#[derive(Debug, Clone)]
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    tier: Tier,
    name: String,
    piece_bytes_max: usize,
    buffer_bytes_max: u64,
    pipelines: Arc<Mutex<Pipelines>>,
    trouble: Arc<Mutex<Option<Error>>>,
    is_lost: Arc<AtomicBool>,
}

/// How to open a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Use nothing that some device lacks.
    pub plain: bool,
    /// A browser's device has been given subgroups, which the library does not ask for there
    /// (<https://github.com/gfx-rs/wgpu/issues/10146>).
    pub has_subgroups: bool,
    /// How many invocations its subgroups have, where that is known better than the device tells.
    pub subgroup_size: Option<u32>,
    /// The device has an instruction that multiplies bytes by fours and adds them up: neither the library nor a browser tells.
    pub has_dots: bool,
    /// Cut matrices into pieces that are no longer; what the device allows if none.
    pub piece_bytes_max: Option<usize>,
}

/// Shaders by text, pipelines by shader and constants.
#[derive(Debug, Default)]
struct Pipelines {
    modules: HashMap<Vec<&'static str>, wgpu::ShaderModule>,
    layouts: HashMap<Vec<(u32, Access)>, wgpu::BindGroupLayout>,
    pipelines: Vec<(Kernel, Pipeline)>,
}

/// A pipeline, and what its bindings look like.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    /// Equal for equal pipelines.
    pub(super) index: usize,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Device {
    /// Opens the best device there is.
    ///
    /// # Errors
    /// `Unsupported` if there is none.
    pub async fn open(options: Options) -> Result<Self> {
        let instance = wgpu::Instance::default();
        let wanted = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&wanted).await.map_err(|error| {
            Error::new(ErrorKind::Unsupported, "This browser or device offers no GPU to compute with.")
                .with_source(error)
        })?;
        let info = adapter.get_info();
        let (features, tier) =
            if options.plain { (wgpu::Features::empty(), Tier::PLAIN) } else { best(&adapter, &info, options) };
        let tier = Tier { dots: options.has_dots, ..tier };
        let theirs = adapter.limits();
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: theirs.max_storage_buffer_binding_size,
            max_buffer_size: theirs.max_buffer_size,
            ..wgpu::Limits::default()
        };
        let buffer_bytes_max =
            limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u64::from(u32::MAX));
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("minnow"),
            required_features: features,
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
            Error::new(ErrorKind::Unsupported, "The GPU refuses to be used for computing.").with_source(error)
        })?;
        let trouble = Arc::new(Mutex::new(None));
        let is_lost = Arc::new(AtomicBool::new(false));
        watch(&device, &trouble, &is_lost);
        Ok(Self {
            device,
            queue,
            tier,
            name: info.name.clone(),
            piece_bytes_max: options
                .piece_bytes_max
                .unwrap_or_else(|| usize::try_from(buffer_bytes_max).unwrap_or(usize::MAX)),
            buffer_bytes_max,
            pipelines: Arc::default(),
            trouble,
            is_lost,
        })
    }

    /// The same device, for another model: it makes its own pipelines.
    pub fn without_pipelines(&self) -> Self {
        Self { pipelines: Arc::default(), ..self.clone() }
    }

    /// What it can do.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The driver's name for it; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The longest piece of a matrix.
    pub fn piece_bytes_max(&self) -> usize {
        self.piece_bytes_max
    }

    /// The longest buffer that a kernel can see.
    pub fn buffer_bytes_max(&self) -> u64 {
        self.buffer_bytes_max
    }

    /// Pipelines made so far.
    pub fn n_pipelines(&self) -> usize {
        lock(&self.pipelines).pipelines.len()
    }

    /// Has the device vanish, as when its driver is reset.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Whether it is gone: nothing will ever be computed on it again.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Takes note that it is of no use any more. What it holds is given back now, not only when its owner is gone.
    pub(super) fn give_up(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
        self.device.destroy();
    }

    /// What went wrong since the last time anyone asked, or that it is gone. Then it is given up: what it has computed since
    /// is nothing.
    ///
    /// # Errors
    /// `Memory` where memory ran out, `Unsupported` where the device is lost or refused something.
    pub fn check(&self) -> Result<()> {
        if let Some(error) = lock(&self.trouble).take() {
            self.give_up();
            return Err(error);
        }
        if self.is_lost() {
            return Err(Error::new(ErrorKind::Unsupported, "The GPU was lost."));
        }
        Ok(())
    }

    /// The pipeline of a kernel; kernels that differ only in their buffers have the same one.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Pipeline {
        let mut known = lock(&self.pipelines);
        let is_same =
            |(other, _): &&(Kernel, Pipeline)| other.source == kernel.source && other.constants == kernel.constants;
        if let Some((_, pipeline)) = known.pipelines.iter().find(is_same) {
            return pipeline.clone();
        }
        let module = known.modules.entry(kernel.source.clone()).or_insert_with(|| self.module(kernel)).clone();
        let entries: Vec<(u32, Access)> = kernel.bindings.iter().map(|(at, binding)| (*at, binding.access)).collect();
        let layout = known.layouts.entry(entries).or_insert_with_key(|entries| self.layout(entries)).clone();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(kernel.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            })),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &kernel.constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        let pipeline = Pipeline { index: known.pipelines.len(), pipeline, layout };
        known.pipelines.push((kernel.clone(), pipeline.clone()));
        pipeline
    }

    /// Asks the device's own compiler, every browser has one, about the text of a kernel.
    ///
    /// # Errors
    /// `Unsupported`, and what the compiler has against it.
    pub async fn validate(&self, kernel: &Kernel) -> Result<()> {
        let info = self.module(kernel).get_compilation_info().await;
        let is_error =
            |message: &&wgpu::CompilationMessage| message.message_type == wgpu::CompilationMessageType::Error;
        match info.messages.iter().find(is_error) {
            None => Ok(()),
            Some(error) => {
                let message = format!("The GPU's compiler refuses {}: {}", kernel.name, error.message);
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    fn module(&self, kernel: &Kernel) -> wgpu::ShaderModule {
        self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(compose(&kernel.source).into()),
        })
    }

    fn layout(&self, entries: &[(u32, Access)]) -> wgpu::BindGroupLayout {
        let entries: Vec<_> = entries
            .iter()
            .map(|(binding, access)| wgpu::BindGroupLayoutEntry {
                binding: *binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match access {
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }
}

/// The features to ask for, and what they give.
fn best(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo, options: Options) -> (wgpu::Features, Tier) {
    let size_min = options.subgroup_size.unwrap_or(info.subgroup_min_size);
    let features = adapter.features() & wgpu::Features::SUBGROUP;
    let has_subgroups = options.has_subgroups || !features.is_empty();
    if has_subgroups && size_min.is_power_of_two() && size_min >= SUBGROUP_MIN {
        (features, Tier::subgroups(size_min as usize))
    } else {
        (wgpu::Features::empty(), Tier::PLAIN)
    }
}

/// Smaller subgroups are not worth their instructions.
const SUBGROUP_MIN: u32 = 4;

/// Keeps the first error that nobody waits for.
fn watch(device: &wgpu::Device, trouble: &Arc<Mutex<Option<Error>>>, is_lost: &Arc<AtomicBool>) {
    let keep = |trouble: &Mutex<Option<Error>>, error: Error| {
        lock(trouble).get_or_insert(error);
    };
    let on_error = trouble.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep(&on_error, explain(&error))));
    let (on_lost, is_lost) = (trouble.clone(), is_lost.clone());
    device.set_device_lost_callback(move |_, message| {
        is_lost.store(true, Ordering::Relaxed);
        keep(&on_lost, Error::new(ErrorKind::Unsupported, format!("The GPU was lost: {message}")));
    });
}

fn explain(error: &wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            Error::new(ErrorKind::Memory, "The GPU has not enough memory: choose a smaller model or context.")
        }
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::new(ErrorKind::Unsupported, format!("The GPU refused a step: {description}"))
        }
    }
}

/// Nothing panics while it holds one of these locks, and if it did, what they guard would still be sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::{Device, Options};

    /// What comes after a refused step is not what was asked for.
    #[test]
    fn a_device_that_refuses_a_step_is_given_up() {
        let device =
            pollster::block_on(Device::open(Options::default())).expect("a GPU, or a program that acts as one");
        assert!(device.check().is_ok() && !device.is_lost());
        let useless = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("of no use"),
            size: 16,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        });
        drop(useless);
        let error = device.check().expect_err("a buffer must be of some use");
        assert!(error.to_string().starts_with("The GPU refused a step"), "{error}");
        assert!(device.is_lost());
    }
}
