//! cuDNN's algorithms alone, and that one which is prepared again is the same one.

use backend::{
    Backend, RunControl, SessionSpec,
    cuda::{
        CudaBackend, CudaProbe,
        driver::{
            Algorithm, ConvolutionBuffers, ConvolutionLibrary, DevicePtr, Driver, DriverFailure,
        },
        probe,
    },
};
use libtest_mimic::Failed;
use plan::cuda::ConvolutionShape;
use values::mode::{Mode, Precision, Variant};

use super::{network, picture};

/// The first GPU, opened by this process for a test that calls its driver.
fn open_here() -> Result<CudaBackend, Failed> {
    let CudaProbe::Devices(devices) = probe() else {
        return Err("no GPU".into());
    };
    let name = devices.first().map_or("GPU", |d| d.name.as_str());
    Ok(CudaBackend::open(0, name)?)
}

/// A layer of the network at the size of a small picture; its kernel is 3 x 3 pixels.
fn shape(precision: Precision, height: usize) -> ConvolutionShape {
    ConvolutionShape {
        batch: 1,
        height,
        width: 242,
        in_channels: 128,
        out_channels: 128,
        kernel: 3,
        stride: 1,
        format: precision.format(),
    }
}

/// Memory for one convolution, with numbers in it; given back when dropped.
struct Buffers<'a> {
    driver: &'a dyn Driver,
    library: &'a dyn ConvolutionLibrary,
    shape: ConvolutionShape,
    memory: DevicePtr,
    places: ConvolutionBuffers,
}

impl<'a> Buffers<'a> {
    /// Takes the memory, and as much for working as any algorithm may take.
    fn take(
        driver: &'a dyn Driver,
        library: &'a dyn ConvolutionLibrary,
        shape: ConvolutionShape,
    ) -> Result<Self, DriverFailure> {
        let parts = [
            shape.input_bytes(),
            shape.weight_bytes(),
            shape.output_bytes(),
            shape.most_workspace_bytes(),
        ];
        let mut total = 0;
        let [input, weights, output, workspace] = parts.map(|bytes| {
            let offset = total;
            total = (offset + bytes).next_multiple_of(256);
            offset
        });
        let memory = driver.allocate(total)?;
        // From here on `drop` frees it.
        let buffers = Self {
            driver,
            library,
            shape,
            memory,
            places: ConvolutionBuffers {
                input: memory.at(input),
                weights: memory.at(weights),
                output: memory.at(output),
                workspace: memory.at(workspace),
            },
        };
        driver.clear(memory, total)?;
        for (place, bytes) in [(buffers.places.input, parts[0]), (buffers.places.weights, parts[1])]
        {
            let storage = shape.format.storage;
            let mut numbers = Vec::with_capacity(bytes);
            let mut state = 1u32;
            while numbers.len() < bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                storage.push(&mut numbers, (state >> 8) as f32 / (1 << 23) as f32 - 1.0);
            }
            driver.upload(place, &numbers)?;
        }
        Ok(buffers)
    }

    /// What the convolution makes of the numbers.
    fn output(&self, algorithm: &Algorithm) -> Result<Vec<u8>, DriverFailure> {
        let bytes = self.shape.output_bytes();
        self.driver.clear(self.places.output, bytes)?;
        // SAFETY: the places were cut for this shape and the largest workspace, and the memory is only freed
        // after a wait.
        let launched = unsafe { self.library.convolve(algorithm, &self.places) };
        launched.and(self.driver.wait())?;
        let mut output = vec![0; bytes];
        self.driver.download(&mut output, self.places.output)?;
        Ok(output)
    }
}

impl Drop for Buffers<'_> {
    fn drop(&mut self) {
        self.driver.wait().ok();
        self.driver.free(self.memory);
    }
}

/// The algorithms of every precision take no more memory than they may, and compute the same bits when they are
/// prepared again; so does a session.
pub fn prepared_again_it_computes_the_same_bits(shared: &dyn Backend) -> Result<(), Failed> {
    let backend = open_here()?;
    let driver = backend.driver();
    let library = match driver.convolution_library() {
        Ok(library) => library,
        Err(reason) => {
            println!("{reason}");
            return Ok(());
        }
    };
    for precision in [Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16] {
        let mode = Mode::new(Variant::Baseline, precision);
        if shared.supports(mode).is_err() {
            continue;
        }
        let shape = shape(precision, 60);
        let buffers = Buffers::take(driver, library, shape)?;
        let output = || {
            let algorithms = library.prepare(&shape)?;
            let most = shape.most_workspace_bytes();
            let are_modest = algorithms.iter().all(|algorithm| algorithm.workspace_bytes <= most);
            let outputs = algorithms.iter().map(|algorithm| buffers.output(algorithm));
            Ok::<_, DriverFailure>((are_modest, outputs.collect::<Result<Vec<_>, _>>()?))
        };
        let first = output()?;
        if !first.0 || first.1.is_empty() || output()? != first {
            return Err(format!("{precision}: too much memory, or other bits").into());
        }
    }
    a_session_paints_the_same(&backend)
}

/// A session is opened, closed, and opened again after others.
fn a_session_paints_the_same(backend: &CudaBackend) -> Result<(), Failed> {
    let network = network();
    let mode = Mode::new(Variant::Baseline, Precision::Fp16);
    let (photo, control) = (picture(96, 64), RunControl::default());
    let spec = SessionSpec::single(96, 64, mode);
    let paint = || {
        let mut painted = photo.clone();
        let mut session = backend.open(&network, &spec)?;
        session.paint(&photo, &mut painted, &control)?;
        Ok::<_, Failed>(painted)
    };
    let first = paint()?;
    for width in (100..132).step_by(4) {
        backend.open(&network, &SessionSpec::single(width, 64, mode))?;
    }
    match paint()? == first {
        true => Ok(()),
        false => Err("the session paints another picture".into()),
    }
}
