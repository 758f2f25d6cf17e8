//! Checkpoint files and the style library: the only parsers of untrusted weights.
