//! `phoneprov dhcp seen`: the router's own DHCP server has given an address. Called by its hook
//! (/etc/hotplug.d/dhcp/50-phoneprov), which has everything in the environment.

use crate::bounds;
use crate::cli::args::Args;
use crate::cli::call::{call_within, failed};
use crate::cli::DONE;
use crate::proto::dhcp::text;
use crate::proto::mac::Mac;
use serde_json::{json, Value};
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// The agent answers this within milliseconds. Behind the hook other leases are waiting.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Args) -> i32 {
    let Some(request) = request(|name| std::env::var_os(name)) else { return DONE };
    match call_within(args, &request, PATIENCE) {
        Ok(_) => DONE,
        Err(why) => failed(args, &why),
    }
}

/// What is to be told; nothing of a lease that ended, of IPv6, or of what is no Ethernet. All values come from clients.
fn request(variable: impl Fn(&str) -> Option<OsString>) -> Option<Value> {
    let value = |name: &str, most: usize| text(variable(name).unwrap_or_default().as_bytes(), most);
    let action = value("ACTION", 16)?;
    if !["add", "update"].contains(&action.as_str()) {
        return None;
    }
    let mac = Mac::parse(&value("MACADDR", 32)?)?;
    let ip: Ipv4Addr = value("IPADDR", 64)?.parse().ok()?;
    Some(json!({
        "op": "seen",
        "mac": mac.to_string(),
        "ip": ip.to_string(),
        "hostname": value("HOSTNAME", bounds::DHCP_HOST_NAME),
        "class": value("DNSMASQ_VENDOR_CLASS", 255),
    }))
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn told(variables: &[(&str, &[u8])]) -> Option<Value> {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from_vec(v.to_vec()));
        request(find)
    }

    #[test]
    fn what_the_hook_tells() {
        let mac = ("MACADDR", &b"00:04:13:AA:bb:cc"[..]);
        let ip = ("IPADDR", &b"192.168.1.50"[..]);
        let all = [mac, ip, ("ACTION", b"add"), ("HOSTNAME", b"a\x1b[1mb\xff\n"), ("DNSMASQ_VENDOR_CLASS", b"snom320")];
        let expected = json!({"op": "seen", "mac": "00:04:13:aa:bb:cc", "ip": "192.168.1.50", "hostname": "a[1mb", "class": "snom320"});
        assert_eq!(told(&all), Some(expected));
        let bare =
            json!({"op": "seen", "mac": "00:04:13:aa:bb:cc", "ip": "192.168.1.50", "hostname": null, "class": null});
        assert_eq!(told(&[mac, ip, ("ACTION", b"update")]), Some(bare));
        for action in [&b"remove"[..], b"", b"add; reboot"] {
            assert_eq!(told(&[mac, ip, ("ACTION", action)]), None);
        }
        let add = ("ACTION", &b"add"[..]);
        for bad in
            [&[add, mac][..], &[add, ip], &[add, mac, ("IPADDR", b"fd00::1")], &[add, ip, ("MACADDR", b"06-00:01")]]
        {
            assert_eq!(told(bad), None);
        }
    }

    #[test]
    fn the_longest_values_fit_into_a_request() {
        let long = vec![b'"'; 1 << 17];
        let all = [("ACTION", &b"add"[..]), ("MACADDR", b"000413aabbcc"), ("IPADDR", b"192.168.100.100")];
        let request = told(&[&all[..], &[("HOSTNAME", &long), ("DNSMASQ_VENDOR_CLASS", &long)]].concat()).unwrap();
        assert!(request.to_string().len() < bounds::CONTROL_REQUEST);
    }
}
