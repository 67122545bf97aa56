//! Certificates of the lab, made once a run by openssl: a CA, and servers that are right and wrong in each way.

use crate::netns::run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The upstream's name in every lab.
pub const NAME: &str = "prov.example.test";

/// Folder with `ca.pem` and, for each of `good expired wrongname unknown`, NAME.pem and NAME.key.
pub fn folder() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| make(crate::scratch()))
}

fn make(parent: PathBuf) -> PathBuf {
    let gone = |name: &str| {
        let pid = name.strip_prefix("tls").and_then(|r| r.split('-').next()).and_then(|p| p.parse::<u32>().ok());
        pid.is_some_and(|p| !Path::new("/proc").join(p.to_string()).exists())
    };
    for old in fs::read_dir(&parent).into_iter().flatten().flatten() {
        if gone(&old.file_name().to_string_lossy()) {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    let dir = TempDir::with_prefix_in(format!("tls{}-", std::process::id()), parent).expect("a folder").keep();
    let ssl = |line: &str| run(Command::new("openssl").current_dir(&dir).args(line.split_whitespace()));
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    fs::write(
        dir.join("ca.cnf"),
        "[ca]\ndefault_ca=lab\n[lab]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n\
         copy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n",
    )
    .expect("written");
    fs::write(dir.join("index"), "").expect("written");
    fs::write(dir.join("serial"), "01\n").expect("written");
    for ca in ["ca", "stranger"] {
        ssl(&format!("req -x509 {KEY} -keyout {ca}.key -out {ca}.pem -days 3650 -subj /CN=lab-{ca}"));
    }
    for (name, host, ca, from, to) in [
        ("good", NAME, "ca", "20200101000000Z", "20491231000000Z"),
        ("expired", NAME, "ca", "20200101000000Z", "20210101000000Z"),
        ("wrongname", "wrong.example.test", "ca", "20200101000000Z", "20491231000000Z"),
        ("unknown", NAME, "stranger", "20200101000000Z", "20491231000000Z"),
    ] {
        ssl(&format!(
            "req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={host} -addext subjectAltName=DNS:{host}"
        ));
        ssl(&format!(
            "ca -batch -notext -config ca.cnf -cert {ca}.pem -keyfile {ca}.key -startdate {from} -enddate {to} -in {name}.csr -out {name}.pem"
        ));
    }
    dir
}
