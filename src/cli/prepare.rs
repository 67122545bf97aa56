//! `phoneprov prepare`: what only root can do before an agent that is not root starts.

use super::args::Args;
use super::{handover, setup, user};
use super::{DONE, FAILED};

pub(super) fn run(args: &Args) -> i32 {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let prepared = setup::config(args).map_err(|problems| problems.to_string()).and_then(|(config, _)| {
        let user = user::find(args.user.as_deref())?;
        handover::folders(&config.agent, &user)
    });
    match prepared {
        Ok(()) => DONE,
        Err(why) => {
            eprintln!("phoneprov: {why}");
            FAILED
        }
    }
}
