//! The feed of all databases (`_db_updates`), where a server has one: which database has changed, at once.

use super::sync::{Event, Nudge};
use super::Cluster;
use crate::bounds;
use crate::core::types::FetchHead;
use crate::net::client::{Sent, Sink};
use crate::provisioner::json::Json;
use crate::provisioner::memory::is_read;
use std::sync::Arc;
use std::thread;

/// Milliseconds after which the server says that it is still there.
const HEARTBEAT: u32 = 2000;
/// Bytes of one line: a name, and where in the feed it is.
const LINE: usize = 64 * 1024;

/// Reads the feed of a node, in a thread, until it ends. `turn` goes along with what it tells: a later feed has another.
pub(super) fn start(cluster: Arc<Cluster>, node: usize, turn: u32, nudge: Nudge) {
    let reader = nudge.clone();
    let spawned = thread::Builder::new().name("couch feed".to_string()).spawn(move || {
        let target = format!("/_db_updates?feed=continuous&heartbeat={HEARTBEAT}&since=now");
        let job = cluster.job(node, &target, bounds::COUCH_SECONDS);
        let mut feed = Feed { turn, nudge: reader.clone(), line: Vec::new(), lost: false };
        // why it ended is told by the next request
        let _ = cluster.client.send(&job, &Sent::Get, &mut feed);
        reader.send(Event::FeedEnded(turn));
    });
    if spawned.is_err() {
        nudge.send(Event::FeedEnded(turn));
    }
}

struct Feed {
    turn: u32,
    nudge: Nudge,
    line: Vec<u8>,
    /// Is this line longer than any that is read?
    lost: bool,
}

impl Sink for Feed {
    fn head(&mut self, head: &FetchHead) -> bool {
        head.status == 200 && self.nudge.send(Event::FeedBegun(self.turn))
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        for b in bytes {
            match b {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    if std::mem::take(&mut self.lost) {
                        continue;
                    }
                    if let Some(name) = database(&line) {
                        self.nudge.database(&name);
                    }
                }
                _ if self.line.len() >= LINE => self.lost = true,
                b => self.line.push(*b),
            }
        }
        // nobody listens any more, or to another feed
        self.nudge.is_wanted(self.turn)
    }
}

/// The database that a line is about.
fn database(line: &[u8]) -> Option<String> {
    let json = Json::parse(line).ok()?;
    // CouchDB 1 says `db_name` too, and so did BigCouch's `dbname`
    let name = json.get("db_name").or_else(|| json.get("dbname")).and_then(Json::text)?;
    is_read(name).then(|| name.to_string())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn lines() {
        let name = |line: &str| database(line.as_bytes());
        assert_eq!(name(r#"{"db_name":"account/a","type":"updated","seq":"3-x"}"#).as_deref(), Some("account/a"));
        assert_eq!(name(r#"{"db_name":"_users","type":"updated"}"#), None);
        assert_eq!(name(r#"{"db_name":"account/a-202611","type":"updated"}"#), None);
        assert_eq!(name(""), None);
        assert_eq!(name("{"), None);
    }
}
