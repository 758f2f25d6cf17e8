//! Starts child processes, which end with this program, however it ends.
//!
//! Linux ends a child with the *thread* that has started it. So one thread starts all of them and lives as long as the
//! program. On Windows they belong to a job, which ends with its last handle. On other systems a child only notices that
//! its pipes are closed.

use std::{
    io,
    process::{Child, Command},
    sync::Mutex,
    thread,
};

use crossbeam_channel::{Sender, bounded, unbounded};

use values::{disk::reason, lock::lock};

/// How a child ends with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is killed.
    Killed,
    /// It completes its output, because its input is closed. Where the system allows, it is also asked to.
    Completed,
}

/// A command, how it ends, and where to send the process.
type Order = (Command, End, Sender<io::Result<Child>>);

/// Starts a command.
///
/// # Errors
/// The reason.
pub fn start(command: Command, end: End) -> Result<Child, String> {
    static ORDERS: Mutex<Option<Sender<Order>>> = Mutex::new(None);
    let (sender, child) = bounded(1);
    {
        let mut orders = lock(&ORDERS);
        let orders = match &*orders {
            Some(orders) => orders,
            None => orders.insert(starter().map_err(|e| reason(&e))?),
        };
        // The thread receives as long as the program runs.
        orders.send((command, end, sender)).ok();
    }
    let child = child.recv().map_err(|_| "its thread has ended".to_owned())?;
    child.map_err(|e| reason(&e))
}

/// Lets a command reserve at most this much memory, on Linux. A lower limit of the user stays.
pub fn limit_memory(command: &mut Command, bytes: u64) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;

        let limit = move || {
            let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
            // The address space of a process with many threads is much larger than what it takes.
            // SAFETY: both calls get a limit of their own.
            unsafe {
                if libc::getrlimit64(libc::RLIMIT_DATA, &raw mut limit) == 0 {
                    limit.rlim_cur = limit.rlim_cur.min(bytes);
                    libc::setrlimit64(libc::RLIMIT_DATA, &raw const limit);
                }
            }
            Ok(())
        };
        // SAFETY: between fork and exec it makes two system calls, allocates nothing and takes no lock.
        unsafe { command.pre_exec(limit) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (command, bytes);
}

/// Starts the thread.
fn starter() -> io::Result<Sender<Order>> {
    let (sender, orders) = unbounded::<Order>();
    thread::Builder::new().name("children".to_owned()).spawn(move || {
        for (command, end, child) in orders {
            child.send(bound(command, end)).ok();
        }
    })?;
    Ok(sender)
}

#[cfg(target_os = "linux")]
fn bound(mut command: Command, end: End) -> io::Result<Child> {
    use std::os::unix::process::{CommandExt, parent_id};

    let signal = match end {
        End::Killed => libc::SIGKILL,
        End::Completed => libc::SIGTERM,
    };
    let program = std::process::id();
    let bind = move || {
        // SAFETY: this option reads one number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
        // The program may have ended before.
        if parent_id() == program { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec it makes two system calls, allocates nothing and takes no lock.
    unsafe { command.pre_exec(bind) };
    command.spawn()
}

#[cfg(windows)]
fn bound(mut command: Command, end: End) -> io::Result<Child> {
    let child = command.spawn()?;
    if end == End::Killed {
        job::add(&child);
    }
    Ok(child)
}

#[cfg(not(any(target_os = "linux", windows)))]
fn bound(mut command: Command, _: End) -> io::Result<Child> {
    command.spawn()
}

#[cfg(windows)]
mod job {
    use std::{os::windows::io::AsRawHandle, process::Child, ptr::null, sync::OnceLock};

    use windows_sys::Win32::System::JobObjects::{
        AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
        SetInformationJobObject,
    };

    /// Adds a child to the job whose processes are killed when this program, and its handle of the job, ends. If that
    /// fails, the child runs on without the program until its pipes are closed.
    pub fn add(child: &Child) {
        static JOB: OnceLock<usize> = OnceLock::new();
        let job = *JOB.get_or_init(new);
        // SAFETY: the job's handle is never closed, and the child's is open as long as the child is borrowed.
        unsafe { AssignProcessToJobObject(job as _, child.as_raw_handle()) };
    }

    /// The handle of a new job.
    fn new() -> usize {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: both pointers may be null; the second call reads `limits`, of this size.
        unsafe {
            let job = CreateJobObjectW(null(), null());
            SetInformationJobObject(
                job,
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            );
            job as usize
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{process::Stdio, time::Duration};

    use super::*;

    #[test]
    fn a_child_outlives_the_thread_that_ordered_it() {
        let ordered = thread::spawn(|| {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped());
            start(command, End::Killed)
        });
        let mut child = ordered.join().expect("no panic").expect("started");
        // The end of the thread, which would kill it, may take a moment longer.
        thread::sleep(Duration::from_millis(50));
        drop(child.stdin.take());
        assert!(child.wait().expect("ends").success());
    }

    #[test]
    fn a_limit_of_memory_is_the_childs() {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -d"]).stdout(Stdio::piped());
        limit_memory(&mut command, 1 << 30);
        let child = start(command, End::Killed).expect("started");
        assert_eq!(child.wait_with_output().expect("ends").stdout, b"1048576\n");
    }
}
