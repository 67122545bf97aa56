//! Sockets, threads and the clock: the only room with I/O beside `store` and `cli`.

pub mod client;
