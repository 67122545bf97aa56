//! CouchDB as a store: several nodes of one cluster, asked one after the other when they are down.
//!
//! [`Index`] is what phones are answered from, in memory; [`sync`] keeps it the same as the databases, in threads of its
//! own. [`Writer`] changes documents.

mod feed;
mod index;
mod sync;
mod writer;

pub use index::Index;
pub use sync::{Phase, Status};
pub use writer::Writer;

use super::client::{Client, Sent, Sink};
use crate::bounds;
use crate::core::types::{FetchError, FetchHead, FetchJob};
use crate::proto::url::segment;
use crate::provisioner::couch::nodes::Node;
use crate::provisioner::couch::rows::Rows;
use crate::provisioner::json::Json;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a row around its document.
const AROUND_DOCUMENT: usize = 64 * 1024;
/// Bytes of the largest answer: a page of the largest documents ends by its time before.
const ANSWER: u64 = 4 * 1024 * 1024 * 1024;

/// The nodes, and which one is asked.
pub struct Cluster {
    client: Client,
    nodes: Vec<Node>,
    current: AtomicUsize,
    /// For a whole answer.
    answer: Duration,
}

/// Why a node has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be reached, or fell silent.
    Down(String),
    /// It said no: the status, and its word for it.
    Status(u16, String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Down(why) => f.write_str(why),
            Trouble::Status(401 | 403, _) => {
                f.write_str("refuses the user; give http://user:password@host:5984 of one who may read every database")
            }
            Trouble::Status(status, word) => write!(f, "answers {status} {word}"),
        }
    }
}

/// What a row came to: the row, or that it is too large.
type Taken<'a> = dyn FnMut(Option<Json>) + 'a;

impl Cluster {
    /// Of these nodes.
    ///
    /// # Errors
    /// There is none, or the client cannot be made.
    pub fn new(nodes: Vec<Node>) -> Result<Cluster, String> {
        if nodes.is_empty() {
            return Err("the store has no node; name one: http://user:password@host:5984".to_string());
        }
        let client = Client::new(None)?.with_stall(Duration::from_secs(bounds::COUCH_SECONDS));
        let answer = Duration::from_secs(bounds::COUCH_ANSWER_SECONDS);
        Ok(Cluster { client, nodes, current: AtomicUsize::new(0), answer })
    }

    /// The nodes in the order in which they are tried now.
    fn order(&self) -> impl Iterator<Item = usize> {
        let (first, count) = (self.current.load(Ordering::Relaxed), self.nodes.len());
        (0..count).map(move |i| (first + i) % count)
    }

    fn url(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |n| n.url.as_str())
    }

    /// Is this node there, and CouchDB, or a server that says what CouchDB says?
    fn hello(&self, node: usize) -> Result<(), Trouble> {
        let seconds = bounds::COUCH_HELLO_SECONDS;
        let (_, around) = self.transfer(node, "/", &Sent::Get, seconds, &mut |_| {})?;
        match around.get("version") {
            Some(_) => Ok(()),
            None => Err(Trouble::Down("is no CouchDB".to_string())),
        }
    }

    /// A request and its answer: the rows one by one, what is around them at the end. Other statuses than 2xx are errors.
    fn ask(&self, node: usize, target: &str, sent: &Sent, rows: &mut Taken<'_>) -> Result<Json, Trouble> {
        self.transfer(node, target, sent, bounds::COUCH_SECONDS, rows).map(|(_, around)| around)
    }

    fn job(&self, node: usize, target: &str, seconds: u64) -> FetchJob {
        let mut headers = vec![("Accept".to_string(), "application/json".to_string())];
        let node = self.nodes.get(node);
        if let Some(authorization) = node.and_then(|n| n.authorization.clone()) {
            headers.push(("Authorization".to_string(), authorization));
        }
        headers.push(("Content-Type".to_string(), "application/json".to_string()));
        FetchJob {
            id: 0,
            url: format!("{}{target}", node.map_or("", |n| n.url.as_str())),
            headers,
            redirect_origins: Vec::new(),
            limit: ANSWER,
            timeout: Duration::from_secs(seconds),
            body_in_timeout: false,
        }
    }

    fn transfer(
        &self,
        node: usize,
        target: &str,
        sent: &Sent,
        seconds: u64,
        rows: &mut Taken<'_>,
    ) -> Result<(u16, Json), Trouble> {
        let mut taking = Taking {
            status: 0,
            rows: Rows::new(usize::try_from(bounds::PROVISIONER_DOCUMENT).unwrap_or(usize::MAX) + AROUND_DOCUMENT),
            each: rows,
            until: Instant::now() + self.answer,
        };
        let job = self.job(node, target, seconds);
        let result = self.client.send(&job, sent, &mut taking);
        let (status, around) = (taking.status, taking.rows.end());
        match result {
            Err(FetchError::Stopped) => {
                return Err(Trouble::Down(format!("no whole answer within {} s", self.answer.as_secs())));
            }
            Err(why) => return Err(Trouble::Down(why.to_string())),
            Ok(_) => {}
        }
        let around = around.and_then(|bytes| Json::parse(&bytes).ok());
        if !(200..300).contains(&status) {
            let word = around.as_ref().and_then(|a| a.get("error")).and_then(Json::text).unwrap_or_default();
            // a word of CouchDB's own, not whatever somebody puts before it
            let plain: String =
                word.chars().filter(|c| c.is_ascii_alphanumeric() || " _-".contains(*c)).take(40).collect();
            return Err(Trouble::Status(status, plain));
        }
        around.map(|around| (status, around)).ok_or_else(|| Trouble::Down("its answer is no JSON".to_string()))
    }
}

/// The path of a list of documents by their ids.
fn all_docs(database: &str) -> String {
    format!("/{}/_all_docs?include_docs=true", segment(database))
}

/// Takes an answer's rows while they arrive.
struct Taking<'a, 'b> {
    status: u16,
    rows: Rows,
    each: &'a mut Taken<'b>,
    until: Instant,
}

impl Sink for Taking<'_, '_> {
    fn head(&mut self, head: &FetchHead) -> bool {
        self.status = head.status;
        true
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let (each, good) = (&mut self.each, (200..300).contains(&self.status));
        self.rows.push(bytes, &mut |row| match row {
            Ok(row) if good => {
                if let Ok(json) = Json::parse(row) {
                    each(Some(json));
                }
            }
            Ok(_) => {}
            Err(_) => each(None),
        });
        Instant::now() < self.until
    }
}

#[cfg(test)]
mod test;
