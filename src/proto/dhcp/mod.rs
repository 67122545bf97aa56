//! DHCP messages (RFC 2131, options of RFC 2132) in Ethernet frames: a reader that takes anything, a writer for the
//! one answer that the agent gives, and the filter that keeps all other packets in the kernel.

mod build;
pub mod filter;
mod frame;
mod read;
#[cfg(test)]
mod test;

pub use build::Ack;
pub use frame::Frame;
pub use read::{text, Kind, Message};

/// Where servers and relays listen.
pub const SERVER: u16 = 67;
/// Where clients listen.
pub const CLIENT: u16 = 68;

/// Option numbers of RFC 2132 and later ones.
pub mod option {
    /// Host name.
    pub const HOST_NAME: u8 = 12;
    /// The address that the client wants.
    pub const REQUESTED: u8 = 50;
    /// `file` and `sname` hold options.
    pub const OVERLOAD: u8 = 52;
    /// What kind of message it is.
    pub const KIND: u8 = 53;
    /// The server's address.
    pub const SERVER_ID: u8 = 54;
    /// The options that the client asks for.
    pub const ASKED: u8 = 55;
    /// Largest message that the client takes, with its IP and UDP headers.
    pub const MAX_SIZE: u8 = 57;
    /// Vendor class: make and model.
    pub const CLASS_ID: u8 = 60;
    /// The client's name for itself, to be echoed (RFC 6842).
    pub const CLIENT_ID: u8 = 61;
    /// One byte that stands alone, to fill up.
    pub const PAD: u8 = 0;
    /// One byte that stands alone, after the last option.
    pub const END: u8 = 255;
}

/// `99.130.83.99` before the options (RFC 2131 section 3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Bytes before the cookie.
const HEAD: usize = 236;
