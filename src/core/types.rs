//! Words shared by the core, the store and the network.

use crate::proto::mac::Mac;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Seconds since 1970 as the machine's clock has it. A router has no clock after boot: this may jump.
pub type UnixTime = u64;

/// Whose config, and which: the identity of one stored resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Vendor section name.
    pub vendor: String,
    /// The phone it belongs to.
    pub mac: Mac,
    /// The LAN target below `/{vendor}/`, with each MAC of this phone written as `{mac}`: `settings.php?mac={mac}`.
    pub name: String,
}

/// A SHA-256. `Display` writes 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Sha256 {
        use sha2::Digest;
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    /// From 64 hex digits.
    pub fn parse(text: &str) -> Option<Sha256> {
        let mut out = [0u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, byte) in out.iter_mut().enumerate() {
            let pair = text.get(i * 2..i * 2 + 2)?;
            if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Sha256(out))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is known of one stored generation beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationMeta {
    /// 1 for the first, counting up; the highest is the last good.
    pub number: u32,
    /// Of the body.
    pub sha256: Sha256,
    /// Bytes of the body.
    pub size: u64,
    /// When it was stored.
    pub stored_at: UnixTime,
    /// The upstream's validators, for conditional requests.
    pub etag: Option<String>,
    /// As above.
    pub last_modified: Option<String>,
    /// How the phone asked for it, so that it can be asked for again in the background: the LAN target below
    /// `/{vendor}/` as the phone wrote it (no secret in it).
    pub target: String,
    /// The phone's own request headers that go upstream (User-Agent, Accept…).
    pub headers: Vec<(String, String)>,
}

/// What survives a reboot of a phone, beside its configs. Written only when it changes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PhoneRecord {
    /// As `00:04:13:aa:bb:cc`.
    pub mac: String,
    /// Vendor section name.
    pub vendor: String,
    /// As the phone says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// As the phone says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// When it was first seen.
    pub first_seen: UnixTime,
    /// By config name: since when the upstream refuses it, or no longer has it. The grace time begins there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_since: BTreeMap<String, UnixTime>,
    /// What the guard and the admin decided about its configs.
    #[serde(default, skip_serializing_if = "Decided::is_empty")]
    pub decided: Decided,
}

/// What must survive a restart of the guard's and the admin's decisions, by config name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    /// `rollback`: the generation that is served until `accept`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, u32>,
    /// `reject`: SHA-256 of the config that is not wanted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, String>,
    /// Changes of its account that passed, and still count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<String, Changed>,
}

/// A change of an account that passed the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Changed {
    /// Generation before it.
    pub from: u32,
    /// When.
    pub at: UnixTime,
}

impl Decided {
    /// Nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.pinned.is_empty() && self.rejected.is_empty() && self.changed.is_empty()
    }
}

/// One request to the upstream, complete: the client adds nothing but the connection.
#[derive(Clone)]
pub struct FetchJob {
    /// Number that comes back with the result.
    pub id: u64,
    /// Absolute URL with secrets in it: never printed (there is no `Debug` here for that reason).
    pub url: String,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Origins (`https://host:port`, always with port) that a redirect may lead to beside the URL's own.
    pub redirect_origins: Vec<String>,
    /// Largest body that is taken, in bytes.
    pub limit: u64,
    /// For all of it: connect, redirects, head and body. Transfers of shared files have no such bound on the body,
    /// only the stall bound.
    pub timeout: Duration,
    /// Does `timeout` hold for the body too?
    pub body_in_timeout: bool,
}

/// The head of an upstream's answer, after redirects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchHead {
    /// Status code.
    pub status: u16,
    /// Content-Length, when given.
    pub length: Option<u64>,
    /// ETag
    pub etag: Option<String>,
    /// Last-Modified
    pub last_modified: Option<String>,
    /// Content-Type
    pub content_type: Option<String>,
}

/// Why there is no whole answer. `Display` is a clause for admins ("refused the connection"); it names hosts and
/// sizes, never a URL's query, a header's value or a byte of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// No TCP connection: refused, unreachable, or the name has no address.
    Connect(String),
    /// TLS failed: certificate expired, wrong name, unknown CA, or no TLS at all.
    Tls(String),
    /// Nothing came in time. The text names the phase.
    Timeout(&'static str),
    /// The connection ended in the middle.
    Broken(String),
    /// Fewer bytes than announced, or the last chunk missing.
    Truncated {
        /// Bytes that came.
        got: u64,
    },
    /// More bytes than the limit.
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// What came is not HTTP, or its head is larger than [`crate::bounds::UPSTREAM_HEAD`].
    Protocol(String),
    /// A redirect that is not followed: too many, another origin, or no usable Location.
    Redirect(String),
    /// The receiver of the body asked to stop.
    Stopped,
    /// The provisioner in process says no, and why.
    Refused(String),
    /// The provisioner in process cannot read its documents.
    Documents(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Connect(why) => write!(f, "cannot connect: {why}"),
            FetchError::Tls(why) => write!(f, "TLS: {why}"),
            FetchError::Timeout(phase) => write!(f, "no answer in time ({phase})"),
            FetchError::Broken(why) => write!(f, "connection broke: {why}"),
            FetchError::Truncated { got } => write!(f, "answer cut off after {got} bytes"),
            FetchError::TooLarge { limit } => write!(f, "answer larger than {limit} bytes"),
            FetchError::Protocol(why) => write!(f, "not a usable HTTP answer: {why}"),
            FetchError::Redirect(why) => write!(f, "redirect not followed: {why}"),
            FetchError::Stopped => write!(f, "stopped"),
            FetchError::Refused(why) => write!(f, "refused: {why}"),
            FetchError::Documents(why) => write!(f, "the documents: {why}"),
        }
    }
}

impl FetchError {
    /// With another text, where it has one.
    pub fn map_text(self, f: impl FnOnce(String) -> String) -> FetchError {
        match self {
            FetchError::Connect(why) => FetchError::Connect(f(why)),
            FetchError::Tls(why) => FetchError::Tls(f(why)),
            FetchError::Broken(why) => FetchError::Broken(f(why)),
            FetchError::Protocol(why) => FetchError::Protocol(f(why)),
            FetchError::Redirect(why) => FetchError::Redirect(f(why)),
            other => other,
        }
    }

    /// Is the upstream itself out of reach, rather than its answer unusable?
    pub fn is_down(&self) -> bool {
        matches!(
            self,
            FetchError::Connect(_)
                | FetchError::Tls(_)
                | FetchError::Timeout(_)
                | FetchError::Broken(_)
                | FetchError::Documents(_)
        )
    }
}
