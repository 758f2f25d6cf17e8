//! The kernels: WGSL from files, completed with numbers and a format, compiled once.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::{Arc, Mutex},
    thread,
};

use values::{lock::lock, numeric::NumberFormat};
use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType,
    BufferBindingType, ComputePipeline, ComputePipelineDescriptor, Device,
    PipelineCompilationOptions, PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource,
    ShaderStages,
};

use crate::plan::{Kernel, Launch};

/// Bindings before the first input: parameters, flag, output.
pub const FIRST_INPUT: u32 = 3;

/// Defines the files by name.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("kernels/", $name, ".wgsl")))),+];
    };
}

files!(
    "attention",
    "by_channel",
    "combine",
    "conv",
    "conv_grouped",
    "f16",
    "f32",
    "finish_map",
    "finish_statistics",
    "floats",
    "load",
    "move",
    "pixels",
    "pointwise",
    "reduce_finish",
    "reduce_partial",
    "shared",
    "store",
    "tokens",
    "window",
);

fn file(name: &str) -> &'static str {
    FILES.iter().find(|(file, _)| *file == name).map_or("", |(_, text)| text)
}

/// The complete source of a kernel for maps in a format.
pub fn source(kernel: &Kernel, format: NumberFormat) -> String {
    let mut all = String::new();
    for (name, value) in &kernel.numbers {
        let _ = writeln!(all, "const {name}: u32 = {value}u;");
    }
    let own = file(kernel.file);
    let by_channel = if ["channels_at", "Change"].iter().any(|name| own.contains(name)) {
        file("by_channel")
    } else {
        ""
    };
    let format = if format.bytes() == 2 { "f16" } else { "f32" };
    for text in [file(format), file("shared"), by_channel, file(kernel.part), own] {
        all.push_str(text);
        all.push('\n');
    }
    all
}

/// A compiled kernel.
pub struct Compiled {
    pub pipeline: ComputePipeline,
    pub layout: BindGroupLayout,
}

type Key = (Kernel, NumberFormat);

/// The kernels that were compiled so far.
#[derive(Default)]
pub struct Kernels(Mutex<HashMap<Key, Arc<Compiled>>>);

impl Kernels {
    /// The compiled kernels of launches, in their order. Those that are new are compiled by several threads.
    pub fn of<'l>(
        &self,
        device: &Device,
        format: NumberFormat,
        launches: impl Iterator<Item = &'l Launch> + Clone,
    ) -> Vec<Arc<Compiled>> {
        let mut seen = HashSet::new();
        let missing: Vec<&Launch> = {
            let known = lock(&self.0);
            let is_new = |launch: &&Launch| !known.contains_key(&(launch.kernel.clone(), format));
            launches.clone().filter(is_new).filter(|launch| seen.insert(&launch.kernel)).collect()
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let compiled: Vec<(Key, Arc<Compiled>)> = thread::scope(|scope| {
            let parts = missing.chunks(missing.len().div_ceil(workers).max(1));
            let threads: Vec<_> = parts
                .map(|part| {
                    scope.spawn(move || {
                        let of = |launch: &&Launch| {
                            let made = compile(device, format, launch);
                            ((launch.kernel.clone(), format), Arc::new(made))
                        };
                        part.iter().map(of).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
        });
        let mut known = lock(&self.0);
        known.extend(compiled);
        launches.filter_map(|launch| known.get(&(launch.kernel.clone(), format)).cloned()).collect()
    }
}

fn compile(device: &Device, format: NumberFormat, launch: &Launch) -> Compiled {
    let name = launch.kernel.name();
    let label = Some(name.as_str());
    let module = device.create_shader_module(ShaderModuleDescriptor {
        label,
        source: ShaderSource::Wgsl(source(&launch.kernel, format).into()),
    });
    let storage = |read_only| BufferBindingType::Storage { read_only };
    let inputs = launch.inputs.iter().map(|_| storage(true));
    let kinds = [BufferBindingType::Uniform, storage(false), storage(false)].into_iter();
    let entries: Vec<BindGroupLayoutEntry> = (0..)
        .zip(kinds.chain(inputs))
        .map(|(binding, ty)| BindGroupLayoutEntry {
            binding,
            visibility: ShaderStages::COMPUTE,
            ty: BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        })
        .collect();
    let layout =
        device.create_bind_group_layout(&BindGroupLayoutDescriptor { label, entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&ComputePipelineDescriptor {
        label,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        // Every kernel writes its workgroup memory before it reads it.
        compilation_options: PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..PipelineCompilationOptions::default()
        },
        cache: None,
    });
    Compiled { pipeline, layout }
}
