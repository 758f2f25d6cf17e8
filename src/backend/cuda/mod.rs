//! NVIDIA GPUs: what this computer has.
//!
//! Nothing here links CUDA; the driver is looked for at run time and the program works without it.
//! Any thread may ask.

use cudarc::driver::{CudaContext, sys};

/// What a look at the NVIDIA driver found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaProbe {
    /// The driver's library is not installed.
    NoDriver,
    /// The driver is there and answers with an error.
    DriverError(String),
    /// The driver works and sees no device.
    NoDevice,
    /// The devices in the driver's order.
    Devices(Vec<CudaDevice>),
}

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaDevice {
    /// The maker's name.
    pub name: String,
    /// Compute capability, major and minor.
    pub compute_capability: (i32, i32),
    /// Memory of the device, in bytes.
    pub memory_bytes: usize,
}

impl CudaProbe {
    /// Why the processor paints, in a few words.
    pub fn reason_for_cpu(&self) -> String {
        match self {
            Self::NoDriver => "no NVIDIA driver found".to_owned(),
            Self::DriverError(error) => {
                format!("the NVIDIA driver answers with an error ({error})")
            }
            Self::NoDevice => "the NVIDIA driver sees no GPU".to_owned(),
            Self::Devices(_) => "this version paints on the processor only".to_owned(),
        }
    }
}

/// Looks for the driver and its devices. Takes a moment where a driver exists (it is initialised).
pub fn probe() -> CudaProbe {
    // Asked before anything else: cudarc panics when it cannot load the library.
    // SAFETY: only tries to open the driver's shared library and reports whether it is there.
    if !unsafe { sys::is_culib_present() } {
        return CudaProbe::NoDriver;
    }
    let devices = || -> Result<Vec<CudaDevice>, cudarc::driver::DriverError> {
        let count = CudaContext::device_count()?;
        (0..count.max(0) as usize)
            .map(|ordinal| {
                let context = CudaContext::new(ordinal)?;
                Ok(CudaDevice {
                    name: context.name()?,
                    compute_capability: context.compute_capability()?,
                    memory_bytes: context.total_mem()?,
                })
            })
            .collect()
    };
    match devices() {
        Ok(list) if list.is_empty() => CudaProbe::NoDevice,
        Ok(list) => CudaProbe::Devices(list),
        Err(error) => CudaProbe::DriverError(error.to_string()),
    }
}
