//! docs/dhcp.md from the table of brands. Only tests build it: run one with UPDATE_DOCS=1 to write the file anew.

use crate::vendor::{self, DhcpValue, Vendor};

const BEGIN: &str = "\
# What phones are told by DHCP

<!-- Made from the vendors' tables in src/vendor/. After a change there: UPDATE_DOCS=1 cargo test --lib openwrt::dhcp::doc -->

With `option dhcp 'dnsmasq'` the router's own DHCP server tells phones of enabled vendors the URL that SIP PnP tells them too.

| command | what it does |
|---|---|
| `phoneprov dhcp print [uci\\|dnsmasq]` | shows what would be written, as sections of `/etc/config/dhcp` or as directives of dnsmasq |
| `phoneprov dhcp apply` | writes it, and has dnsmasq read it; writes nothing when it is there already. With another `option dhcp`, or `enabled '0'`, it does what `remove` does |
| `phoneprov dhcp remove` | takes it away; the file is then, byte for byte, what it was |

Run `apply` after each change of the config's vendors, phones, networks or port, and when the router's address has changed; `status` says when it is
due. A vendor that cannot be told of is named with the reason, the others are written, and the exit code is 1. A phone reads DHCP when it starts.

Options: `--uci DIR` takes `dhcp` and `network` from another folder than `/etc/config`, as for the image of a router; nothing is reloaded then. `--no-reload`
leaves dnsmasq alone. `--device D` serves that device instead of those of the config. `--json` of `apply` and `remove` prints `changed`, `refused` (sentences), `reload` (a sentence
or null), and `file` and `vendors`, or `removed_from`.

## Who is told

* Only phones: a MAC of an enabled vendor's `oui`, or of `config phone`. The longest prefix counts, as it does for PnP; a pinned phone is told what its own vendor's phones
  are told and nothing of the others'. With `enrol 'list'` only the phones of the list are told. All others on the LAN get from dnsmasq what they got before.
* Only on served devices, and on each the router's address there: the first, where a device has several (PnP and the responder take the one of the phone's subnet).
  A device that is down is told of by the address of its network's config; one without any is left out and named.
* Where a prefix is also on routers and cameras (\"also needs\" below), the phone must name itself in its vendor class id (option 60).
* The values are sent whether the phone asks for them or not (`dhcp-option-force`): dnsmasq would otherwise put option 66 into a field of 63 characters.

## In what form

| vendor | options | its own MAC in the URL | also needs, in option 60 |
|---|---|---|---|
";

const END: &str = "
A name of a vendor that is not in this table gets option 66. `URL` is the one of the vendor's section on the LAN, without the provisioning password. A `url` that
needs the MAC, for a brand that has no placeholder of its own, and any that needs `{model}`, `{version}`, `{ip}`, `{mac:}` or `{mac-}`, cannot be told by DHCP: let
it end in a folder (`…/`), to which phones add their file names. What is told must fit into
a packet of 576 bytes beside the lease, for dnsmasq leaves out what does not, and says nothing: a URL that is told once may have 205 characters, and one of up to 100
always fits. A longer one is refused, with its length.

## On OpenWrt

The sections are named `phoneprov_…`, of the types `tag`, `mac` and `vendorclass`, at the end of `/etc/config/dhcp`. They are for every `config dnsmasq` instance; the
device's name in each value sees to it that the right one sends it. LuCI and `uci` may change the rest of the file as they like.

The file is not changed through the `uci` command: `uci commit dhcp` would also commit what somebody else has staged and not committed, and would drop the file's comments,
so that it could not be given back as it was. It is locked as `uci` locks it, written beside, and renamed; a power cut leaves the old or the new file. Where a section of
others shares a line with one of ours, or the file cannot be read as UCI, it is left alone and the line is named.

`config odhcpd` with `option maindhcp '1'` makes odhcpd the DHCP server: it cannot tell phones a URL. Phones that ask by PnP are served all the same.

## On another Linux

`option dnsmasq_conf '/etc/dnsmasq.d/phoneprov.conf'` writes that one file. It begins with a line that says whose it is; a file that does not is neither written nor removed. dnsmasq reads it when it
starts: `apply` runs `systemctl try-restart dnsmasq` where there is systemd, `/etc/init.d/dnsmasq restart` where there is that, and else says so. SIGHUP is not enough.
Its folder must be there. Run `phoneprov dhcp remove` before you give the option another path: of the file at the old one nobody would know.
";

fn row(v: &Vendor) -> String {
    let options: Vec<String> = v
        .dhcp
        .iter()
        .map(|o| {
            let place = o.sub.map_or(o.code.to_string(), |sub| format!("{}.{sub}", o.code));
            match o.value {
                DhcpValue::Url => format!("{place} URL"),
                DhcpValue::Byte(byte) => format!("{place} byte {byte}"),
            }
        })
        .collect();
    let mac = v.dhcp_mac.map_or(Vec::new(), |mac| {
        let mut all = vec![("{mac}", mac.lower), ("{MAC}", mac.upper)];
        all.retain(|(_, own)| own.is_some());
        all.iter().map(|(ours, own)| format!("`{ours}` becomes `{}`", own.unwrap_or_default())).collect()
    });
    let or_none = |list: Vec<String>| if list.is_empty() { "–".to_string() } else { list.join(", ") };
    let marks = if v.oui_is_proof { Vec::new() } else { v.class_marks.iter().map(|m| format!("`{m}`")).collect() };
    format!("| {} | {} | {} | {} |\n", v.label, or_none(options), or_none(mac), or_none(marks))
}

#[test]
fn docs_dhcp_md_is_what_the_table_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dhcp.md");
    let rows: String = vendor::ALL.iter().map(|v| row(v)).collect();
    let right = format!("{BEGIN}{rows}{END}");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(path, &right).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == right,
        "docs/dhcp.md is not what the table makes: UPDATE_DOCS=1 cargo test --lib openwrt::dhcp::doc"
    );
}
