//! UCI files.
