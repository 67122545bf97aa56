//! The plan as sections of OpenWrt's `/etc/config/dhcp`.
//!
//! dnsmasq's init script makes of `config mac` a `dhcp-mac=NETWORKID,MAC`, of `config vendorclass` a
//! `dhcp-vendorclass=set:NETWORKID,CLASS`, and of each item of `list dhcp_option` in `config tag 'NAME'` with `option force '1'`
//! a `dhcp-option-force=tag:NAME,ITEM`. It splits the items at blanks, which none of ours has. All three are for every
//! `config dnsmasq` unless they name one with `option instance`; ours name none, for a value's device tag is set
//! by the one that serves the device.
//!
//! A name must not be used by sections of two types, so each kind of ours has names of its own.

use super::conf::values;
use super::plan::{class_tag, except_tag, name, tag_with_separator, Plan, PREFIX};
use crate::openwrt::sections::Ours;
use crate::proto::mac::MacPattern;
use crate::proto::uci::Section;

/// Our sections among those of others.
pub const OURS: Ours = Ours { prefix: PREFIX, kinds: &["tag", "mac", "vendorclass"] };

impl Plan {
    /// The sections, in the order in which they are written.
    pub fn sections(&self) -> Vec<Section> {
        let mut out: Vec<Section> = Vec::new();
        for group in &self.groups {
            let mut tag = Section::new("tag", Some(&group.tag));
            tag.option("force", "1");
            for value in values(group) {
                tag.item("dhcp_option", value);
            }
            out.push(tag);
            let start = tag_with_separator(group);
            let mut macs = |start: &str, networkid: &str, patterns: &[MacPattern]| {
                for pattern in patterns.iter().flat_map(MacPattern::whole_bytes) {
                    let mut mac = Section::new("mac", Some(&format!("{start}{}", pattern.hex())));
                    mac.option("mac", pattern.to_string()).option("networkid", networkid);
                    out.push(mac);
                }
            };
            macs(&start, &group.tag, &group.macs);
            macs(&format!("{start}not"), &except_tag(group), &group.except);
            for (i, mark) in group.marks.iter().enumerate() {
                let section = name(&group.vendor, &format!("class{}", i + 1));
                if out.iter().any(|s| s.name.as_deref() == Some(&section)) {
                    // of an earlier group of this vendor
                    continue;
                }
                let mut class = Section::new("vendorclass", Some(&section));
                class.option("vendorclass", *mark).option("networkid", class_tag(group));
                out.push(class);
            }
        }
        out
    }

    /// The sections as text.
    pub fn uci(&self) -> Result<String, String> {
        let file = crate::proto::uci::File { package: None, sections: self.sections() };
        crate::proto::uci::write(&file)
    }
}
