//! A phone with its lines, and the value of each placeholder for one of them.

use super::documents::{Account, Device, Template, User};
use super::places::Place;
use std::sync::Arc;

/// The scripts that a phone is made for: each has its own URLs, placeholders and order of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brand {
    /// snom
    Snom,
    /// Mitel, Aastra
    Mitel,
    /// Yealink
    Yealink,
}

/// What rendering needs: all of one phone.
pub struct Phone {
    /// Whose placeholders and order.
    pub brand: Brand,
    /// Of the first line; it serves all.
    pub template: Arc<Template>,
    /// At least one.
    pub lines: Vec<Line>,
    /// Name and port by which the phone reached us.
    pub host: String,
}

/// A line of a phone.
#[derive(Clone)]
pub struct Line {
    /// Its device.
    pub device: Arc<Device>,
    /// The device's account.
    pub account: Arc<Account>,
    /// The device's owner.
    pub user: Option<Arc<User>>,
}

/// Voice mail, in all accounts.
const VOICEMAIL: &str = "*98";

impl Phone {
    /// The family of snom's first DECT base: another file format.
    pub fn is_m3(&self) -> bool {
        self.brand == Brand::Snom && self.template.family == "m3x"
    }

    /// Where the phone stands: as the first line's owner says, else its account.
    pub fn place(&self) -> Place<'_> {
        let Some(first) = self.lines.first() else { return Place::of(("", ""), ("", "")) };
        let owner = first.user.as_ref().map_or(("", ""), |u| (u.language.as_str(), u.timezone.as_str()));
        Place::of(owner, (&first.account.language, &first.account.timezone))
    }

    /// The value of a placeholder for the line of this index; `None` for a name that this brand does not have.
    pub fn value(&self, name: &str, index: usize) -> Option<String> {
        let line = self.lines.get(index)?;
        let user = line.user.as_deref();
        let shown = || user.map_or("", |u| &u.display);
        let presence = || user.map_or("", |u| &u.presence_id);
        let common: &str = match name {
            "SIPAUTHNAME" => &line.device.sip_username,
            "SIPSECRET" => &line.device.sip_password,
            "SIPUSERNAME" if self.brand != Brand::Snom => &line.device.sip_username,
            "SIPUSERNAME" | "SIPCALLERID" => shown(),
            "PROXY_SERVER" | "REGISTRAR_SERVER" => &line.account.realm,
            "WEB_SERVER" => return Some(format!("http://{}", self.host)),
            "VMSD" => VOICEMAIL,
            "LOGOUT" => "Logout",
            "FORWARD" => "Forward",
            "DND" => "DND",
            "VOICEMAIL" => "Voicemail",
            "PHONEBOOK" => "Phonebook",
            "ATD_XFER" => "At Transfer",
            "ATD_XFERCODE" => "*8",
            // phones show it: the spelling is that of all configs before
            "XFER" => "Blind Tansfer",
            "XFERCODE" => "**",
            "INTERNAL" => presence(),
            "PROXY_PORT" => "5060",
            "SUBSCRIPT_REREGISTER" | "PHONE_REREGISTER" => "360",
            _ => {
                return match self.brand {
                    Brand::Snom => self.snom(name, line, index),
                    Brand::Mitel => self.mitel(name, line, index),
                    Brand::Yealink => self.yealink(name, line, index),
                }
            }
        };
        Some(common.to_string())
    }

    fn snom(&self, name: &str, line: &Line, index: usize) -> Option<String> {
        let place = self.place();
        let number = |plus: u32| number(self.template.first_line, index, plus);
        let host = &self.host;
        let first = self.lines.first()?;
        let m9 = |numbers: fn((&'static str, &'static str)) -> &'static str| match self.template.family.as_str() {
            "m9x" => numbers(place.zone.m9),
            _ => "",
        };
        Some(match name {
            "ACCOUNT" => number(0),
            "ACCOUNT_2" => number(1),
            "LANGUAGE_IDX" => place.language(|l| l.snom).to_string(),
            "LANG_PREFIX" => place.language(|l| l.snom.and(Some(l.prefix))).to_string(),
            "TIMEZONE_IDX" => place.zone.snom.to_string(),
            "TIMEZONE_PREFIX" => place.zone.snom.split(['+', '-']).next().unwrap_or_default().to_string(),
            "TIMEZONE_ID" => m9(|m| m.0).to_string(),
            "TONES_IDX" => m9(|m| m.1).to_string(),
            "DIALTONE_SETTING" => place.zone.snom_tone.to_string(),
            "COUNTRYID_M3" if self.is_m3() => place.language(|l| Some(l.m3)).to_string(),
            "COUNTRYID_M3" | "ADVERTISEMNT_URL" | "PROV_SERVER_URL_CERTIFICATE" => String::new(),
            "STATUS" => "on".to_string(),
            "SRTP" => "off".to_string(),
            "EMERGENCY_NUMS" => "110 112 911".to_string(),
            "ACCESSPROVPASS" => "accessprovpass".to_string(),
            "SETTINGS_REFRSH_TIMER" | "SETTINGS_REFRESH_TIMER" => "0".to_string(),
            "MAC" => line.device.mac.hex_upper(),
            "NAME" => line.device.name.clone(),
            "NTP_SERVER" if self.is_m3() => "188.40.67.131".to_string(),
            "NTP_SERVER" => "ntp.snom.com".to_string(),
            "PROVPASS" => line.account.provision_pass.clone(),
            "PROV_PHONE_USER" => first.account.provision_user.clone(),
            "PROV_PHONE_PASS" => first.account.provision_pass.clone(),
            "PROV_SERVER" => host.clone(),
            "PS_ACTION" => format!("http://{host}/provisioner/prov/snom/ps.php"),
            "DND_ACTION" => format!("http://{host}/provisioner/prov/snom/dnd.php"),
            "ADVERTISEMENT_URL" => format!("http://{host}/advertisement/snom.php"),
            // the phone itself puts its MAC for {mac}
            "SETTING_SERVER" => {
                format!("http://{host}/provisioner/prov/snom/settings.php?mac={{mac}}&pass={}", line.account.urlpass)
            }
            "TX" => volume(line.device.tx_volume, (7, 13), (1, 8)),
            "RX" => volume(line.device.rx_volume, (7, 13), (1, 8)),
            _ => return None,
        })
    }

    fn mitel(&self, name: &str, line: &Line, index: usize) -> Option<String> {
        let place = self.place();
        Some(match name {
            "ACCOUNT" => number(self.template.key_counter, index, 0),
            "LANGUAGE_IDX" => place.language(|l| l.mitel_input.and(l.mitel)).to_string(),
            "INPUT_LANG" => place.language(|l| l.mitel_input).to_string(),
            "TIMEZONE" => place.zone.mitel.to_string(),
            "TONEZONE" => place.zone.mitel_tone.to_string(),
            "HOST_TIMESERVER" => "pool.ntp.org".to_string(),
            // a second registrar is none of Kazoo's
            "BAK_PROXY_SERVER" | "BAK_REGISTRAR_SERVER" => String::new(),
            "PROV_SERVER_URL_CERTIFICATE" | "SETTING_SERVER" | "SETTINGS_REFRESH_TIMER" | "SRTP" => String::new(),
            "CONFERENCE_LABEL" => line.user.as_ref().map(|u| u.presence_id.clone()).unwrap_or_default(),
            "PROV_SERVER_URL" | "PROV_SERVER" => self.host.clone(),
            "PROV_PHONE_USER" => line.account.provision_user.clone(),
            "PROV_PHONE_PASS" => line.account.provision_pass.clone(),
            "TX" => volume(line.device.tx_volume, (7, 13), (0, 10)),
            "RX" => volume(line.device.rx_volume, (7, 13), (0, 10)),
            _ => return None,
        })
    }

    fn yealink(&self, name: &str, line: &Line, index: usize) -> Option<String> {
        let place = self.place();
        // a template of another brand has other names for zones
        let zone = |text: &str| if self.template.brand == "yealink" { text.to_string() } else { String::new() };
        Some(match name {
            "ACCOUNT" => number(self.template.key_counter, index, 0),
            "LANGUAGE_IDX" => place.language(|l| l.yealink).to_string(),
            "LANGUAGE_URL" => {
                let folder = line.device.provstring.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/lang/{}.txt", place.language(|l| l.yealink))
            }
            "TIMEZONE_NR" => zone(place.zone.yealink),
            "TIMEZONE_NAME" => zone(place.zone.yealink_name),
            "MAC" => line.device.mac.hex(),
            "PRESENCE_ID" => line.user.as_ref().map(|u| u.presence_id.clone()).unwrap_or_default(),
            "NTP_SERVER" => "pool.ntp.org".to_string(),
            "PROV_SERVER_URL" => format!("http://{}/provisioner/prov/yealink/", self.host),
            "PROV_SERVER" => line.device.provstring.clone(),
            "PROV_PHONE_USER" => line.account.provision_user.clone(),
            "PROV_PHONE_PASS" => line.account.provision_pass.clone(),
            "PROVPASS" => line.account.admin_password.clone(),
            "PROV_PASSWORD" => line.account.urlpass.clone(),
            "PROV_SERVER_URL_CERTIFICATE"
            | "CERTIFICATE"
            | "SETTING_SERVER"
            | "REFRESH_TIMER"
            | "SETTINGS_REFRESH_TIMER"
            | "SRTP" => String::new(),
            "TX" => volume(line.device.tx_volume, (52, 17), (1, 53)),
            "RX" => volume(line.device.rx_volume, (52, 17), (1, 53)),
            _ => return None,
        })
    }
}

fn number(first: u32, index: usize, plus: u32) -> String {
    first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)).saturating_add(plus).to_string()
}

/// Kazoo's gain, in thousandths from -9, in the phone's steps: rounded, half away from zero, within the phone's range.
fn volume(thousandths: i64, (times, by): (i64, i64), (least, most): (i64, i64)) -> String {
    let (n, d) = ((9000 + thousandths) * times, 1000 * by);
    let rounded = if n < 0 { (2 * n - d) / (2 * d) } else { (2 * n + d) / (2 * d) };
    rounded.clamp(least, most).to_string()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn volumes() {
        let snom = |v| volume(v, (7, 13), (1, 8));
        assert_eq!((snom(0), snom(5000), snom(-5000)), ("5".into(), "8".into(), "2".into()));
        assert_eq!((snom(-20_000), snom(40_000)), ("1".into(), "8".into()));
        let yealink = |v| volume(v, (52, 17), (1, 53));
        assert_eq!((yealink(0), yealink(2500), yealink(-2500)), ("28".into(), "35".into(), "20".into()));
        assert_eq!(yealink(1_000_000_000), "53");
    }
}
