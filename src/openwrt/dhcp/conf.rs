//! The plan as a file of dnsmasq's own directives.

use super::plan::{class_tag, except_tag, Group, Plan};
use crate::core::given::{Given, GivenValue};
use crate::proto::mac::MacPattern;

/// What a file of ours begins with.
pub const HEADER: &str = "# Written by phoneprov, and by it alone: ";

impl Plan {
    /// The whole file.
    pub fn conf(&self) -> String {
        let mut out = format!("{HEADER}phoneprov dhcp apply writes it anew, phoneprov dhcp remove takes it away.\n");
        self.directives().iter().for_each(|line| out.extend([line.as_str(), "\n"]));
        out
    }

    /// Its directives, a line each.
    pub(super) fn directives(&self) -> Vec<String> {
        let mut out = Vec::new();
        for group in &self.groups {
            let macs = |out: &mut Vec<String>, tag: &str, patterns: &[MacPattern]| {
                out.extend(
                    patterns.iter().flat_map(MacPattern::whole_bytes).map(|p| format!("dhcp-mac=set:{tag},{p}")),
                );
            };
            macs(&mut out, &group.tag, &group.macs);
            macs(&mut out, &except_tag(group), &group.except);
            for mark in group.marks {
                let line = format!("dhcp-vendorclass=set:{},{mark}", class_tag(group));
                // an earlier group of this vendor may have it
                if !out.contains(&line) {
                    out.push(line);
                }
            }
            for value in values(group) {
                out.push(format!("dhcp-option-force=tag:{},{value}", group.tag));
            }
        }
        out
    }
}

/// A group's values, as they follow the group's own tag in a dhcp-option of dnsmasq.
pub(super) fn values(group: &Group) -> Vec<String> {
    let mut tags = String::new();
    if !group.except.is_empty() {
        tags.push_str(&format!("tag:!{},", except_tag(group)));
    }
    if !group.marks.is_empty() {
        tags.push_str(&format!("tag:{},", class_tag(group)));
    }
    let one = |device: &str, given: &Given| {
        let place = match given.sub {
            Some(sub) => format!("encap:{},{sub}", given.code),
            None => given.code.to_string(),
        };
        // quoted: else an address would become four bytes, and a comma would end it
        let value = match &given.value {
            GivenValue::Text(text) => format!("\"{text}\""),
            GivenValue::Byte(byte) => format!("{byte}b"),
        };
        format!("{tags}tag:{device},{place},{value}")
    };
    group.told.iter().flat_map(|(device, all)| all.iter().map(|g| one(device, g)).collect::<Vec<_>>()).collect()
}
