//! Calls of Kazoo's: read in the loop, and done on a thread of their own, since a store may let us wait.

use crate::bounds;
use crate::core::agent::Asked;
use crate::core::answer::RequestId;
use crate::net::panics::caught;
use crate::proto::http::split_target;
use crate::proto::mac::Mac;
use crate::provisioner::kazoo;
use crate::provisioner::kazoo::perform::{failed, perform, plan, Done, Work};
use crate::provisioner::memory::Memory;
use crate::provisioner::storage::Storage;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{channel, sync_channel, Receiver as Channel, SyncSender};
use std::sync::Arc;
use std::thread;

pub(crate) struct Receiver {
    jobs: SyncSender<Job>,
    done: Channel<Finished>,
    /// A byte comes out of it for each that is finished.
    wake: UnixStream,
}

struct Job {
    id: RequestId,
    from: String,
    mac: Option<Mac>,
    work: Work,
}

/// A call that the store is done with.
pub(crate) struct Finished {
    pub(crate) id: RequestId,
    pub(crate) from: String,
    /// As [`kazoo::Call::mac`].
    pub(crate) mac: Option<Mac>,
    pub(crate) done: Done,
}

impl Receiver {
    pub(crate) fn start(storage: Arc<dyn Storage>, urlpass: Option<String>) -> io::Result<Receiver> {
        let (jobs, take) = sync_channel::<Job>(bounds::KAZOO_QUEUE);
        let (give, done) = channel();
        let (wake, mut raise) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        raise.set_nonblocking(true)?;
        thread::Builder::new().name("kazoo".into()).spawn(move || {
            for Job { id, from, mac, work } in take {
                let done = caught(|| perform(&work, &*storage, urlpass.as_deref()))
                    .unwrap_or_else(|| failed(500, "a mistake in the provisioner (please report it)"));
                if give.send(Finished { id, from, mac, done }).is_err() {
                    return;
                }
                // a full one wakes the loop anyway
                let _ = raise.write(b"x");
            }
        })?;
        Ok(Receiver { jobs, done, wake })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// A call that may be one. `None`: the answer comes later, out of [`Receiver::finished`].
    pub(crate) fn call(
        &self,
        asked: &Asked,
        from: IpAddr,
        path: &[&str],
        body: &[u8],
        documents: &Memory,
    ) -> Option<Done> {
        let query = split_target(&asked.request.target).and_then(|(_, query)| query).unwrap_or_default();
        let call = match kazoo::read(&asked.request.method, path, query, body) {
            Ok(call) => call,
            Err(wrong) => {
                let trouble = Some(wrong.to_string());
                return Some(Done { trouble, ..failed(wrong.status(), &wrong.to_string()) });
            }
        };
        let mac = call.mac();
        let work = match plan(call, documents, &|database| documents.ids(database)) {
            Ok(work) => work,
            Err(done) => return Some(done),
        };
        let job = Job { id: asked.id, from: from.to_string(), mac, work };
        match self.jobs.try_send(job) {
            Ok(()) => None,
            Err(_) => {
                let trouble = Some("too many calls wait for the store".to_string());
                Some(Done { trouble, ..failed(503, "too many calls wait for the store") })
            }
        }
    }

    /// What is finished by now.
    pub(crate) fn finished(&self) -> Vec<Finished> {
        let _ = (&self.wake).read(&mut [0; 256]);
        self.done.try_iter().collect()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::proto::http::{parse_request, Parsed};
    use crate::provisioner::json::Json;
    use crate::provisioner::storage::{Change, StorageError};
    use std::sync::Mutex;

    /// A store that hangs until it is let go.
    struct Hanging(Arc<Mutex<()>>);

    impl Storage for Hanging {
        fn get(&self, _: &str, _: &str) -> Result<Option<Json>, StorageError> {
            drop(self.0.lock().unwrap());
            Ok(None)
        }

        fn update(
            &self,
            _: &str,
            _: &str,
            _: &mut dyn FnMut(Option<&Json>) -> Option<Json>,
        ) -> Result<Change, StorageError> {
            Err(StorageError::Down("it hangs".to_string()))
        }
    }

    #[test]
    fn calls_wait_for_the_store_within_bounds() {
        let hangs = Arc::new(Mutex::new(()));
        let receiver = Receiver::start(Arc::new(Hanging(hangs.clone())), None).unwrap();
        let text = b"GET /kazoo/api/accounts/a HTTP/1.1\r\nHost: h\r\n\r\n";
        let Ok(Parsed::Whole { request, .. }) = parse_request(text) else { panic!() };
        let from = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1);
        let call = |id| {
            let asked = Asked { id, device: 0, from, request: request.clone() };
            receiver.call(&asked, IpAddr::V4(*from.ip()), &["api", "accounts", "a"], b"", &Memory::default())
        };
        let hold = hangs.lock().unwrap();
        // one is under way
        let most = bounds::KAZOO_QUEUE as u32 + 1;
        let refused: Vec<u16> = (0..most + 2).filter_map(|id| call(id).map(|done| done.status)).collect();
        assert!((2..=3).contains(&refused.len()) && refused.iter().all(|s| *s == 503), "{refused:?}");
        drop(hold);
        let mut finished = 0;
        while finished < most as usize - (refused.len() - 2) {
            finished += receiver.finished().iter().filter(|f| f.done.status == 404).count();
        }
    }
}
