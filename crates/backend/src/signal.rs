//! A signal that would end the program in the middle of a file.

/// Ignores SIGXFSZ, for the whole life of the process and in the programs that it starts. A write beyond the limit of
/// file sizes (`ulimit -f`) then returns an error that is reported, and the unfinished file is removed.
pub fn report_large_writes() {
    #[cfg(unix)]
    // SAFETY: takes only numbers, and no code runs when the signal arrives.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
