//! The kernels of one device: images of the bundle. They are loaded when first needed, or all at once
//! ([`Kernels::load_all`]) so that a change of mode does not delay frames. They stay loaded until the end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    bundle,
    driver::{Driver, DriverFailure, DriverResult, Function, Module},
};
use crate::{BackendError, BackendResult};
use values::lock::lock;

/// The loaded kernels. Sessions share them, because an entry point is only valid while its image is loaded.
pub struct Kernels {
    driver: Arc<dyn Driver>,
    compute_capability: (i32, i32),
    /// Only images are used that the driver compiles for the current device.
    is_portable: bool,
    /// Loaded images by the name of their source file.
    modules: Mutex<HashMap<String, Module>>,
}

impl Kernels {
    /// Loads nothing yet.
    pub fn new(driver: Arc<dyn Driver>, compute_capability: (i32, i32)) -> Self {
        Self { driver, compute_capability, is_portable: false, modules: Mutex::default() }
    }

    /// The kernels of an older device, compiled by the driver for the current one.
    pub fn portable(driver: Arc<dyn Driver>, compute_capability: (i32, i32)) -> Self {
        let mut kernels = Self::new(driver, compute_capability);
        kernels.is_portable = true;
        kernels
    }

    /// The entry point `entry` of the source file `file`, allowed to use `shared_bytes` of dynamic shared memory. Loads
    /// the file's image if necessary.
    ///
    /// # Errors
    /// [`BackendError::Kernel`] if the bundle has no image for this device or the driver does not accept it. Other
    /// failures of the driver are converted by `to_error`.
    pub fn function(
        &self,
        file: &str,
        entry: &str,
        shared_bytes: u32,
        to_error: impl FnOnce(DriverFailure) -> BackendError,
    ) -> BackendResult<Function> {
        let refused = |failure| refused(failure, entry, to_error);
        match self.module(file) {
            Ok(Some(module)) => self.driver.function(module, entry, shared_bytes).map_err(refused),
            Ok(None) => {
                let (major, minor) = self.compute_capability;
                let reason =
                    format!("this program has no kernels for compute capability {major}.{minor}");
                Err(BackendError::Kernel { kernel: entry.to_owned(), reason })
            }
            Err(failure) => Err(refused(failure)),
        }
    }

    /// Loads every image and entry point for this device, so that a change of mode does not have to. If an image fails
    /// to load, its error is reported when a session needs it.
    pub fn load_all(&self) {
        if self.is_portable {
            return;
        }
        let Ok(bundle) = bundle::embedded() else {
            return;
        };
        let files: BTreeSet<&str> = bundle.images().map(|(file, _)| file).collect();
        for file in files {
            // An image that the driver has to compile takes seconds, which is too long for a kernel that may never be
            // used.
            let image = bundle.image(file, self.compute_capability);
            if image.is_some_and(|image| image.is_machine_code())
                && let Ok(Some(module)) = self.module(file)
            {
                self.driver.load_entries(module).ok();
            }
        }
    }

    /// The image of a file, loaded if necessary; `None` if there is none for this device.
    fn module(&self, file: &str) -> DriverResult<Option<Module>> {
        let mut modules = lock(&self.modules);
        if let Some(&module) = modules.get(file) {
            return Ok(Some(module));
        }
        let image = bundle::embedded().ok().and_then(|bundle| {
            if self.is_portable {
                bundle.portable_image(file)
            } else {
                bundle.image(file, self.compute_capability)
            }
        });
        let Some(image) = image else {
            return Ok(None);
        };
        let module = self.driver.load(image.bytes)?;
        modules.insert(file.to_owned(), module);
        Ok(Some(module))
    }
}

/// The error for a kernel that the driver does not load or launch. Failures that are not the kernel's fault are
/// converted by `to_error`.
pub fn refused(
    failure: DriverFailure,
    entry: &str,
    to_error: impl FnOnce(DriverFailure) -> BackendError,
) -> BackendError {
    if failure.is_lost() || failure.is_out_of_memory() || failure.is_of_library() {
        return to_error(failure);
    }
    BackendError::Kernel { kernel: entry.to_owned(), reason: failure.to_string() }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        let modules = self.modules.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (_, module) in modules.drain() {
            self.driver.unload(module);
        }
    }
}
