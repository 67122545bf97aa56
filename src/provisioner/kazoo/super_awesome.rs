//! `super_awesome_provisioner`, which kazoo-provision's own installer sets: a resource for each account and each device, asked
//! for by GET, and then replaced by POST or made by PUT. The whole URL comes in lower case.

use super::{account, mac, object, Call, Place, Wrong};
use crate::proto::http::Method;

/// Reads what stands behind `api/accounts`: `ID`, `ID/MAC`.
///
/// # Errors
/// See [`Wrong`].
pub fn read(method: &Method, path: &[&str], body: &[u8]) -> Result<Call, Wrong> {
    let place = match path {
        [id] => Place { account: account(id)?, mac: None },
        [id, device] => Place { account: account(id)?, mac: Some(mac(device)?) },
        _ => return Err(Wrong::Path),
    };
    match method {
        Method::Get => Ok(Call::Look(place)),
        Method::Other(m) if m == "PUT" => Ok(Call::Put(place, object(body)?)),
        // {"provider_id", "name", "settings": the document}
        Method::Other(m) if m == "POST" => match object(body)?.get("settings") {
            Some(document) if !document.entries().is_empty() => Ok(Call::Put(place, document.clone())),
            _ => Err(Wrong::Body("the body has no object 'settings'")),
        },
        Method::Other(m) if m == "DELETE" => Ok(Call::Delete(place)),
        _ => Err(Wrong::Method),
    }
}
