//! The Python module `styleforge._native`: devices, and networks that paint bytes. The package in `python/styleforge`
//! turns Python's pictures into bytes and back; `docs/python.md` describes its use.
//!
//! | file | contents |
//! |---|---|
//! | [`errors`] | the errors as Python's exceptions |
//! | [`source`] | what to load: a style's name, a file, bytes, pictures |
//! | [`painter`] | a network on a device, and its sessions |
//! | [`waiting`] | waits for painting, with Python's signals and progress |
//!
//! The interpreter's lock is released while something is loaded, opened or painted. Calls of one network take turns.

mod errors;
mod painter;
mod source;
mod waiting;

use std::{path::PathBuf, sync::Arc};

use backend::{Backend, DeviceOptions, select};
use pyo3::{Bound, PyResult, Python, pyclass, pyfunction, pymethods, pymodule, types::PyModule};
use values::mode::DeviceChoice;

use errors::{parsed, raised};
use waiting::interruptible;

/// A device that paints. Shared by networks.
#[pyclass(frozen)]
struct Device {
    backend: Arc<dyn Backend>,
    /// Why the CPU paints, if the device was to be chosen automatically.
    #[pyo3(get)]
    notice: Option<String>,
}

#[pymethods]
impl Device {
    #[new]
    fn new(
        py: Python<'_>,
        kind: &str,
        gpu: Option<usize>,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let kind: DeviceChoice = parsed(kind)?;
        let options = DeviceOptions { threads, gpu, kernels_of: None };
        // On another thread, whose current GPU may change.
        let selected = interruptible(py, None, |_| {
            let selected = select(kind, &options).map_err(raised)?;
            selected.backend.load_libraries();
            Ok(selected)
        })?;
        Ok(Self { backend: selected.backend, notice: selected.notice })
    }

    #[getter]
    fn is_gpu(&self) -> bool {
        self.backend.device().kind == DeviceChoice::Cuda
    }

    #[getter]
    fn name(&self) -> String {
        self.backend.device().name
    }
}

/// The ids of all styles, in the order of their titles.
#[pyfunction]
fn styles(folders: Vec<PathBuf>) -> Vec<String> {
    source::library(&folders).styles().iter().map(|style| style.id.clone()).collect()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    use pyo3::types::PyModuleMethods;
    module.add_class::<Device>()?;
    module.add_class::<painter::Network>()?;
    module.add_function(pyo3::wrap_pyfunction!(styles, module)?)?;
    module.add_function(pyo3::wrap_pyfunction!(source::inspect, module)?)?;
    errors::add(module)
}
