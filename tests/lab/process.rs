//! Figures of a process out of /proc.

use std::fs;

/// A figure of /proc/PID/status by name: `VmRSS` and `VmHWM` in kB, `Threads`; 0 when the process is gone.
pub fn status(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    text.lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|v| v.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// User and system time of /proc/PID/stat in seconds (100 ticks a second on every Linux that Rust runs on).
pub fn cpu_seconds(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // after the name in parentheses, which may hold anything, come the fields from the third on
    let Some((_, rest)) = text.rsplit_once(')') else { return 0.0 };
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The process and its children.
pub fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in text.split_whitespace().filter_map(|c| c.parse().ok()) {
            all.extend(family(child));
        }
    }
    all
}
