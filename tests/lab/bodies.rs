//! Configs of realistic shape, each with a secret in it that must not be seen outside of itself.

/// The SIP password in every config here.
pub const SIP_PASSWORD: &str = "S1P-PASSWORD-MARK";
/// `option provpass` of every lab.
pub const PROVPASS: &str = "PR0VPASS-MARK";
/// In every page of an upstream that says an error: a phone must never get to see it.
pub const ERROR_PAGE: &str = "UPSTREAM-ERROR-PAGE-MARK";

/// Bytes of a body. A failed test shows how they begin, not all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl std::ops::Deref for Body {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl From<Body> for Vec<u8> {
    fn from(body: Body) -> Vec<u8> {
        body.0
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = String::from_utf8_lossy(&self.0[..self.0.len().min(160)]).into_owned();
        write!(f, "{} bytes, sha256 {}, {begin:?}", self.0.len(), &sha256(&self.0)[..12])
    }
}

/// A snom XML config of about `size` bytes. `tag` tells generations apart.
pub fn snom(mac: &str, tag: &str, size: usize) -> Body {
    let mut s = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<settings>\n <phone-settings>\n  <phone_name perm=\"RW\">{mac} {tag}</phone_name>\n  \
         <user_host idx=\"1\" perm=\"\">sip.example.test</user_host>\n  <user_name idx=\"1\" perm=\"\">user_{mac}</user_name>\n  \
         <user_pass idx=\"1\" perm=\"\">{SIP_PASSWORD}</user_pass>\n"
    );
    let end = " </phone-settings>\n</settings>\n";
    let mut i = 0;
    while s.len() + end.len() + 60 < size {
        s.push_str(&format!("  <fkey idx=\"{i}\" context=\"active\" perm=\"R\">blf sip:2{i:03}</fkey>\n"));
        i += 1;
    }
    s.push_str(end);
    Body(s.into_bytes())
}

/// A Mitel config of about `size` bytes.
pub fn mitel(mac: &str, tag: &str, size: usize) -> Body {
    let mut s = format!(
        "# {tag}\ndownload protocol: HTTP\nsip line1 auth name: user_{mac}\nsip line1 password: {SIP_PASSWORD}\n\
         sip line1 user name: user_{mac}\nsip registrar ip: sip.example.test\nsip screen name: {tag}\n"
    );
    let mut i = 1;
    while s.len() + 60 < size {
        s.push_str(&format!("softkey{i} type: blf\nsoftkey{i} value: 2{i:03}\n"));
        i += 1;
    }
    Body(s.into_bytes())
}

/// A page that says an error, as upstreams of all kinds do.
pub fn error_page() -> Vec<u8> {
    format!("<!DOCTYPE html>\n<html><head><title>Oops</title></head><body><h1>{ERROR_PAGE}</h1></body></html>\n")
        .into_bytes()
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
