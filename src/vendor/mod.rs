//! What makes one brand different: one small file a vendor, each a [`Vendor`] value. Nothing outside this room asks
//! "is it a snom?".

mod akuvox;
mod cisco;
mod detect;
mod difference;
mod fanvil;
mod generic;
mod gigaset;
mod grandstream;
mod htek;
mod identity;
mod leaves;
mod mitel;
mod panasonic;
mod polycom;
mod sample;
mod snom;
mod text;
mod types;
mod xml;
mod yealink;

#[cfg(test)]
mod dhcp_test;
#[cfg(test)]
mod identity_cases;
#[cfg(test)]
mod test;

pub use detect::{detect, is_proof, model_from_event, Active, Detected, Evidence};
pub use difference::difference;
pub use generic::GENERIC;
pub use identity::{Account, Accounts, Change, Identity};
pub use sample::sample_config;
pub use types::{AgentFacts, DhcpMac, DhcpOption, DhcpValue, FileKind, Resync, Vendor, Verdict};

/// All brands that the binary knows, in the order of the default config. [`GENERIC`] is not among them.
pub static ALL: &[&Vendor] = &[
    &snom::SNOM,
    &mitel::MITEL,
    &yealink::YEALINK,
    &grandstream::GRANDSTREAM,
    &fanvil::FANVIL,
    &htek::HTEK,
    &gigaset::GIGASET,
    &panasonic::PANASONIC,
    &polycom::POLYCOM,
    &akuvox::AKUVOX,
    &cisco::CISCO,
];

/// The brand of a vendor section's name, in any case. `None`: use [`GENERIC`].
pub fn by_name(name: &str) -> Option<&'static Vendor> {
    ALL.iter().copied().find(|v| v.name.eq_ignore_ascii_case(name))
}
