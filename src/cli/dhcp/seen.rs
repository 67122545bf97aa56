//! `phoneprov dhcp seen`: what the running agent has seen of phones' DHCP.

use super::super::args::Args;

pub(super) fn run(_args: &Args) -> Result<i32, String> {
    Err("the agent does not watch DHCP yet".into())
}
