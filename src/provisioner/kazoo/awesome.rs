//! `awesome_provisioner`: all of a phone's settings as one document, made by Kazoo from defaults that it asks us for and keeps
//! with the device. What we put into the defaults comes back with the settings, and so tells the model.

use super::{mac, made, object, text, Call, Line, Wrong};
use crate::proto::http::Method;
use crate::provisioner::answer::Query;
use crate::provisioner::json::Json;

/// In the defaults, and in what comes back: what the phone is.
const ENDPOINT: &str = "endpoint";
/// Where the first line's settings are, each as `{"value": …}`.
const LINE: [&str; 4] = ["data", "globals", "globals", "lineloop|line_1"];

/// Reads a call. `file` is what Kazoo put for `{{mac_address}}`.
///
/// # Errors
/// See [`Wrong`].
pub fn read(method: &Method, file: Option<&str>, query: &str, body: &[u8]) -> Result<Call, Wrong> {
    match method {
        Method::Get => {
            let query = Query::read(query);
            match query.get("request") {
                Some("data") => Ok(Call::Defaults(defaults(&query))),
                _ => Err(Wrong::Path),
            }
        }
        Method::Other(m) if m == "POST" => line(mac(file.unwrap_or_default())?, &object(body)?),
        _ => Err(Wrong::Method),
    }
}

fn line(mac: crate::proto::mac::Mac, document: &Json) -> Result<Call, Wrong> {
    let Some(settings) = document.at(&LINE) else { return Err(Wrong::Body("the body has no lineloop|line_1")) };
    let field = |name| text(settings, &[name, "value"]);
    let endpoint = ["brand", "family", "model"].map(|name| text(document, &[ENDPOINT, name]));
    let line = Line {
        form: "awesome",
        realm: field("server_host"),
        label: field("displayname"),
        username: match field("authname") {
            name if name.is_empty() => field("username"),
            name => name,
        },
        password: field("secret"),
        endpoint: endpoint.iter().all(|part| !part.is_empty()).then_some(endpoint),
    };
    if line.realm.is_empty() || line.username.is_empty() {
        return Err(Wrong::Body("lineloop|line_1 has no server_host or no authname"));
    }
    Ok(Call::Line(mac, line))
}

fn defaults(query: &Query) -> Json {
    let given = |name| Json::string(query.get(name).unwrap_or_default());
    let none = || Json::Object(vec![("value".to_string(), Json::string(""))]);
    let settings = ["authname", "username", "secret", "server_host", "displayname"];
    let line = Json::Object(settings.iter().map(|name| (name.to_string(), none())).collect());
    let nested = LINE.iter().rev().fold(line, |inner, name| Json::Object(vec![(name.to_string(), inner)]));
    // Kazoo calls a family `product`
    let endpoint = made([("brand", given("brand")), ("family", given("product")), ("model", given("model"))]);
    let mut out = Json::Object(vec![(ENDPOINT.to_string(), endpoint)]);
    for (name, value) in nested.entries() {
        out.set(name, value.clone());
    }
    out
}
