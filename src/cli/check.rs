//! `phoneprov check`: is the config right?

use crate::config::{self, Config, Problem};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn run(args: &super::args::Args) -> i32 {
    check(&args.config, args.json)
}

/// Checks the config file at `path` and prints what is wrong with it, one problem a line, to standard output.
/// Returns the exit code: 0 when there is nothing to tell, 1 with any problem at all.
fn check(path: &Path, json: bool) -> i32 {
    // a reader that went away (| head) changes nothing about the config
    check_to(&mut io::stdout().lock(), path, json).unwrap_or(1)
}

/// [`check`], printing to `out`.
fn check_to(out: &mut dyn Write, path: &Path, json: bool) -> io::Result<i32> {
    let (config, problems) = match config::load(path, &config::known_vendors()) {
        Ok(loaded) => (Some(loaded.config), loaded.warnings),
        Err(problems) => (None, problems.0),
    };
    let file = path.display().to_string();
    if json {
        let problems: Vec<Line> = problems.iter().map(Line::from).collect();
        let report = Report { file: &file, ok: problems.is_empty(), problems: &problems };
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        for problem in &problems {
            writeln!(out, "{problem}")?;
        }
        match (problems.len(), config) {
            (0, Some(config)) => writeln!(out, "{file}: ok, {}", summary(&config))?,
            (1, _) => writeln!(out, "1 problem")?,
            (n, _) => writeln!(out, "{n} problems")?,
        }
    }
    Ok(i32::from(!problems.is_empty()))
}

/// The same for another program.
pub(super) fn report(path: &Path) -> serde_json::Value {
    let problems = match config::load(path, &config::known_vendors()) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.0,
    };
    let problems: Vec<Line> = problems.iter().map(Line::from).collect();
    let report = Report { file: &path.display().to_string(), ok: problems.is_empty(), problems: &problems };
    serde_json::to_value(&report).unwrap_or_default()
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    ok: bool,
    problems: &'a [Line<'a>],
}

#[derive(Serialize)]
struct Line<'a> {
    line: u32,
    message: &'a str,
    fatal: bool,
}

impl<'a> From<&'a Problem> for Line<'a> {
    fn from(problem: &'a Problem) -> Line<'a> {
        Line { line: problem.line, message: &problem.message, fatal: problem.fatal }
    }
}

/// `vendors snom and mitel enabled, upstream https://prov.example.net`
fn summary(config: &Config) -> String {
    let enabled: Vec<&str> = config.vendors.iter().filter(|v| v.enabled).map(|v| v.name.as_str()).collect();
    let vendors = match enabled.as_slice() {
        [] => "no vendor enabled".to_string(),
        [one] => format!("vendor {one} enabled"),
        [first @ .., last] => format!("vendors {} and {last} enabled", first.join(", ")),
    };
    let upstream = match config.agent.upstream.as_str() {
        "" => "no upstream".to_string(),
        url => format!("upstream {url}"),
    };
    let off = if config.agent.enabled { "" } else { ", but the agent is off (option enabled '1' starts it)" };
    format!("{vendors}, {upstream}{off}")
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn run(text: &str, json: bool) -> (i32, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("phoneprov");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut out = Vec::new();
        let code = check_to(&mut out, &path, json).unwrap();
        (code, String::from_utf8(out).unwrap().replace(&path.display().to_string(), "FILE"))
    }

    const GOOD: &str = "\
config agent 'main'
	option enabled '1'
	list network 'lan'
	option upstream 'http://p.example'
	option provpass 'geheim'
config vendor 'snom'
	option enabled '1'
config vendor 'mitel'
	option enabled '1'
";

    #[test]
    fn a_good_file() {
        assert_eq!(
            run(GOOD, false),
            (0, "FILE: ok, vendors snom and mitel enabled, upstream http://p.example\n".into())
        );
        assert_eq!(run(GOOD, true), (0, "{\"file\":\"FILE\",\"ok\":true,\"problems\":[]}\n".into()));
        let (code, out) = run("config agent 'main'\n", false);
        assert_eq!(
            (code, out.as_str()),
            (0, "FILE: ok, no vendor enabled, no upstream, but the agent is off (option enabled '1' starts it)\n")
        );
    }

    #[test]
    fn any_problem_is_told_and_fails() {
        let text = GOOD
            .replace("enabled '1'\nconfig vendor 'mitel'", "enabled '1'\n\tlist oui '00:04:1'\nconfig vendr 'mitel'");
        assert_eq!(
            run(&text, false),
            (
                1,
                "FILE:8: vendor 'snom': oui '00:04:1' has 5 digits; write it as 00:04:13:*:*:*\n\
                 FILE:9: unknown section type 'vendr'; did you mean 'vendor'?\n2 problems\n"
                    .into()
            )
        );
        assert_eq!(
            run("", true),
            (
                1,
                "{\"file\":\"FILE\",\"ok\":false,\"problems\":[{\"line\":0,\
                 \"message\":\"has no agent section; add: config agent 'main'\",\"fatal\":true}]}\n"
                    .into()
            )
        );
        assert_eq!(run("config agent 'main'\n\toption x 1\n", false).1, "FILE:2: unknown option 'x'\n1 problem\n");
    }

    #[test]
    fn a_missing_file() {
        let mut out = Vec::new();
        assert_eq!(check_to(&mut out, Path::new("/nonexistent/phoneprov"), false).unwrap(), 1);
        assert!(String::from_utf8(out).unwrap().starts_with("/nonexistent/phoneprov: there is no such file"));
    }

    #[test]
    fn no_secret_is_printed() {
        let text =
            GOOD.replace("http://p.example", "http://u:geheim@p.example/?geheim") + "\toption geheim geheim geheim\n";
        for json in [false, true] {
            let (code, out) = run(&text, json);
            assert!(code == 1 && !out.contains("geheim"), "{out}");
        }
    }
}
