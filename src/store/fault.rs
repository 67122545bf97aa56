//! Under test: every changing step of the disk passes here, is counted and noted, and can be made to fail.

use rustix::io::Errno;
use std::path::PathBuf;
use std::sync::Mutex;

/// A step that changed the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    MakeFolder(PathBuf),
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
}

/// What goes wrong. Steps count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Plan {
    #[default]
    Sound,
    /// This step fails, and all others work.
    Once(usize, Errno),
    /// From this step on, whatever needs space fails: a full flash.
    FullFrom(usize),
    /// From this step on nothing changes the disk any more: a read-only remount, or a machine that has stopped.
    DeadFrom(usize, Errno),
}

#[derive(Default)]
pub(super) struct Fault(Mutex<State>);

#[derive(Default)]
struct State {
    plan: Plan,
    steps: usize,
    log: Vec<Op>,
}

impl Fault {
    /// Called before the step is done.
    pub(super) fn step(&self, op: Op) -> Result<(), Errno> {
        let mut state = self.0.lock().unwrap();
        let step = state.steps;
        state.steps += 1;
        let needs_space = !matches!(op, Op::Remove(_) | Op::SyncFolder(_));
        match state.plan {
            Plan::Once(at, errno) if step == at => return Err(errno),
            Plan::FullFrom(at) if step >= at && needs_space => return Err(Errno::NOSPC),
            Plan::DeadFrom(at, errno) if step >= at => return Err(errno),
            _ => {}
        }
        state.log.push(op);
        Ok(())
    }

    /// From now on, counting from 0 again.
    pub(super) fn plan(&self, plan: Plan) {
        let mut state = self.0.lock().unwrap();
        state.plan = plan;
        state.steps = 0;
    }

    /// Steps since the plan was made.
    pub(super) fn steps(&self) -> usize {
        self.0.lock().unwrap().steps
    }

    /// Everything done since the start.
    pub(super) fn log(&self) -> Vec<Op> {
        self.0.lock().unwrap().log.clone()
    }
}
