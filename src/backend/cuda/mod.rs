//! NVIDIA GPUs: what this computer has.
//!
//! Nothing here links CUDA; the driver is looked for at run time and the program works without it.
//! Any thread may ask.

use cudarc::driver::{DriverError, result, sys};

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

/// Whether the driver's library can be loaded. Starts nothing on a device.
fn driver_is_present() -> bool {
    // Asked before anything else: cudarc panics when it cannot load the library.
    // SAFETY: only tries to open the driver's shared library and reports whether it is there.
    unsafe { sys::is_culib_present() }
}

/// Looks for the driver and its devices, without opening a context on any: that would take their
/// memory and time. Takes a moment where a driver exists (it is initialised).
pub fn probe() -> CudaProbe {
    if !driver_is_present() {
        return CudaProbe::NoDriver;
    }
    // cudarc panics when a driver is so old that it lacks a function.
    let devices = std::panic::catch_unwind(devices)
        .unwrap_or_else(|_| Err("it is too old for this program; update it".to_owned()));
    match devices {
        Ok(list) if list.is_empty() => CudaProbe::NoDevice,
        Ok(list) => CudaProbe::Devices(list),
        Err(reason) => CudaProbe::DriverError(reason),
    }
}

/// The facts of every device, or the driver's words.
fn devices() -> Result<Vec<CudaDevice>, String> {
    use sys::CUdevice_attribute_enum::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    let list = || -> Result<Vec<CudaDevice>, DriverError> {
        result::init()?;
        (0..result::device::get_count()?)
            .map(|ordinal| {
                let device = result::device::get(ordinal)?;
                // SAFETY: the handle is the driver's own answer for this ordinal.
                let (major, minor, memory_bytes) = unsafe {
                    (
                        result::device::get_attribute(device, MAJOR)?,
                        result::device::get_attribute(device, MINOR)?,
                        result::device::total_mem(device)?,
                    )
                };
                Ok(CudaDevice {
                    name: result::device::get_name(device)?,
                    compute_capability: (major, minor),
                    memory_bytes,
                })
            })
            .collect()
    };
    list().map_err(|error| error.to_string())
}
