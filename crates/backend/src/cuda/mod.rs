//! NVIDIA GPUs: detects the GPUs of this computer and opens one.
//!
//! Nothing here links CUDA. The driver is loaded at run time, and the program works without it. The same is true of
//! cuDNN ([`cudnn`]), which only the comparison variants `baseline` and `fused-norm` use. Any thread may call.

pub mod bundle;
pub mod params;

mod algorithms;
mod audit;
mod backend;
mod chain_params;
mod composer;
mod constants;
mod context;
pub mod cudnn;
mod device_network;
pub mod driver;
mod external;
mod external_session;
mod folded;
mod frame_slot;
mod general_params;
mod inspection;
mod kernel_params;
mod kernels;
mod launches;
mod native;
mod nvml;
mod nvtx;
mod pack;
mod raw_decoder;
mod sent_photos;
mod session;
mod steady;
mod transfers;

use std::sync::Arc;

use cudarc::driver::{DriverError, result, sys};

pub use backend::CudaBackend;

use super::{Backend, BackendError, BackendResult};
use values::mode::GpuList;

/// The oldest GPUs that the kernels support: the first consumer GPUs with tensor cores.
const MIN_COMPUTE_CAPABILITY: (i32, i32) = (7, 5);
/// The oldest driver that can load the compiled kernels, by the CUDA version that it supports, as returned by
/// `cuDriverGetVersion`. NVIDIA's driver 525 is the first.
const MIN_DRIVER_VERSION: i32 = 12_000;

/// Bytes that are overwritten to empty a GPU's caches: twice the largest existing cache.
const SWEPT_BYTES: usize = 256 << 20;

/// The result of looking for the NVIDIA driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaProbe {
    /// The driver's library is not installed.
    NoDriver,
    /// The driver is older than the compiled kernels.
    DriverTooOld {
        /// Newest CUDA version that it supports, major and minor.
        cuda_version: (i32, i32),
    },
    /// The driver is installed but reports an error.
    DriverError(String),
    /// The driver works but finds no device.
    NoDevice,
    /// The devices in the driver's order.
    Devices(Vec<CudaDevice>),
}

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaDevice {
    /// The name that the manufacturer gave it.
    pub name: String,
    /// Major and minor.
    pub compute_capability: (i32, i32),
    pub memory_bytes: usize,
}

impl CudaProbe {
    /// A short reason why the CPU is used.
    pub fn reason_for_cpu(&self) -> String {
        match self {
            Self::NoDriver => "no NVIDIA driver found".to_owned(),
            Self::DriverTooOld { cuda_version: (major, minor) } => format!(
                "the NVIDIA driver is too old (it supports CUDA {major}.{minor}); install driver 525 or newer"
            ),
            Self::DriverError(error) => {
                format!("the NVIDIA driver returned an error ({error})")
            }
            Self::NoDevice => "the NVIDIA driver found no GPU".to_owned(),
            Self::Devices(_) => "the processor was chosen".to_owned(),
        }
    }
}

/// Opens a GPU by its index in the driver's order; the first GPU when `None`.
///
/// # Errors
/// [`BackendError::Unavailable`] with the reason. [`BackendError::DeviceLost`] if the GPU fails, or if this process has
/// lost a GPU before: the driver then does not open it again.
pub fn open(gpu: Option<usize>) -> BackendResult<Arc<dyn Backend>> {
    open_narrow(gpu, usize::MAX)
}

/// [`open`] with plans for at most `multiprocessors` multiprocessors, so that each of them computes several tiles even
/// of a small map. A check with small pictures then covers what large pictures do on the whole device. Slow.
///
/// # Errors
/// As [`open`].
pub fn open_narrow(gpu: Option<usize>, multiprocessors: usize) -> BackendResult<Arc<dyn Backend>> {
    let found = probe();
    let (number, device) = usable(&found, gpu)?;
    let whole = CudaBackend::open(number, &device.name)?;
    Ok(Arc::new(whole.narrowed(multiprocessors)))
}

/// Compute capabilities of older GPUs whose kernels also run on newer GPUs, because the driver compiles them.
pub const OLDER_CAPABILITIES: [(i32, i32); 3] = [(8, 0), (8, 6), (8, 9)];

