//! The folder of jobs. `ID.job` is what a job is to do, and locked for as long as somebody is at it: its process has it
//! as stdin, so the lock ends with the process, however that ends. `ID.json` is how far it is. `lock` is for who starts
//! or removes any.

use super::super::args::Args as Line;
use crate::bounds;
use crate::openwrt::rpcd::args::Args;
use crate::openwrt::rpcd::job::{self, Report};
use crate::openwrt::rpcd::table::Method;
use rustix::fs::{flock, FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// In RAM, and not the agent's folder: the agent is no root, and what root does here is none of its business.
const FOLDER: &str = "/var/run/phoneprov-rpcd";
/// Starting and removing takes milliseconds.
const LOCK: Duration = Duration::from_secs(5);
/// Bytes of an order.
const ORDER: u64 = 8 * 1024;
/// Bytes of a report: what is kept has been cut to what an answer may have.
const REPORT: u64 = 2 * bounds::RPCD_ANSWER as u64;

/// The folder, made when it is not there. It must be root's alone: what is in it is believed.
fn folder(line: &Line) -> Result<PathBuf, String> {
    let folder = line.words.get("jobs").map_or_else(|| PathBuf::from(FOLDER), PathBuf::from);
    let wrong = |what: String| Err(format!("{} {what}", folder.display()));
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return wrong(format!("cannot be made: {e}")),
        _ => {}
    }
    match std::fs::symlink_metadata(&folder) {
        Ok(meta) if !meta.is_dir() => wrong("is no folder: remove it".to_string()),
        Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 => wrong(format!(
            "is not ours alone (user {}, mode {:04o}): look at what is in it, then remove it",
            meta.uid(),
            meta.mode() & 0o7777
        )),
        Ok(_) => Ok(folder),
        Err(e) => wrong(format!("cannot be looked at: {e}")),
    }
}

/// Opens a file of ours. A pipe or a link that somebody left there is none.
fn open(path: &Path, flags: OFlags) -> std::io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no file")),
    }
}

fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, OFlags::RDONLY)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Is somebody at the job that this is the order of?
fn is_alive(order: &File) -> bool {
    // given back when the file is closed
    flock(order, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// Starts a job, and gives its number.
pub(super) fn start(line: &Line, method: &Method, args: &Args) -> Result<String, String> {
    let folder = folder(line)?;
    let failed = |what: &str, e: std::io::Error| format!("{}: {what}: {e}", folder.display());
    let _lock = lock(&folder).map_err(|e| failed("lock", e))?;
    let running = tidy(&folder).map_err(|e| failed("cannot be read", e))?;
    if running >= bounds::RPCD_JOBS {
        return Err(format!("{running} such requests are under way: wait until one has ended"));
    }
    let id = number().map_err(|e| format!("/dev/urandom: {e}"))?;
    let path = folder.join(format!("{id}.job"));
    let begun = begin(line, &folder, &path, &id, &job::order(method, args));
    begun.map_err(|e| {
        let _ = std::fs::remove_file(&path);
        failed("the work cannot be started", e)
    })?;
    Ok(id)
}

/// Writes the order, and starts the process that carries it out.
fn begin(line: &Line, folder: &Path, path: &Path, id: &str, order: &str) -> std::io::Result<()> {
    let mut file = open(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(order.as_bytes())?;
    // the process reads by the same place in it
    file.seek(SeekFrom::Start(0))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["rpcd", "job", id, "--jobs"]).arg(folder).arg("--config").arg(&line.config);
    if let Some(socket) = &line.socket {
        command.arg("--socket").arg(socket);
    }
    if let Some(uci) = &line.uci {
        command.arg("--uci").arg(uci);
    }
    command.stdin(Stdio::from(file)).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").spawn()?;
    Ok(())
}

fn lock(folder: &Path) -> std::io::Result<File> {
    let file = open(&folder.join("lock"), OFlags::RDWR | OFlags::CREATE)?;
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < LOCK => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other.map(|()| file).map_err(Into::into),
        }
    }
}

/// A number that was not given before.
fn number() -> std::io::Result<String> {
    let mut bytes = [0u8; job::ID / 2];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Removes old jobs and what is left of any, and counts those that are at work.
fn tidy(folder: &Path) -> std::io::Result<usize> {
    let now = SystemTime::now();
    let mut running = 0;
    let mut over: Vec<(Duration, String)> = Vec::new();
    let mut others: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(bounds::RPCD_JOB_FILES) {
        let Ok(entry) = entry else { continue };
        let (name, path) = (entry.file_name(), entry.path());
        if name == "lock" {
            continue;
        }
        let id = name.to_str().and_then(|n| n.strip_suffix(".job")).filter(|id| job::is_id(id));
        match (id, open(&path, OFlags::RDONLY)) {
            (Some(_), Ok(order)) if is_alive(&order) => running += 1,
            (Some(id), Ok(order)) => {
                // a clock that was set back makes nothing old
                let age = order.metadata()?.modified()?;
                over.push((now.duration_since(age).unwrap_or_default(), id.to_string()));
            }
            _ => others.push(path),
        }
    }
    over.sort_unstable();
    let keep = bounds::RPCD_JOBS_KEPT.saturating_sub(running + 1);
    let old = |(i, (age, _)): &(usize, &(Duration, String))| *i >= keep || age.as_secs() > bounds::RPCD_JOB_SECONDS;
    for (_, (_, id)) in over.iter().enumerate().filter(old) {
        for end in ["job", "json", "new"] {
            let _ = std::fs::remove_file(folder.join(format!("{id}.{end}")));
        }
    }
    // what belongs to no order
    for path in others {
        let owner = path.with_extension("job");
        let ours = path.file_stem().and_then(|s| s.to_str()).is_some_and(job::is_id) && owner != path;
        if !ours || !owner.exists() {
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        }
    }
    Ok(running)
}

/// How far a job is.
pub(super) fn look(line: &Line, id: &str) -> Result<serde_json::Value, String> {
    let folder = folder(line)?;
    let none = || format!("there is no job {id}: results are kept for {} min", bounds::RPCD_JOB_SECONDS / 60);
    let order = open(&folder.join(format!("{id}.job")), OFlags::RDONLY).map_err(|_| none())?;
    // first this, then the report: a process that ends in between has said all before
    let alive = is_alive(&order);
    let mut bytes = Vec::new();
    // by a place of our own in it: this is another opening than the process's
    (&order).take(ORDER).read_to_end(&mut bytes).map_err(|_| none())?;
    let (method, _) = job::read_order(&bytes).ok_or_else(none)?;
    let report = match read(&folder.join(format!("{id}.json")), REPORT) {
        Ok(bytes) => Report::read(&bytes).unwrap_or(Report {
            steps: Vec::new(),
            end: (!alive).then(|| Err("its result cannot be read; start it again".to_string())),
        }),
        Err(_) => Report::default(),
    };
    Ok(report.answer(id, method.name, alive))
}

/// Keeps how far a job is: it is there whole, or as before.
pub(super) fn keep(line: &Line, id: &str, report: &Report) -> Result<(), String> {
    let folder = folder(line)?;
    let (new, path) = (folder.join(format!("{id}.new")), folder.join(format!("{id}.json")));
    let written = open(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)
        .and_then(|mut file| file.write_all(report.write().as_bytes()))
        .and_then(|()| std::fs::rename(&new, &path));
    written.map_err(|e| format!("{}: {e}", path.display()))
}
