//! Which firmware a snom is offered: for accounts that have `firmware_enabled`. The phone itself fetches the file.

/// What phones call themselves in their User-Agent. snom's numbers, and the versions that the templates were made for.
struct Model {
    name: &'static str,
    needle: &'static str,
    /// Phones with another version are told to update.
    wanted: &'static str,
    /// The file for a phone that runs a version from 8 on.
    file: &'static str,
}

const fn model(name: &'static str, wanted: &'static str, file: &'static str) -> Model {
    Model { name, needle: name, wanted, file }
}

const MODELS: &[Model] = &[
    model("snom300", "8.7.5.13", "8.7.3.25-SIP-f.bin"),
    model("snom320", "8.7.3.25", "8.7.3.25-SIP-f.bin"),
    model("snom360", "8.7.3.25", "8.7.3.25-SIP-f.bin"),
    model("snom370", "8.7.3.25", "8.7.3.25-SIP-f.bin"),
    model("snom720", "8.7.5.13", "8.7.5.17-SIP-r.bin"),
    model("snom760", "8.7.5.13", "8.7.5.17-SIP-r.bin"),
    model("snom820", "8.7.3.25", "8.7.3.25-SIP-r.bin"),
    model("snom870", "8.7.3.25", "8.7.3.25-SIP-r.bin"),
    Model { name: "snomm9", needle: " m9 ", wanted: "9.6.2-a", file: "" },
];

/// The model by `phonetyp`, else by the agent. Models that are not here are offered nothing.
fn detect(phonetyp: Option<&str>, agent: &str) -> Option<&'static Model> {
    match phonetyp {
        Some(t) => {
            MODELS.iter().find(|m| t.eq_ignore_ascii_case(m.name) || t.eq_ignore_ascii_case(&format!("{}r", m.name)))
        }
        None => MODELS.iter().find(|m| agent.contains(m.needle)),
    }
}

fn folder(host: &str) -> String {
    format!("http://{host}/provisioner/prov/snom/firmware")
}

/// The answer in place of a configuration to a phone whose firmware is not the wanted one. `mac` as it
/// shall stand in the URL.
pub fn instead(phonetyp: Option<&str>, agent: &str, host: &str, mac: &str) -> Option<String> {
    let model = detect(phonetyp, agent)?;
    if agent.contains(model.wanted) {
        return None;
    }
    let folder = folder(host);
    Some(if model.name == "snomm9" {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<firmware-settings>\n<firmware>{folder}/m9-9.6.2-a.bin</firmware>\n</firmware-settings>\n"
        )
    } else {
        frame(&format!(
            "update_policy$: auto_update\npnp_config$: off\nfirmware_status: {folder}/firmware.php?mac={mac}"
        ))
    })
}

/// `firmware.php`: the file that a phone shall fetch next. Old phones get there in steps. `None`: nothing for this one.
pub fn pointer(agent: &str, host: &str) -> Option<String> {
    let model = detect(None, agent)?;
    if model.file.is_empty() {
        return None;
    }
    let pieces = || agent.split(';').map(str::trim);
    let after = |what: &str| {
        let needle = format!("{}{what}", model.name);
        pieces().find_map(|p| p.split_once(&*needle)).map(|(_, v)| v)
    };
    let application = after("-SIP ");
    let jffs2 = after(" jffs2 v");
    let linux = after(" linux ");
    let old_base = |v: &str| !v.starts_with("3.36") && !v.starts_with("3.37");
    let file = if application.is_some_and(|v| v.starts_with(|c: char| ('0'..='7').contains(&c))) {
        "8.7.3.25-SIP-j.bin"
    } else if after(" ramdisk v").or(jffs2).is_some_and(old_base) {
        "ramdiskToJffs2-3.36-br.bin"
    } else if linux.is_some_and(|v| !v.starts_with("3.38")) {
        "3.38-l.bin"
    } else {
        model.file
    };
    Some(frame(&format!("firmware: {}/{}-{file}", folder(host), model.name)))
}

fn frame(text: &str) -> String {
    format!("<html lang=\"en\">\n<pre>\n{text}\n</pre>\n</html>\n")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn wanted_and_not() {
        let agent = |v: &str| format!("Mozilla/4.0 (compatible; snom370-SIP {v} 1.1.4)");
        assert_eq!(instead(None, &agent("8.7.3.25"), "h", "m"), None);
        assert_eq!(instead(Some("snomm3"), &agent("8.4.35"), "h", "m"), None);
        let text = instead(None, &agent("8.4.35"), "h:80", "0004").unwrap();
        assert!(
            text.contains("\nfirmware_status: http://h:80/provisioner/prov/snom/firmware/firmware.php?mac=0004\n"),
            "{text}"
        );
    }

    #[test]
    fn in_steps() {
        let file = |agent: &str| {
            pointer(agent, "h").map(|t| t.rsplit_once("snom").unwrap().1.split('\n').next().unwrap().to_string())
        };
        assert_eq!(file("snom360-SIP 7.3; snom360 jffs2 v3.20").as_deref(), Some("360-8.7.3.25-SIP-j.bin"));
        assert_eq!(file("snom360-SIP 8.4; snom360 jffs2 v3.20").as_deref(), Some("360-ramdiskToJffs2-3.36-br.bin"));
        assert_eq!(file("snom360-SIP 8.4; snom360 jffs2 v3.36; snom360 linux 3.25").as_deref(), Some("360-3.38-l.bin"));
        assert_eq!(file("snom760-SIP 8.4").as_deref(), Some("760-8.7.5.17-SIP-r.bin"));
        assert_eq!(file("snom m9 9.1"), None);
        assert_eq!(file("curl"), None);
    }
}