/// [`open`] with plans and kernels of an older GPU, one of [`OLDER_CAPABILITIES`]. This shows whether they are correct,
/// and how much Hopper's own kernels gain. A CTA may use at most `shared_bytes` of shared memory. That simulates GPUs
/// with less shared memory than any that can be selected this way.
///
/// # Errors
/// As [`open`], and [`BackendError::Unavailable`] if the GPU is not newer.
pub fn open_as(
    gpu: Option<usize>,
    older: (i32, i32),
    shared_bytes: usize,
) -> BackendResult<Arc<dyn Backend>> {
    let found = probe();
    let (number, device) = usable(&found, gpu)?;
    let (major, minor) = device.compute_capability;
    if (major, minor) <= older {
        return Err(BackendError::Unavailable {
            device: device.name.clone(),
            reason: format!(
                "its compute capability is {major}.{minor}; --kernels-of needs an older one"
            ),
        });
    }
    let backend = CudaBackend::open_as(number, &device.name, older, shared_bytes)?;
    Ok(Arc::new(backend))
}

/// The numbers of the listed GPUs, in the order of the list. [`GpuList::All`] leaves out GPUs that are too old.
///
/// # Errors
/// [`BackendError::Unavailable`] if there is none, or one of the listed numbers does not exist or is too old.
pub fn numbers(list: &GpuList) -> BackendResult<Vec<usize>> {
    listed(&probe(), list)
}

/// [`numbers`] of what was found.
fn listed(found: &CudaProbe, list: &GpuList) -> BackendResult<Vec<usize>> {
    let number_of = |gpu| usable(found, gpu).map(|(number, _)| number);
    let GpuList::Numbers(numbers) = list else {
        let count = if let CudaProbe::Devices(devices) = found { devices.len() } else { 0 };
        let all: Vec<usize> = (0..count).filter_map(|gpu| number_of(Some(gpu)).ok()).collect();
        return if all.is_empty() { Ok(vec![number_of(None)?]) } else { Ok(all) };
    };
    numbers.iter().map(|&gpu| number_of(Some(gpu))).collect()
}

/// The device with this index (the first when `None`), if `probe` found one that can run the kernels.
///
/// # Errors
/// [`BackendError::Unavailable`] with the reason.
fn usable(probe: &CudaProbe, gpu: Option<usize>) -> BackendResult<(usize, &CudaDevice)> {
    let unavailable =
        |reason: String| BackendError::Unavailable { device: "CUDA".to_owned(), reason };
    let devices = match probe {
        CudaProbe::Devices(devices) => devices,
        other => return Err(unavailable(other.reason_for_cpu())),
    };
    let number = gpu.unwrap_or(0);
    let Some(device) = devices.get(number) else {
        let names: Vec<String> = (0..)
            .zip(devices)
            .map(|(number, device)| format!("{number} ({})", device.name))
            .collect();
        let found = names.join(", ");
        return Err(unavailable(format!(
            "there is no GPU {number}; the GPUs of this computer are {found}"
        )));
    };
    let (major, minor) = device.compute_capability;
    if (major, minor) < MIN_COMPUTE_CAPABILITY {
        return Err(unavailable(format!(
            "{} has compute capability {major}.{minor}; 7.5 (Turing, 2018) or later is needed",
            device.name
        )));
    }
    Ok((number, device))
}

/// Looks for the driver and its devices. Opens no context on any device, because that would use memory and time. Takes
/// a moment if a driver exists (it is initialised).
pub fn probe() -> CudaProbe {
    // Checked first, because cudarc panics if it cannot load the library. SAFETY: only tries to open the driver's
    // shared library and reports whether it is there.
    if !unsafe { sys::is_culib_present() } {
        return CudaProbe::NoDriver;
    }
    match driver_version() {
        Ok(version) if version < MIN_DRIVER_VERSION => {
            return CudaProbe::DriverTooOld { cuda_version: (version / 1000, version % 1000 / 10) };
        }
        Ok(_) => {}
        Err(reason) => return CudaProbe::DriverError(reason),
    }
    // cudarc panics if a driver lacks a function.
    match std::panic::catch_unwind(devices) {
        Ok(Ok(list)) if list.is_empty() => CudaProbe::NoDevice,
        Ok(Ok(list)) => CudaProbe::Devices(list),
        // Without a device, drivers refuse to initialise.
        Ok(Err(error)) if error.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => CudaProbe::NoDevice,
        Ok(Err(error)) => CudaProbe::DriverError(context::words(error)),
        Err(_) => CudaProbe::DriverError("it lacks functions; install it again".to_owned()),
    }
}

