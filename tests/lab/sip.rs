//! The SUBSCRIBEs of real phones as messages of the lab's phones, and sipp to send them.

use crate::netns::Ns;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// One message of tests/data/sip, and what in it is the phone's own.
pub struct Fixture {
    pub name: &'static str,
    text: &'static str,
    /// As the message spells it, without separators.
    mac: &'static str,
    ip: &'static str,
    /// In the message; no `:port` in the Contact means 5060.
    port: u16,
}

macro_rules! fixture {
    ($name:literal, $file:literal, $mac:literal, $ip:literal, $port:literal) => {
        Fixture {
            name: $name,
            text: include_str!(concat!("../data/sip/", $file, ".sip")),
            mac: $mac,
            ip: $ip,
            port: $port,
        }
    };
}

/// All of them. `audiocodes` names no MAC and no vendor that the agent knows.
pub const FIXTURES: &[Fixture] = &[
    fixture!("snom-d120", "snom-d120-tst-subscribe", "000413000001", "192.168.1.50", 5060),
    fixture!("snom-370", "snom-370-doc-subscribe", "00135E874B49", "192.168.10.67", 5060),
    fixture!("snom-m700", "snom-m700-doc-subscribe", "0004136ABCDE", "10.0.0.90", 5060),
    fixture!("grandstream", "grandstream-grp2612w-cap-subscribe", "C074AD112233", "192.168.1.2", 5080),
    fixture!("yealink-t21p", "yealink-t21p-tst-subscribe", "0015657322ff", "192.168.1.51", 5060),
    fixture!("yealink-t53w", "yealink-t53w-tst-subscribe", "805e0c4d796d", "192.168.0.121", 5060),
    fixture!("planet", "planet-vip2140-doc-subscribe", "00304fa99948", "192.168.1.45", 5060),
    fixture!("audiocodes", "audiocodes-440hd-doc-subscribe", "000000000000", "10.13.2.37", 5060),
];

/// The fixture of that name.
pub fn fixture(name: &str) -> &'static Fixture {
    FIXTURES.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no fixture {name}"))
}

impl Fixture {
    /// The message of a phone with this MAC (twelve hex digits), address and source port; every spelling stays as
    /// the real phone has it. The Call-ID is new in each call.
    pub fn message(&self, mac: &str, ip: Ipv4Addr, port: u16) -> String {
        let upper = self.mac.chars().any(|c| c.is_ascii_uppercase());
        let hex = if upper { mac.to_ascii_uppercase() } else { mac.to_ascii_lowercase() };
        let mut text = self.text.replace(self.mac, &hex).replace(&colons(self.mac), &colons(&hex));
        text = text.replace(&format!("{}:{}", self.ip, self.port), &format!("{ip}:{port}"));
        text = text.replace(&format!("{};", self.ip), &format!("{ip};")).replace(self.ip, &ip.to_string());
        if port != 5060 && !self.text.contains(&format!("{}:{}", self.ip, self.port)) {
            text = text.replace(&format!("@{ip}>"), &format!("@{ip}:{port}>"));
        }
        let id = call_id(&text);
        text.replace(&id, &format!("{}{id}", crate::netns::serial()))
    }
}

fn colons(hex: &str) -> String {
    let pairs: Vec<&str> = (0..6).filter_map(|i| hex.get(i * 2..i * 2 + 2)).collect();
    pairs.join(":")
}

/// The value of a header in a SIP message, or of a line that begins so.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap_or(message);
    head.lines()
        .filter_map(|l| l.split_once(':'))
        .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

/// Its Call-ID, or nothing.
pub fn call_id(message: &str) -> String {
    header(message, "Call-ID").unwrap_or("").to_string()
}

/// The body of a SIP message.
pub fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, b)| b)
}

/// What sipp saw.
#[derive(Debug)]
pub struct Outcome {
    /// All steps held: 200, then NOTIFY, answered.
    pub ok: bool,
    /// The NOTIFY's body.
    pub url: Option<String>,
    /// The 200, whole.
    pub answer: Option<String>,
    /// The NOTIFY, whole.
    pub notify: Option<String>,
    /// sipp's own words, for messages of tests.
    pub log: String,
}

/// Lets sipp be the phone: sends `message` from `ip:port` to the group, takes a 200 and a NOTIFY within `patience`,
/// and answers the NOTIFY.
pub fn sipp(ns: &Ns, dir: &Path, message: &str, from: (Ipv4Addr, u16), patience: Duration) -> Outcome {
    let id = call_id(message);
    let work = dir.join(format!("sipp-{}", crate::netns::serial()));
    fs::create_dir_all(&work).expect("a folder");
    let ms = patience.as_millis();
    let scenario = format!(
        r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="phone">
 <send><![CDATA[
{}
]]></send>
 <recv response="200" timeout="{ms}"/>
 <recv request="NOTIFY" timeout="{ms}"><action>
   <ereg regexp=".+" search_in="body" check_it="true" assign_to="url"/>
   <log message="URL=[$url]"/>
 </action></recv>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#,
        message.replace("\r\n", "\n").replace(&id, "[call_id]")
    );
    fs::write(work.join("phone.xml"), scenario).expect("written");
    let out = ns
        .command("sipp")
        .current_dir(&work)
        .args(["-sf", "phone.xml", "-m", "1", "-t", "u1", "-nostdin", "-nd"])
        .args(["-i", &from.0.to_string(), "-p", &from.1.to_string(), "-cid_str", &id])
        .args(["-trace_logs", "-log_file", "url.log", "-trace_msg", "-message_file", "messages.log"])
        .args(["-trace_err", "-error_file", "errors.log", "-timeout", &format!("{}s", patience.as_secs() * 2 + 2)])
        .arg("224.0.1.75:5060")
        .stdin(Stdio::null())
        .output()
        .expect("sipp starts");
    let read = |f: &str| String::from_utf8_lossy(&fs::read(work.join(f)).unwrap_or_default()).into_owned();
    let messages = read("messages.log");
    let received = received(&messages);
    let url = read("url.log").lines().find_map(|l| l.strip_prefix("URL=").map(str::to_string));
    Outcome {
        ok: out.status.success(),
        url,
        answer: received.iter().find(|m| m.starts_with("SIP/2.0 200")).cloned(),
        notify: received.iter().find(|m| m.starts_with("NOTIFY ")).cloned(),
        log: format!("{}\n{messages}\n{}", read("errors.log"), String::from_utf8_lossy(&out.stderr)),
    }
}

/// The messages that sipp's message log says came in, with CRLF as sent.
fn received(log: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in log.split("----------------------------------------------- ").skip(1) {
        let Some((what, text)) = part.split_once("\n\n") else { continue };
        if what.contains("message received") {
            let text = text.strip_suffix("\n").unwrap_or(text);
            let text = text.strip_suffix("\n").unwrap_or(text);
            all.push(text.to_string());
        }
    }
    all
}
