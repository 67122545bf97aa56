//! Does what a call asks for, with a store that may let us wait. Not for the loop that answers phones.

use super::orders::{self, account_of, database, device_id, v5_lines, Order, What};
use super::{Call, ACCOUNT};
use crate::proto::mac::Mac;
use crate::provisioner::documents::Documents;
use crate::provisioner::json::Json;
use crate::provisioner::storage::{Storage, StorageError};

/// What is to be done for a call, read and allowed.
pub enum Work {
    /// Is there such a document? What of it is told.
    Look {
        /// Its database.
        database: String,
        /// Its id.
        id: String,
        /// What is told if it is there.
        data: Json,
    },
    /// These documents change, in this order.
    Change(Vec<Order>),
}

/// Database and id of a document, and what it is now.
pub type Touched = (String, String, Option<Json>);

/// What is told to Kazoo, and what has changed.
pub struct Done {
    /// Status code.
    pub status: u16,
    /// Its body.
    pub json: Json,
    /// Documents that may be others now: database, id, and what they are.
    pub touched: Vec<Touched>,
    /// Why not, for the log.
    pub trouble: Option<String>,
}

/// What a call comes to: an answer at once, or work for a store.
pub fn plan(call: Call, documents: &dyn Documents, ids: &dyn Fn(&str) -> Vec<String>) -> Result<Work, Done> {
    match call {
        Call::Search(mac) => Err(match documents.devices(mac).first() {
            Some(device) => done(200, found(&account_of(&device.database), Some(mac))),
            None => failed(404, "no account has a device with this MAC"),
        }),
        Call::Defaults(template) => Err(done(200, template)),
        Call::Look(place) => Ok(Work::Look {
            id: place.mac.map_or(ACCOUNT.to_string(), device_id),
            data: found(&place.account, place.mac),
            database: database(&place.account),
        }),
        call => Ok(Work::Change(orders::of(call, documents, ids))),
    }
}

/// Nothing of a document but whose it is: who asks wants to know whether it is there, and it has passwords in it.
fn found(account: &str, mac: Option<Mac>) -> Json {
    let mut data = Json::Object(vec![("account_id".to_string(), Json::string(account))]);
    if let Some(mac) = mac {
        data.set("mac_address", Json::string(mac.hex()));
    }
    Json::Object(vec![("status".to_string(), Json::Bool(true)), ("data".to_string(), data)])
}

/// Does it. `urlpass` is the password of accounts that came without one.
pub fn perform(work: &Work, storage: &dyn Storage, urlpass: Option<&str>) -> Done {
    match work {
        Work::Look { database, id, data } => match storage.get(database, id) {
            Ok(Some(_)) => done(200, data.clone()),
            Ok(None) => failed(404, "there is no such document"),
            Err(e) => cannot(&e, Vec::new()),
        },
        Work::Change(orders) => {
            let mut touched = Vec::new();
            for order in orders {
                let mut more = Vec::new();
                let mut made = None;
                let changed = storage.update(&order.database, &order.id, &mut |old| {
                    let new = order.apply(old, urlpass);
                    more = match (&order.what, &new) {
                        (What::V5Device(mac, _), Some(new)) => v5_lines(&order.database, *mac, old, new),
                        _ => Vec::new(),
                    };
                    made = new.clone();
                    new
                });
                if let Err(e) = changed {
                    return cannot(&e, touched);
                }
                if made.is_none() && !matches!(order.what, What::Delete) {
                    return failed(404, "there is no such document, and create_if_missing is not set");
                }
                touched.push((order.database.clone(), order.id.clone(), made));
                for order in more {
                    let mut made = None;
                    let changed = storage.update(&order.database, &order.id, &mut |old| {
                        made = order.apply(old, urlpass);
                        made.clone()
                    });
                    if let Err(e) = changed {
                        return cannot(&e, touched);
                    }
                    touched.push((order.database.clone(), order.id.clone(), made));
                }
            }
            let message = Json::string("Document successfully added");
            let json = Json::Object(vec![("status".to_string(), Json::Bool(true)), ("message".to_string(), message)]);
            Done { touched, ..done(200, json) }
        }
    }
}

fn done(status: u16, json: Json) -> Done {
    Done { status, json, touched: Vec::new(), trouble: None }
}

/// As Kazoo reads it: `{"error": {"code": 404, "message": …}}`.
pub fn failed(status: u16, message: &str) -> Done {
    let code = ("code".to_string(), Json::Number(status.to_string()));
    let error = Json::Object(vec![code, ("message".to_string(), Json::string(message))]);
    done(status, Json::Object(vec![("error".to_string(), error)]))
}

fn cannot(error: &StorageError, touched: Vec<Touched>) -> Done {
    let (status, message) = match error {
        StorageError::Name(_) => (400, "a name in it is no document's"),
        StorageError::Failed(_) => (500, "the store cannot take it; the provisioner's log says why"),
        StorageError::Down(_) => (503, "the store cannot be reached"),
    };
    Done { touched, trouble: Some(error.to_string()), ..failed(status, message) }
}
