//! What is written into the files of other packages, and how: sections of ours among those of others ([`sections`], pure
//! text work), the careful change of a file that others change too ([`file`], the only I/O here), and what phones are told
//! by the router's DHCP server ([`dhcp`]).

pub mod dhcp;
pub mod file;
pub mod sections;
