//! Gigaset DECT bases and desk phones. Configs are XML; the desk phones run snom firmware and take snom's root too.
//! Sources: phone-facts 1.3, 3.1–3.5.

use super::text;
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Gigaset";

/// Gigaset
pub static GIGASET: Vendor = Vendor {
    name: "gigaset",
    label: LABEL,
    ouis: &["7c:2f:80:*:*:*", "00:21:04:*:*:*", "58:9e:c6:*:*:*", "14:b3:70:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/gigaset/",
    event_vendors: &["gigaset"],
    user_agent,
    kind: |file| -> FileKind { text::kind(file, |_| false) },
    check,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    // the DECT bases take 114 (default-url) and not 66; desk phones take both (phone-facts 2.2)
    dhcp: &[DhcpOption::url(114), DhcpOption::url(66)],
    dhcp_mac: None,
    // Gigaset_N510_IP_PRO
    class_id: |class| -> Option<AgentFacts> { text::class(&class.replace('_', " "), LABEL) },
    class_marks: &["Gigaset"],
};

/// `Gigaset N720 DM PRO/70.089.00.000.000;7C2F80CA21E4`, also `…;Handset=n`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, LABEL)?;
    let (model, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some(text::facts(agent, Some(model), rest.split([';', ' ']).next()))
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |_| false) {
        return text::opaque(LABEL, body);
    }
    match text::opening_no_page(LABEL, body) {
        Ok(start) if start.starts_with(b"<") => xml::check(LABEL, body, &["provisioning", "ProviderFrame", "settings"]),
        Ok(start) => text::foreign(LABEL, start),
        Err(verdict) => verdict,
    }
}