/// The newest CUDA version that the driver supports (12040 is 12.4), or the driver's error message.
fn driver_version() -> Result<i32, String> {
    let mut version = 0;
    // SAFETY: writes one number into a place of that size; every driver has this function, and it
    // works before the driver is initialised.
    let asked = unsafe { sys::cuDriverGetVersion(&mut version) };
    asked.result().map_err(context::words)?;
    Ok(version)
}

/// The properties of every device.
fn devices() -> Result<Vec<CudaDevice>, DriverError> {
    use sys::CUdevice_attribute_enum::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    result::init()?;
    (0..result::device::get_count()?)
        .map(|ordinal| {
            let device = result::device::get(ordinal)?;
            // SAFETY: the handle is what the driver returned for this ordinal.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, compute_capability: (i32, i32)) -> CudaDevice {
        CudaDevice { name: name.to_owned(), compute_capability, memory_bytes: 8_000_000_000 }
    }

    /// The message for a user who explicitly chose the GPU.
    fn refusal(probe: CudaProbe, gpu: Option<usize>) -> String {
        let refused = usable(&probe, gpu).expect_err("no usable device");
        assert!(matches!(refused, BackendError::Unavailable { .. }));
        refused.to_string()
    }

    #[test]
    fn probe_results_are_reported_by_name() {
        let too_old = CudaProbe::DriverTooOld { cuda_version: (11, 4) };
        let broken = CudaProbe::DriverError("system not yet initialized".to_owned());
        let said = [
            (CudaProbe::NoDriver, "no NVIDIA driver found"),
            (
                too_old,
                "the NVIDIA driver is too old (it supports CUDA 11.4); install driver 525 or newer",
            ),
            (broken, "the NVIDIA driver returned an error (system not yet initialized)"),
            (CudaProbe::NoDevice, "the NVIDIA driver found no GPU"),
            (
                CudaProbe::Devices(vec![gpu("Tesla V100", (7, 0))]),
                "Tesla V100 has compute capability 7.0; 7.5 (Turing, 2018) or later is needed",
            ),
        ];
        for (probe, reason) in said {
            assert_eq!(refusal(probe, None), format!("CUDA is not available: {reason}"));
        }
    }

    #[test]
    fn a_gpu_is_taken_by_its_number() {
        let two = CudaProbe::Devices(vec![gpu("old", (6, 1)), gpu("new", (9, 0))]);
        let taken = usable(&two, Some(1)).map(|(number, device)| (number, device.name.as_str()));
        assert_eq!(taken, Ok((1, "new")));
        assert_eq!(
            refusal(two, Some(2)),
            "CUDA is not available: there is no GPU 2; the GPUs of this computer are 0 (old), 1 (new)"
        );
    }

    #[test]
    fn a_list_names_gpus_that_can_paint() {
        let devices = [gpu("old", (6, 1)), gpu("new", (9, 0)), gpu("newer", (10, 0))];
        let three = CudaProbe::Devices(devices.to_vec());
        assert_eq!(listed(&three, &GpuList::All), Ok(vec![1, 2]));
        assert_eq!(listed(&three, &GpuList::Numbers(vec![2, 1])), Ok(vec![2, 1]));
        let refusal = |probe, list| listed(probe, &list).expect_err("refused").to_string();
        let said = refusal(&three, GpuList::Numbers(vec![1, 5]));
        assert!(said.contains("no GPU 5") && said.contains("1 (new), 2 (newer)"), "{said}");
        assert!(refusal(&three, GpuList::Numbers(vec![0])).contains("old has compute capability"));
        let old = CudaProbe::Devices(vec![gpu("old", (6, 1))]);
        assert!(refusal(&old, GpuList::All).contains("old has compute capability"));
        assert!(refusal(&CudaProbe::NoDriver, GpuList::All).contains("no NVIDIA driver found"));
    }
}
