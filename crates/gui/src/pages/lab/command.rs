//! Commands of the Lab.

/// Commands of the Lab.
#[derive(Debug, Clone, PartialEq)]
pub enum LabCommand {
    /// Start or stop comparing two modes.
    ToggleCompare,
    /// Show or hide the difference between the two modes.
    ToggleDifference,
    /// Start or stop measuring the two modes by the fixed protocol.
    ToggleMeasuring,
    ToggleLab,
}
