//! Tables over all brands: vendor class ids, and the options that a lease carries for them.

use super::test::{everyone, vendor};
use super::*;

/// Vendor class ids: text, brand, model.
const CLASSES: &[(&str, &str, Option<&str>)] = &[
    ("snomD120", "snom", Some("D120")),
    ("snom320", "snom", Some("320")),
    ("snomMP", "snom", Some("MP")),
    ("snom", "snom", None),
    ("AastraIPPhone6731i", "mitel", Some("6731i")),
    ("AastraIPPhone6920", "mitel", Some("6920")),
    ("yealink", "yealink", None),
    ("Fanvil X4", "fanvil", Some("X4")),
    ("Gigaset_N510_IP_PRO", "gigaset", Some("N510 IP PRO")),
    ("Panasonic", "panasonic", None),
    ("Polycom-VVX400", "polycom", Some("VVX400")),
    ("Cisco SPA501G", "cisco", Some("SPA501G")),
    ("CISCO SPA122", "cisco", Some("SPA122")),
    ("LINKSYS SPA-942", "cisco", Some("SPA-942")),
    ("Cisco Systems, Inc. IP Phone CP-7960G", "cisco", Some("CP-7960G")),
    ("Grandstream GXP2160", "grandstream", Some("GXP2160")),
];

#[test]
fn class_ids_name_one_brand() {
    for (class, brand, model) in CLASSES {
        for v in everyone() {
            let facts = (v.class_id)(class);
            assert_eq!(facts.is_some(), v.name == *brand, "{class} {}", v.name);
            if let Some(facts) = facts {
                assert_eq!((facts.model.as_deref(), facts.firmware, facts.mac), (*model, None, None), "{class}");
            }
        }
        // dnsmasq finds it by a mark
        assert!(vendor(brand).class_marks.iter().any(|mark| class.contains(mark)), "{class}");
    }
    for none in ["", "ipphone.mitel.com", "udhcp 1.36.1", "MSFT 5.0", "Cisco AP c1240", "cisco", "Grandstream GWN7630"]
    {
        assert!(everyone().all(|v| (v.class_id)(none).is_none()), "{none}");
        assert!(everyone().all(|v| !v.class_marks.iter().any(|mark| none.contains(mark))), "{none}");
    }
}

#[test]
fn marks_can_stand_in_a_line_of_dnsmasq() {
    for v in everyone() {
        for mark in v.class_marks {
            assert!(
                mark.len() >= 4 && mark.bytes().all(|b| b.is_ascii_alphanumeric() || b" .-".contains(&b)),
                "{mark}"
            );
        }
        // without a mark, only an OUI that is a proof can lead to the brand's options
        assert!(v.oui_is_proof || !v.class_marks.is_empty(), "{}", v.name);
    }
}

#[test]
fn every_brand_takes_a_url_by_dhcp() {
    for v in everyone() {
        let urls = v.dhcp.iter().filter(|o| o.value == DhcpValue::Url).count();
        assert!(urls >= 1, "{}", v.name);
        for (i, o) in v.dhcp.iter().enumerate() {
            let same = |p: &DhcpOption| p.code == o.code && (p.sub == o.sub || p.sub.is_none() || o.sub.is_none());
            assert!(!v.dhcp.iter().skip(i + 1).any(same), "{} {}", v.name, o.code);
            // none that the lease itself needs
            assert!([43, 66, 114].contains(&o.code) || (128..=254).contains(&o.code), "{} {}", v.name, o.code);
        }
    }
    assert_eq!(vendor("snom").dhcp, [DhcpOption::url(66)]);
}
