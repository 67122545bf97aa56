//! Generations on disk.
