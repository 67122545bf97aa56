//! Does what the agent says.

use super::Runtime;
use crate::core::agent::{Action, Asked};
use crate::core::answer::{Answer, Body, StreamId};
use crate::core::now::Now;
use crate::net::compare::Order;
use crate::net::disk::Write;
use crate::net::http::{Source, Unserved};
use crate::net::stream::Stream;
use crate::net::{fetch, neighbours};
use crate::proto::url;
use crate::store::StoreError;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::{Arc, Weak};

impl Runtime {
    /// One action; a request that must be asked again goes into `asked`.
    pub(super) fn act(&mut self, action: Action, asked: &mut Vec<Asked>, now: Now) {
        match action {
            Action::Sip { device, to, bytes } => {
                let Some(Some(socket)) = self.sip.get(device) else { return };
                if let Err(e) = socket.send_to(&bytes, to) {
                    log::debug!("pnp: cannot send to {to}: {e}");
                }
            }
            Action::Dhcp { device, to_mac, from, to, payload } => {
                let Some(Some(tap)) = self.dhcp.taps().get(device) else { return };
                if let Err(e) = tap.send(to_mac, from, to, &payload) {
                    log::debug!("dhcp: cannot send to {to}: {e}");
                }
            }
            Action::Resolve { device, ip } => {
                let Some(device) = self.devices.get(device) else { return };
                if let Some(own) = device.address_for(ip) {
                    neighbours::resolve(&device.name, own, ip);
                }
            }
            Action::Answer(id, answer) => {
                let config = self.agent.config();
                let port = config.agent.port;
                let rewrite = |(vendor, mac), local, body: &[u8]| {
                    if !config.agent.rewrite {
                        return None;
                    }
                    let router = SocketAddrV4::new(local, port);
                    url::rewrite(body, &self.agent.mappings(vendor), router, &self.agent.url_values(mac))
                };
                let source = Source { store: &self.store, streams: &self.streams, rewrite: &rewrite };
                let result = self.server.answer(id, &answer, &mut self.bodies, &source, now.mono, asked);
                match (result.map_err(|failed| *failed), &answer.body) {
                    (Err((again, Unserved::Missed(stream))), _) => {
                        self.agent.stream_missed(stream);
                        asked.push(again);
                    }
                    // it is damaged, or was removed behind our back: what is before it may serve
                    (
                        Err((again, Unserved::Unreadable(e @ (StoreError::Damaged(_) | StoreError::NotFound)))),
                        Body::Stored(key, number),
                    ) => {
                        self.bodies.forget(Some(key.mac));
                        self.agent.unreadable(key, *number, &e.to_string(), now);
                        asked.push(again);
                    }
                    // of the moment (no descriptor, no memory): the generation is still good
                    (Err((again, Unserved::Unreadable(e))), _) => {
                        log::warn!("store: {e}");
                        let sorry = Answer::error(503, "the stored config cannot be read just now");
                        let source = Source { store: &self.store, streams: &self.streams, rewrite: &rewrite };
                        let _ = self.server.answer(again.id, &sorry, &mut self.bodies, &source, now.mono, asked);
                    }
                    (Ok(()), _) => {}
                }
            }
            Action::Fetch { job, vendor, file } => {
                fetch::config(self.upstream.clone(), job, vendor, file, self.mailbox.post());
            }
            Action::FetchShared { job, stream, keep } => {
                let bytes = Stream::new(self.mailbox.post());
                self.streams.insert(stream, bytes.clone());
                let arriving = self.arriving.clone();
                fetch::shared(self.upstream.clone(), job, bytes, keep, arriving, self.mailbox.post());
            }
            Action::DropStream(id) => self.release(id),
            Action::Store(key, meta, body) => {
                let agent = &self.agent.config().agent;
                let (history, cache_max) = (agent.history, agent.cache_max);
                self.disk.write(Write::Generation { key, meta, body, history, cache_max });
            }
            Action::Candidate(key, meta, body) => {
                let cache_max = self.agent.config().agent.cache_max;
                self.disk.write(Write::Candidate { key, meta, body, cache_max });
            }
            Action::DropCandidate(key) => self.disk.write(Write::DropCandidate(key)),
            Action::Accept(key, meta) => {
                let agent = &self.agent.config().agent;
                let (history, cache_max) = (agent.history, agent.cache_max);
                self.disk.write(Write::Accept { key, meta, history, cache_max });
            }
            Action::DropNewer(key, number) => {
                self.bodies.forget(Some(key.mac)); // these numbers will be given again
                self.disk.write(Write::DropNewer(key, number));
            }
            Action::PutPhone(record) => self.disk.write(Write::Phone(record)),
            Action::Expire(key) => {
                self.bodies.forget(Some(key.mac));
                self.disk.write(Write::Expire(key));
            }
            Action::Forget(mac) => {
                self.bodies.forget(mac);
                self.disk.write(Write::Forget(mac));
            }
            Action::Control(id, value) => self.control.answer(id, &value, now.mono),
            Action::ControlCompared(id, answer, wanted, secret) => {
                let order = Order { id, answer, wanted, secret };
                self.comparing.start(self.store.clone(), order, self.mailbox.post());
            }
            Action::ControlWritten(id, value) => self.disk.write(Write::Then(id, value)),
        }
    }

    /// A shared file goes, for its readers too where those who read slowly would keep more of such files in RAM than
    /// are kept in all.
    fn release(&mut self, id: StreamId) {
        let Some(stream) = self.streams.remove(&id) else { return };
        stream.release();
        self.released.retain(|s| s.strong_count() > 0);
        self.released.push_back(Arc::downgrade(&stream));
        drop(stream);
        let held =
            |all: &VecDeque<Weak<Stream>>| -> u64 { all.iter().filter_map(Weak::upgrade).map(|s| s.held()).sum() };
        while held(&self.released) > self.agent.config().agent.shared_max {
            let Some(oldest) = self.released.pop_front() else { return };
            if let Some(stream) = oldest.upgrade() {
                stream.fail();
            }
        }
    }
}
