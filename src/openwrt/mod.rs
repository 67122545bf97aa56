//! What is written into the files of other packages, and how: sections of ours among those of others ([`sections`]) and
//! options of ours in theirs ([`settings`]), both pure text work; the careful change of a file that others change too ([`file`],
//! the only I/O here); what phones are told by the router's DHCP server ([`dhcp`]); and bandwidth for calls ([`qos`]). And
//! what is read and said on ubus ([`rpcd`]).

pub mod dhcp;
pub mod file;
pub mod qos;
pub mod rpcd;
pub mod sections;
pub mod settings;
