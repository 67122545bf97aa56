//! Gigaset DECT bases and desk phones. Configs are XML; the desk phones run snom firmware and take snom's root too.
//! Sources: phone-facts 1.3, 3.1–3.5.

use super::identity::{Accounts, Field, Names};
use super::snom;
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
    accounts,
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

/// `<param name="SipAccount.0.UserName" value="…"/>`, and N510 and N720: `<SYMB_ITEM ID="BS_IP_Data1.aucS_SIP_USER_ID_2"
/// value='"…"'/>`, of which the part after the dot is here. The desk phones have snom's names.
const ACCOUNT: Names = &[
    ("sipaccount.#.username", Field::User),
    ("sipaccount.#.authname", Field::Auth),
    ("sipprovider.#.domain", Field::Registrar),
    ("sipprovider.#.regserveraddress", Field::Proxy),
    ("aucs_sip_user_id_#", Field::User),
    ("aucs_sip_login_id_#", Field::Auth),
    ("aucs_sip_registrar_#", Field::Registrar),
    ("aucs_sip_domain_#", Field::Proxy),
    ("ucb_sip_account_is_active_#", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, |_| false) || text::binary(body) {
        return None;
    }
    Accounts::read(body, |accounts, leaf| {
        let value = leaf.attribute("value");
        if let (Some(name), Some(value)) = (leaf.attribute("name"), &value) {
            accounts.setting(ACCOUNT, &name, value);
        } else if let (Some(id), Some(value)) = (leaf.attribute("ID"), &value) {
            let name = id.rsplit(|b| *b == b'.').next().unwrap_or_default();
            let name = name.strip_suffix(b"[0]").unwrap_or(name);
            // the first line has no number, and the others count from 2
            match name.last().is_some_and(u8::is_ascii_digit) {
                true => accounts.setting(ACCOUNT, name, value),
                false => accounts.setting(ACCOUNT, &[name, b"_1"].concat(), value),
            }
        } else {
            accounts.setting(snom::ACCOUNT, &leaf.numbered(), leaf.text);
        }
    })
}
