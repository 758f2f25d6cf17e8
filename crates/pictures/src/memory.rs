//! How much memory is free, so that a picture that would not fit is refused with a message instead of ending the
//! program.
//!
//! This is a snapshot: other programs allocate and free memory all the time. May be called from any thread.

/// Bytes that this process can still allocate: the system's free memory, limited by the control group and the address
/// space. `None` if the system does not report it.
pub fn available_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let mut free = system.available_memory();
    if let Some(limits) = system.cgroup_limits() {
        free = free.min(limits.free_memory);
    }
    // sysinfo returns 0 if the platform does not report it.
    let free = (free > 0).then_some(free);
    [free, address_space_left_bytes()].into_iter().flatten().min()
}

/// Peak memory of this process. `None` if the system does not report it.
pub fn process_peak_bytes() -> Option<u64> {
    status_bytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// True if the address space is limited (`ulimit -v`).
pub fn has_limited_addresses() -> bool {
    address_limit_bytes().is_some()
}

fn address_limit_bytes() -> Option<u64> {
    address_space_limit_bytes(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// Bytes left by a limit on the address space (`ulimit -v`); `None` if there is none.
fn address_space_left_bytes() -> Option<u64> {
    let limit = address_limit_bytes()?;
    let used = status_bytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    Some(limit.saturating_sub(used))
}

/// The soft limit in the text of `/proc/self/limits` (proc(5)); `None` if it is `unlimited`.
fn address_space_limit_bytes(limits: &str) -> Option<u64> {
    limits
        .lines()
        .find_map(|l| l.strip_prefix("Max address space"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// A field in the text of `/proc/self/status` (proc(5)).
fn status_bytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let line = |value: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max address space         {value}           unlimited            bytes     \n"
            )
        };
        assert_eq!(address_space_limit_bytes(&line("2048000000")), Some(2_048_000_000));
        assert_eq!(address_space_limit_bytes(&line("unlimited")), None);
        assert_eq!(status_bytes("Name:\tx\nVmSize:\t    8192 kB\n", "VmSize:"), Some(8192 * 1024));
    }
}
