//! The CPU backend's plans.
