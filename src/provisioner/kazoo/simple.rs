//! `simple_provisioner`: a form with one line of one phone.

use super::{mac, Call, Line, Wrong};
use crate::proto::http::Method;
use crate::provisioner::answer::Query;

/// Reads the form.
///
/// # Errors
/// See [`Wrong`].
pub fn read(method: &Method, body: &[u8]) -> Result<Call, Wrong> {
    if !matches!(method, Method::Other(m) if m == "POST") {
        return Err(Wrong::Method);
    }
    let text = std::str::from_utf8(body).map_err(|_| Wrong::Body("the body is no form"))?;
    let form = Query::read(text.trim());
    let field = |name| form.get(name).unwrap_or_default().to_string();
    let line = Line {
        form: "simple",
        realm: field("sip[realm]"),
        label: field("device[label]"),
        username: field("sip[username]"),
        password: field("sip[password]"),
        endpoint: None,
    };
    if line.realm.is_empty() || line.username.is_empty() {
        return Err(Wrong::Body("the form has no sip[realm] or no sip[username]"));
    }
    Ok(Call::Line(mac(form.get("device[mac]").unwrap_or_default())?, line))
}
