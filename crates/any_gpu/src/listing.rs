//! Lists GPUs in a process of its own: some drivers crash while their GPUs are listed (AMD's for Windows in 2026), and
//! a start of the program must survive that.

use std::{env, sync::OnceLock, time::Duration};

use backend::{BackendError, BackendResult, GpuKind, ListedGpu};
use threads::process::{piped, run};
use values::{control::RunControl, terminal::write_lines};

use crate::gpu;

/// The argument with which the program lists GPUs for another process.
const ARGUMENT: &str = "--list-gpus";
/// Maximum time that drivers may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between the parts of a line. Only the last part, the name, may contain it.
const SEPARATOR: &str = " :: ";

/// Lists GPUs for another process, if this one was started for that. The program then has nothing else to do.
pub fn lists_for_another() -> bool {
    if env::args_os().nth(1).is_none_or(|argument| argument != ARGUMENT) {
        return false;
    }
    let lines: Vec<String> = gpu::adapters().iter().map(|(gpu, _)| written(gpu)).collect();
    // Nobody reads them if it fails.
    let _ = write_lines(&lines);
    true
}

/// All GPUs, listed once by another process.
///
/// # Errors
/// [`BackendError::Unavailable`] if it did not succeed.
pub fn listed() -> BackendResult<Vec<ListedGpu>> {
    static LISTED: OnceLock<Result<Vec<ListedGpu>, String>> = OnceLock::new();
    LISTED.get_or_init(list).clone().map_err(|reason| BackendError::Unavailable {
        device: "a GPU through Vulkan, Metal or DirectX".to_owned(),
        reason: format!("its driver failed while GPUs were listed ({reason}); update the driver"),
    })
}

fn list() -> Result<Vec<ListedGpu>, String> {
    let program = env::current_exe().map_err(|error| values::disk::reason(&error))?;
    let mut command = piped(&program);
    command.arg(ARGUMENT);
    let result = run(command, PATIENCE, &RunControl::default())?;
    if let Some(failure) = result.failure() {
        return Err(failure);
    }
    Ok(String::from_utf8_lossy(&result.output).lines().filter_map(read).collect())
}

fn written(gpu: &ListedGpu) -> String {
    let driver = gpu.driver.replace(SEPARATOR, " ");
    let parts = [gpu.kind.name(), &gpu.interface, &driver, &gpu.name];
    parts.join(SEPARATOR)
}

fn read(line: &str) -> Option<ListedGpu> {
    let mut parts = line.splitn(4, SEPARATOR);
    let mut next = || parts.next().map(str::to_owned);
    let kind = next()?;
    Some(ListedGpu {
        kind: GpuKind::ALL.iter().copied().find(|known| known.name() == kind)?,
        interface: next()?,
        driver: next()?,
        name: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_read_as_it_was_written() {
        for &kind in GpuKind::ALL {
            let gpu = ListedGpu {
                name: "Some GPU :: rev. 2".to_owned(),
                driver: "maker 1.2.3".to_owned(),
                interface: "Vulkan".to_owned(),
                kind,
            };
            assert_eq!(read(&written(&gpu)), Some(gpu));
        }
        assert_eq!(read("error: no driver"), None);
    }
}
