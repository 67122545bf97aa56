//! `phoneprov dhcp print [uci|dnsmasq] | apply | remove | seen`

mod apply;
mod print;
pub(super) mod reload;
mod seen;

use super::args::Args;
use super::call::failed;

pub(super) fn run(args: &Args) -> i32 {
    let words: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["print", form @ ..] => print::run(args, form.first().copied()),
        ["apply"] => apply::apply(args),
        ["remove"] => apply::remove(args),
        _ => Ok(seen::run(args)),
    };
    done.unwrap_or_else(|why| failed(args, &why))
}
