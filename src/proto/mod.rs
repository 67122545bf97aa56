//! Bytes to types and back: total (no input panics), bounded, without clock or socket. Every parser here has a fuzz
//! target in `fuzz/` and a property test beside it.

pub mod dhcp;
pub mod http;
pub mod mac;
pub mod sip;
pub mod uci;
pub mod url;
