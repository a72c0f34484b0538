//! Kernels with their pipelines and bind groups, made once and run for every batch.

use super::device::Device;
use super::kernels::{Grid, Kernel, Size, When, narrow};
use super::memory::Memory;

/// See the module.
#[derive(Debug)]
pub(super) struct Replay {
    dispatches: Vec<Dispatch>,
}

#[derive(Debug)]
struct Dispatch {
    /// Equal for equal pipelines.
    index: usize,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: Grid,
    when: When,
}

impl Replay {
    /// Makes what is missing.
    pub(super) fn new(device: &Device, kernels: &[Kernel], memory: &Memory) -> Self {
        let dispatch = |kernel: &Kernel| {
            let pipeline = device.pipeline(kernel);
            let entries: Vec<_> = kernel
                .bindings
                .iter()
                .map(|(at, binding)| wgpu::BindGroupEntry {
                    binding: *at,
                    resource: memory.buffer(binding.buffer).as_entire_binding(),
                })
                .collect();
            let bind_group = device.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.name),
                layout: &pipeline.layout,
                entries: &entries,
            });
            Dispatch {
                index: pipeline.index,
                pipeline: pipeline.pipeline,
                bind_group,
                grid: kernel.grid,
                when: kernel.when,
            }
        };
        Self { dispatches: kernels.iter().map(dispatch).collect() }
    }

    /// Bind groups that it has.
    pub(super) fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// Runs everything that a batch of this size needs; says how many dispatches that are.
    pub(super) fn run(&self, pass: &mut wgpu::ComputePass<'_>, size: &Size) -> usize {
        let mut n = 0;
        let mut current = None;
        for dispatch in self.dispatches.iter().filter(|dispatch| dispatch.when.includes(size)) {
            let [x, y] = dispatch.grid.workgroups(size);
            if x == 0 || y == 0 {
                continue;
            }
            if current != Some(dispatch.index) {
                pass.set_pipeline(&dispatch.pipeline);
                current = Some(dispatch.index);
            }
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            pass.dispatch_workgroups(narrow(x), narrow(y), 1);
            n += 1;
        }
        n
    }
}
