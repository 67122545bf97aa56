//! What Kazoo tells a provisioner: devices and accounts that were saved, changed or removed, in the four forms that it knows
//! ([`super_awesome`], [`awesome`], [`simple`], [`v5`]).
//!
//! [`access`] says who may. A [`Call`] is read from one request, without a clock or a socket; [`orders`] says which documents that
//! changes, and how; [`perform`] does it. All documents of an account are in the database `account/ID`: the account itself
//! is `account`, a device `device-MAC`, a user `user-ID`. None has `_id`, so that an id in what was sent can never take
//! another document's place.

pub mod access;
pub mod awesome;
pub mod orders;
pub mod perform;
pub mod simple;
pub mod super_awesome;
pub mod v5;

use super::json::Json;
use crate::bounds;
use crate::proto::http::Method;
use crate::proto::mac::Mac;
use std::fmt;

/// The path of all calls begins so.
pub const PREFIX: &str = "/kazoo/";

/// The id of an account's document in its database.
pub const ACCOUNT: &str = "account";

/// One call. No `Debug`: there are passwords in it.
pub enum Call {
    /// Is this document there?
    Look(Place),
    /// This document, in place of what there may be.
    Put(Place, Json),
    /// These changes to a document.
    Merge(Place, v5::Changes),
    /// A phone's one line, of an account that is known by its realm only.
    Line(Mac, Line),
    /// A document, or an account with all that it has, is gone.
    Delete(Place),
    /// Whose is this MAC?
    Search(Mac),
    /// What a phone's settings are before anything is known of it.
    Defaults(Json),
}

impl Call {
    /// The phone whose settings it changes; `None`: of a whole account.
    pub fn mac(&self) -> Option<Mac> {
        match self {
            Call::Look(place) | Call::Put(place, _) | Call::Merge(place, _) | Call::Delete(place) => place.mac,
            Call::Line(mac, _) | Call::Search(mac) => Some(*mac),
            Call::Defaults(_) => None,
        }
    }
}

/// What a call is about.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// Id of an account.
    pub account: String,
    /// One of its devices; `None` is the account itself.
    pub mac: Option<Mac>,
}

/// A phone's line, as [`awesome`] and [`simple`] have it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Which form it came in: lines of the two are kept apart.
    pub form: &'static str,
    /// The account.
    pub realm: String,
    /// For people.
    pub label: String,
    /// Of the SIP account.
    pub username: String,
    /// Of the SIP account.
    pub password: String,
    /// `endpoint_brand`, `_family`, `_model`, where they are known.
    pub endpoint: Option<[String; 3]>,
}

/// Why a call is none. `Display` is a sentence for the log and for Kazoo, without anything of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such call.
    Path,
    /// The path is right, and this method is none of its.
    Method,
    /// An account's id that is none.
    Account,
    /// A MAC that is none.
    Mac,
    /// A body that is not what this call has.
    Body(&'static str),
}

impl Wrong {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Wrong::Path => 404,
            Wrong::Method => 405,
            Wrong::Account | Wrong::Mac | Wrong::Body(_) => 400,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::Path => "there is no such call of Kazoo's",
            Wrong::Method => "this call has another method",
            Wrong::Account => "the account's id in the URL is none: it has lower-case letters, digits and _",
            Wrong::Mac => "there is no MAC where one must be",
            Wrong::Body(why) => why,
        })
    }
}

/// Reads a call: the path behind [`PREFIX`] and the token, in its segments.
///
/// # Errors
/// See [`Wrong`].
pub fn read(method: &Method, path: &[&str], query: &str, body: &[u8]) -> Result<Call, Wrong> {
    match path {
        ["api", "accounts", rest @ ..] => super_awesome::read(method, rest, body),
        ["awesome"] => awesome::read(method, None, query, body),
        ["awesome", mac] => awesome::read(method, Some(mac), query, body),
        ["simple"] => simple::read(method, body),
        ["accounts" | "devices", ..] => v5::read(method, path, body),
        _ => Err(Wrong::Path),
    }
}

/// Is this the first segment of a call, not a token?
pub fn is_call(segment: &str) -> bool {
    ["api", "awesome", "simple", "accounts", "devices"].contains(&segment)
}

/// An account's id, which becomes a part of a database's name.
fn account(text: &str) -> Result<String, Wrong> {
    let id = text.to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    match !id.is_empty() && id.len() <= bounds::KAZOO_ID && id.bytes().all(plain) {
        true => Ok(id),
        false => Err(Wrong::Account),
    }
}

fn mac(text: &str) -> Result<Mac, Wrong> {
    Mac::parse(text).ok_or(Wrong::Mac)
}

fn object(body: &[u8]) -> Result<Json, Wrong> {
    match Json::parse(body) {
        Ok(json @ Json::Object(_)) => Ok(json),
        _ => Err(Wrong::Body("the body is no JSON object")),
    }
}

/// The text at this path, or nothing.
fn text(json: &Json, path: &[&str]) -> String {
    json.at(path).and_then(Json::text).unwrap_or_default().to_string()
}

/// An object of these members, without those that are empty texts.
fn made<const N: usize>(members: [(&str, Json); N]) -> Json {
    let there = |(_, value): &(&str, Json)| !matches!(value, Json::Null) && value.text() != Some("");
    Json::Object(members.into_iter().filter(there).map(|(k, v)| (k.to_string(), v)).collect())
}

#[cfg(test)]
mod test;
