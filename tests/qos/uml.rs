//! A script as init of user-mode-linux: a kernel of Debian's with CAKE, HFSC and marks, on the files of this machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KERNEL: &str = "/usr/bin/linux.uml";
const MODULES: &str = "/usr/lib/uml/modules";
/// What the networks and rules need; what these need is loaded before them.
const NEEDED: &[&str] = &[
    "veth",
    "ifb",
    "iptable_mangle",
    "iptable_nat",
    "xt_MASQUERADE",
    "xt_mark",
    "xt_connmark",
    "xt_DSCP",
    "xt_length",
    "xt_multiport",
    "xt_tcpudp",
    "sch_tbf",
    "sch_netem",
    "sch_hfsc",
    "sch_fq_codel",
    "sch_cake",
    "sch_ingress",
    "cls_fw",
    "cls_u32",
    "act_mirred",
    "act_connmark",
];

/// What is missing here to do it, in words.
pub fn missing() -> Option<String> {
    let programs =
        [(KERNEL, "user-mode-linux"), ("/usr/bin/bwrap", "bubblewrap"), ("/usr/sbin/iptables-legacy", "iptables")];
    let more = [("/usr/sbin/insmod", "kmod"), ("/usr/sbin/tc", "iproute2")];
    let packages: Vec<&str> =
        programs.iter().chain(&more).filter(|(path, _)| !present(path)).map(|(_, package)| *package).collect();
    if !cfg!(target_arch = "x86_64") {
        return Some("user-mode-linux is for x86_64 only".to_string());
    }
    (!packages.is_empty()).then(|| format!("missing: {} (tests/install-peers.sh)", packages.join(", ")))
}

/// /usr/sbin may also be /sbin.
fn present(path: &str) -> bool {
    Path::new(path).exists() || Path::new(&path.replace("/usr", "")).exists()
}

/// `insmod` lines in an order that works.
pub fn insmod() -> Result<String, String> {
    let folder = fs::read_dir(MODULES).map_err(|e| format!("{MODULES}: {e}"))?.flatten().map(|e| e.path()).next();
    let folder: PathBuf = folder.ok_or_else(|| format!("{MODULES} is empty"))?;
    let text = fs::read_to_string(folder.join("modules.dep")).map_err(|e| format!("modules.dep: {e}"))?;
    let mut files: Vec<&str> = Vec::new();
    for name in NEEDED {
        let line =
            text.lines().find_map(|l| l.split_once(':').filter(|(file, _)| file.ends_with(&format!("/{name}.ko"))));
        let (file, before) = line.ok_or_else(|| format!("user-mode-linux has no module {name}"))?;
        // the last one is needed by those before it
        for file in before.split_whitespace().rev().chain([file]) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    let option = |file: &str| if file.ends_with("/ifb.ko") { " numifbs=0" } else { "" };
    Ok(files.iter().map(|f| format!("insmod {}{}\n", folder.join(f).display(), option(f))).collect())
}

/// Runs the script to its end, within so many seconds, and gives what it printed.
pub fn run(dir: &Path, script: &str, seconds: u64) -> Result<String, String> {
    let told = |e: std::io::Error| format!("{}: {e}", dir.display());
    let (init, filter, output) = (dir.join("init.sh"), dir.join("filter"), dir.join("output"));
    fs::write(&init, script).map_err(told)?;
    make_executable(&init).map_err(told)?;
    fs::write(&filter, no_xstate()).map_err(told)?;
    let log = File::create(&output).map_err(told)?;
    let mut command = Command::new("timeout");
    command.args(["-k", "1", &seconds.to_string(), "chrt", "--fifo", "1"]);
    // first, whoever else is busy here: what it is late by would be in the figures. Ended with its parent, and all its helpers with it
    command.args([
        "bwrap",
        "--die-with-parent",
        "--unshare-pid",
        "--dev-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--seccomp",
        "0",
        "--",
        KERNEL,
    ]);
    command.args([
        "mem=256M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        "con=null",
        "con0=null,fd:1",
        "quiet",
    ]);
    command.arg(format!("init={}", init.display())).arg(format!("GLIBC_TUNABLES=glibc.cpu.hwcaps={NO_AVX}"));
    command
        .stdin(File::open(&filter).map_err(told)?)
        .stdout(Stdio::from(log.try_clone().map_err(told)?))
        .stderr(Stdio::from(log));
    let status = command.status().map_err(|e| format!("timeout: {e}"))?;
    let text = String::from_utf8_lossy(&fs::read(&output).map_err(told)?).replace('\r', "");
    if text.lines().any(|l| l == "the end") {
        return Ok(text);
    }
    Err(format!("user-mode-linux did not come to the end of the script ({status}):\n{text}"))
}

fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Registers that the kernel below does not keep apart for threads (see [`no_xstate`]), so nobody may use them.
const NO_AVX: &str =
    "-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-XSAVEC,-XSAVE,-BMI2,-RTM,-ERMS,-FSRM";

/// A seccomp filter: `ptrace(PTRACE_GETREGSET)` fails with EIO. User-mode-linux then keeps the old set of registers. With
/// the new one it dies at once on processors whose set is larger than it knows (AMX).
fn no_xstate() -> Vec<u8> {
    const X86_64: u32 = 0xc000_003e;
    const PTRACE: u32 = 101;
    const GETREGSET: u32 = 0x4204;
    const EIO: u32 = 5;
    let (load, equal, end) = (0x20u16, 0x15u16, 0x06u16);
    let program: [(u16, u8, u8, u32); 8] = [
        (load, 0, 0, 4),
        (equal, 0, 5, X86_64),
        (load, 0, 0, 0),
        (equal, 0, 3, PTRACE),
        (load, 0, 0, 16),
        (equal, 0, 1, GETREGSET),
        (end, 0, 0, 0x0005_0000 | EIO),
        (end, 0, 0, 0x7fff_0000),
    ];
    let bytes =
        |(code, yes, no, k): (u16, u8, u8, u32)| [code.to_ne_bytes().as_slice(), &[yes, no], &k.to_ne_bytes()].concat();
    program.into_iter().flat_map(bytes).collect()
}
