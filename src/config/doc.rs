//! docs/config.md from the table. Only tests build it: run one with UPDATE_DOCS=1 to write the file anew.

use super::table::{Kind, Opt, OPTIONS, PLACEHOLDERS, SECTIONS};

const BEGIN: &str = "\
# The config file

<!-- Made from the table in src/config/table.rs. After a change there: UPDATE_DOCS=1 cargo test --lib config::doc -->

`/etc/config/phoneprov` on OpenWrt, any path with `--config FILE` elsewhere. It is a UCI file; keep it at mode 0600, for it
holds the provisioning password. `phoneprov check` reads it and tells everything that is wrong with it, each with its line
and with what would be right; it exits 0 only when there is nothing to tell. The agent itself warns of such things in the log and
goes on with the default; it refuses to start only where it could not do its job:

* the file is missing or cannot be read as UCI, or has no `config agent 'main'`;
* the agent is enabled, but no network is named, no vendor with a usable `url` is enabled, or an enabled vendor's `url` needs
  `{upstream}` and there is no usable `upstream`.

The shipped file names all brands that the program knows, with snom and Mitel enabled, and has the agent off, because only you know
the upstream. Set it in LuCI, or on the command line:

```
uci set phoneprov.main.upstream='https://prov.example.net'
uci set phoneprov.main.provpass='secret'
uci set phoneprov.main.enabled='1'
uci commit phoneprov
phoneprov check && service phoneprov restart
```

A vendor whose upstream takes no password needs none in its `url` either:
`uci set phoneprov.snom.url='{upstream}/prov/snom/settings.php?mac={mac}'`.
";

const URLS: &str = "
## The vendors' `url`

A template that becomes the address at the upstream when a phone asks. It begins with `{upstream}` or with `http://` or
`https://`. What phones get to see is the last part of the path and the query, less the parameters that hold `{provpass}`; that is why
`{provpass}` may stand in a folder or in a query parameter, but not in the last part of the path. `uci commit` drops
comments and so does LuCI: keep notes elsewhere.

| placeholder | becomes |
|---|---|
";

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`0` or `1`".into(),
        Kind::Int { min, max, unit: "" } => format!("{min} to {max}"),
        Kind::Int { min, max, unit } => format!("{min} to {max} {unit}"),
        Kind::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::Secret => "text, at most 256 bytes".into(),
        Kind::Upstream => "URL".into(),
        Kind::Template => "URL template".into(),
        Kind::Path => "absolute path".into(),
        Kind::Mac => "MAC address".into(),
        Kind::VendorName => "name of a vendor section".into(),
        Kind::Networks => "list of networks".into(),
        Kind::Devices => "list of devices".into(),
        Kind::Origins => "list of origins".into(),
        Kind::Ouis => "list of MAC patterns".into(),
        Kind::Hosts => "list of hosts".into(),
    }
}

fn row(o: &Opt) -> String {
    let default = match (o.default, o.kind) {
        ("", _) => "–".to_string(),
        (default, Kind::Int { unit, .. }) if !unit.is_empty() => format!("`{default}` {unit}"),
        (default, _) => format!("`{default}`"),
    };
    let word = if o.kind.is_list() { "list" } else { "option" };
    format!("| `{word} {}` | {} | {default} | {} |\n", o.name, kind(o.kind), o.help)
}

fn document() -> String {
    let mut out = BEGIN.to_string();
    for (section, what) in SECTIONS {
        out.push_str(&format!(
            "\n## `config {section}`\n\n{what}\n\n| option | values | default | what it does |\n|---|---|---|---|\n"
        ));
        for option in OPTIONS.iter().filter(|o| o.section == *section) {
            out.push_str(&row(option));
        }
    }
    out.push_str(URLS);
    for (name, becomes) in PLACEHOLDERS {
        out.push_str(&format!("| `{{{name}}}` | {becomes} |\n"));
    }
    out
}

#[test]
fn docs_config_md_is_what_the_table_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.md");
    let right = document();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, &right).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == right, "docs/config.md is not what the table makes: UPDATE_DOCS=1 cargo test --lib config::doc");
}

#[test]
fn every_option_is_described() {
    for o in OPTIONS {
        assert!(
            o.help.ends_with('.') && !o.help.contains('|') && o.help.len() < 240,
            "{}.{}: {}",
            o.section,
            o.name,
            o.help
        );
    }
}
