//! The one table of all methods: names, arguments with their types and limits, who may call them.
//!
//! A new method is a line here, what it does in `cli/rpcd/here.rs` (or [`How::Agent`], where the agent's control socket
//! has an `op` of that name), a row in docs/rpcd.md, and its name in the access list of luci-app-phoneprov.

use crate::bounds;
use serde_json::{json, Map, Value};

/// In which of LuCI's two lists a method belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Shows, and changes nothing. No answer holds a secret.
    Read,
    /// Acts.
    Write,
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The agent answers at once: the `op` of this name on the control socket.
    Agent,
    /// The agent, or the network, takes its time: a job does it, see [`super::job`].
    Job,
    /// The plugin itself; the agent need not run.
    Here,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A MAC in any spelling.
    Mac,
    /// The same, or `all`.
    MacOrAll,
    /// `true` or `false`; also 1 and 0, which ubus makes of them in some callers.
    Flag,
    /// A whole number within these bounds.
    Number(u64, u64),
    /// A job's number.
    Id,
    /// A word of letters, digits and `_`: what UCI takes as a name.
    Word,
    /// A network device.
    Device,
    /// Text of at most so many bytes, without control characters.
    Text(usize),
    /// A value of an option as it was typed, or several of a list.
    Values,
    /// Sections of a config as UCI has them.
    Sections,
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Is it an error to leave it out?
    pub needed: bool,
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Who does it.
    pub how: How,
    /// What it takes.
    pub args: &'static [Arg],
}

const fn needed(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind, needed: true }
}

const fn optional(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind, needed: false }
}

const fn method(name: &'static str, access: Access, how: How, args: &'static [Arg]) -> Method {
    Method { name, access, how, args }
}

const ONE: &[Arg] = &[needed("mac", Kind::Mac)];
const SOME: &[Arg] = &[needed("mac", Kind::MacOrAll)];

/// All methods, in the order of docs/rpcd.md.
pub const METHODS: &[Method] = &[
    method("status", Access::Read, How::Agent, &[]),
    method("phones", Access::Read, How::Agent, &[optional("after", Kind::Mac)]),
    method("phone", Access::Read, How::Agent, ONE),
    method("events", Access::Read, How::Agent, &[optional("count", Kind::Number(0, bounds::EVENTS as u64))]),
    method("job", Access::Read, How::Here, &[needed("id", Kind::Id)]),
    method(
        "check",
        Access::Read,
        How::Here,
        &[
            optional("sections", Kind::Sections),
            optional("type", Kind::Text(64)),
            optional("name", Kind::Text(64)),
            optional("option", Kind::Text(64)),
            optional("value", Kind::Values),
        ],
    ),
    method("options", Access::Read, How::Here, &[]),
    method("config", Access::Read, How::Here, &[]),
    method("qos", Access::Read, How::Here, &[]),
    method("refresh", Access::Write, How::Job, SOME),
    method("resync", Access::Write, How::Job, &[needed("mac", Kind::MacOrAll), optional("reboot", Kind::Flag)]),
    method("accept", Access::Write, How::Job, SOME),
    method("reject", Access::Write, How::Job, SOME),
    method(
        "rollback",
        Access::Write,
        How::Job,
        &[
            needed("mac", Kind::MacOrAll),
            optional("back", Kind::Number(1, u32::MAX as u64)),
            optional("name", Kind::Text(1024)),
        ],
    ),
    method("forget", Access::Write, How::Agent, SOME),
    method("admit", Access::Write, How::Agent, &[needed("minutes", Kind::Number(0, bounds::ADMIT_MINUTES))]),
    method(
        "probe",
        Access::Write,
        How::Job,
        &[optional("vendor", Kind::Word), optional("mac", Kind::Mac), optional("device", Kind::Device)],
    ),
];

/// The method of this name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|m| m.name == name)
}

/// What rpcd wants to know: each method with an example of each argument, whose type becomes the argument's.
pub fn list() -> Value {
    let example = |kind: Kind| match kind {
        Kind::Flag => json!(true),
        // rpcd reads 8, 16, 32 and 64 as widths
        Kind::Number(..) => json!(32),
        Kind::Sections => json!([]),
        // `value` may be a list too: rpcd does not look
        _ => json!(""),
    };
    let args = |m: &Method| m.args.iter().map(|a| (a.name.to_string(), example(a.kind))).collect::<Map<_, _>>();
    METHODS.iter().map(|m| (m.name.to_string(), Value::Object(args(m)))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn rpcd_can_read_the_list() {
        let list = list();
        let all = list.as_object().unwrap();
        assert_eq!(all.len(), METHODS.len(), "no method is there twice");
        assert_eq!(list["status"], json!({}));
        assert_eq!(list["resync"], json!({"mac": "", "reboot": true}));
        assert_eq!(list["rollback"], json!({"mac": "", "back": 32, "name": ""}));
        assert_eq!(list["check"]["sections"], json!([]));
    }

    /// Which of them a read-only user of LuCI may call: the contract of the web interface.
    #[test]
    fn who_may_call_what() {
        let of = |access| METHODS.iter().filter(|m| m.access == access).map(|m| m.name).collect::<Vec<_>>().join(" ");
        assert_eq!(of(Access::Read), "status phones phone events job check options config qos");
        assert_eq!(of(Access::Write), "refresh resync accept reject rollback forget admit probe");
        assert!(METHODS.iter().all(|m| m.how != How::Job || m.access == Access::Write));
    }
}
