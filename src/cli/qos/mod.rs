//! `phoneprov qos print [BACKEND] | apply | remove | watch`

mod apply;
mod lookup;
mod print;
mod site;
mod suggest;
mod watch;

use super::args::Args;
use super::call::failed;
pub(super) use print::report;

pub(super) fn run(args: &Args) -> i32 {
    let words: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["print", backend @ ..] => print::run(args, backend.first().copied()),
        ["apply"] => apply::apply(args),
        ["remove"] => apply::remove(args),
        _ => watch::run(args),
    };
    done.unwrap_or_else(|why| failed(args, &why))
}
