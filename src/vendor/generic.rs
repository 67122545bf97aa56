//! For vendor sections whose name the binary does not know: the admin vouches for the OUIs, and nothing is known of
//! the files but what an error page looks like.

use super::types::{DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::{snom, text};

const LABEL: &str = "phone";

/// Any other brand.
pub static GENERIC: Vendor = Vendor {
    name: "generic",
    label: "Other phones",
    ouis: &[],
    oui_is_proof: true,
    url: "{upstream}/prov/{vendor}/",
    event_vendors: &[],
    // a User-Agent cannot prove a brand nobody described
    user_agent: |_| None,
    kind: |file| -> FileKind { text::kind(file, |_| false) },
    check,
    accounts: |_, _| None,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    dhcp: &[DhcpOption::url(66)],
    dhcp_mac: None,
    class_id: |_| None,
    class_marks: &[],
};

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |_| false) {
        return text::opaque(LABEL, body);
    }
    match text::opening(LABEL, body) {
        // VTech's snom firmware takes html/pre too
        Ok(start) if text::page(start) && snom::html_pre(start) != Verdict::Good => text::broken(LABEL, "an HTML page"),
        Ok(_) => Verdict::Good,
        Err(verdict) => verdict,
    }
}
