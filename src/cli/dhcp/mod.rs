//! `phoneprov dhcp WORD`

mod seen;

use super::args::Args;

pub(super) fn run(args: &Args) -> i32 {
    seen::run(args)
}
