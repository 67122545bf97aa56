//! Which program does the work.

use super::{Backend, File, Router};
use crate::proto::uci::Section;

/// What is known of a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which one.
    pub backend: Backend,
    /// Is it there?
    pub available: bool,
    /// Does somebody use it already?
    pub in_use: bool,
    /// Why it is available, or not.
    pub why: String,
    /// What it does for calls.
    pub means: &'static str,
}

/// Which one was taken; `None`: nothing is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Choice {
    pub chosen: Option<Backend>,
    pub why: String,
    /// It cannot do the work: what to do.
    pub trouble: Option<String>,
    /// Two get in each other's way: what to do.
    pub note: Option<String>,
}

const INSTALL: &str =
    "install luci-app-sqm (apk add luci-app-sqm; up to OpenWrt 24.10: opkg update && opkg install luci-app-sqm)";

/// All back ends, best first.
pub fn offers(router: &Router) -> Vec<Offer> {
    [Backend::Sqm, Backend::Qosify, Backend::QosScripts, Backend::Fw4].into_iter().map(|b| offer(b, router)).collect()
}

fn offer(backend: Backend, router: &Router) -> Offer {
    let has = |file| router.files.contains_key(&file);
    let installed = router.installed;
    let is = |s: &Section, name, word: &str| s.get(name).is_some_and(|v| v == word);
    let (package, there, in_use, means) = match backend {
        Backend::Sqm => (
            "sqm-scripts",
            installed.sqm && has(File::Sqm) && has(File::Firewall) && installed.fw4,
            router.sections(File::Sqm).iter().any(|s| s.kind == "queue" && is(s, "enabled", "1")),
            "The firewall marks calls (DSCP EF), and CAKE on the line sends what is marked first (diffserv4). Downwards marks come too late: \
             there CAKE keeps thin streams, as calls are, ahead of thick ones.",
        ),
        Backend::Qosify => (
            "qosify",
            installed.qosify && has(File::Qosify),
            router.sections(File::Qosify).iter().any(|s| s.kind == "interface" && !is(s, "disabled", "1")),
            "All that goes to or comes from the media servers is voice for CAKE on the line, in both directions. Single addresses only.",
        ),
        Backend::QosScripts => (
            "qos-scripts",
            installed.qos_scripts && has(File::Qos),
            router.sections(File::Qos).iter().any(|s| s.kind == "interface" && !is(s, "enabled", "0")),
            "Calls are in the class Priority, everything else in Normal (HFSC), in both directions. The older way: it needs iptables beside \
             the firewall of today, and has IPv4 only.",
        ),
        Backend::Fw4 => (
            "firewall4",
            installed.fw4 && has(File::Firewall),
            false,
            "The firewall marks calls (DSCP EF) and nothing more. The router's own line gets no shorter queue by that; WiFi, switches and the \
             provider may go by the marks.",
        ),
    };
    let why = match (there, in_use) {
        (true, true) => format!("{package} is installed and in use"),
        (true, false) if backend == Backend::Fw4 => "it is this router's firewall".into(),
        (true, false) => format!("{package} is installed"),
        (false, _) if backend == Backend::Sqm && installed.sqm => {
            "sqm-scripts is installed, but firewall4 is needed too, for the marks".into()
        }
        (false, _) => format!("{package} is not installed"),
    };
    Offer { backend, available: there, in_use: there && in_use, why, means }
}

/// The one that the config names, or the best.
pub fn choose(wanted: Option<Backend>, offers: &[Offer]) -> Choice {
    let used: Vec<&Offer> = offers.iter().filter(|o| o.in_use).collect();
    if let Some(backend) = wanted {
        let offer = offers.iter().find(|o| o.backend == backend);
        let trouble = offer.filter(|o| !o.available).map(|o| {
            format!("option backend is '{}', but {}; install it, or set option backend 'auto'", backend.name(), o.why)
        });
        // marks alone do not get in anybody's way
        let other = used.iter().find(|o| o.backend != backend && backend != Backend::Fw4);
        let both = || {
            let o = other?;
            Some(format!(
                "{} is in use too, and two on one line get in each other's way: switch one off",
                o.backend.name()
            ))
        };
        return Choice {
            chosen: Some(backend),
            why: format!("option backend is '{}'", backend.name()),
            note: both().filter(|_| trouble.is_none()),
            trouble,
        };
    }
    let (why, best) = match (used.first(), offers.iter().find(|o| o.available)) {
        (Some(used), _) => (used.why.clone(), Some(*used)),
        (None, Some(best)) if best.backend == Backend::Fw4 => {
            (format!("nothing that shapes the line is installed, so calls are only marked; {INSTALL}"), Some(best))
        }
        (None, Some(best)) => (best.why.clone(), Some(best)),
        (None, None) => (format!("nothing is installed that could do it: {INSTALL}"), None),
    };
    let names: Vec<&str> = used.iter().map(|o| o.backend.name()).collect();
    let note = (names.len() > 1).then(|| {
        format!("{} are in use at once, and get in each other's way: switch all but one off", names.join(" and "))
    });
    let trouble = best.is_none().then(|| why.clone());
    Choice { chosen: best.map(|o| o.backend), why, trouble, note }
}
