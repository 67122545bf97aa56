//! The provisioner of this program as the agent's upstream: `option upstream 'file:///…'`. It is asked on the fetch
//! threads, as a server is, and what it says goes the same way.

use super::client::Sink;
use crate::bounds;
use crate::config::{Secret, IN_PROCESS};
use crate::core::types::{FetchError, FetchHead, FetchJob};
use crate::proto::http::{BodyKind, Method, Request};
use crate::proto::url::Parts;
use crate::provisioner::answer::{Outcome, Provisioner, Refusal};
use crate::provisioner::folder::{Folder, Looked};
use crate::provisioner::shared;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes of a file that are handed on at a time.
const CHUNK: usize = 16 * 1024;

pub(crate) struct InProcess {
    root: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// None before the first request, and as long as the folder cannot be read.
    folder: Option<Folder>,
    looked: Looked,
    provisioner: Provisioner,
}

impl InProcess {
    /// With the documents in this folder, and this password for all that is asked.
    pub(crate) fn new(folder: &Path, pass: Secret) -> InProcess {
        let provisioner = Provisioner::in_process(pass.expose());
        let state = State { folder: None, looked: Looked::default(), provisioner };
        InProcess { root: folder.to_path_buf(), state: Mutex::new(state) }
    }

    /// Path and query of a URL that is for the provisioner in process.
    pub(crate) fn target(url: &str) -> Option<&str> {
        let parts = Parts::parse(url)?;
        (parts.origin() == Parts::parse(IN_PROCESS)?.origin()).then_some(parts.target)
    }

    /// Answers, from the documents as they are in the folder now.
    pub(crate) fn fetch(&self, target: &str, job: &FetchJob, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        let host = Parts::parse(IN_PROCESS).map(|p| p.host_header()).unwrap_or_default();
        let other = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("host");
        let mut headers: Vec<(String, String)> = job.headers.iter().filter(other).cloned().collect();
        headers.push(("Host".to_string(), host));
        let request = Request {
            method: Method::Get,
            target: target.to_string(),
            authority: None,
            http11: true,
            headers,
            keep_alive: true,
            body: BodyKind::None,
        };
        let answer = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.look(&self.root)?;
            let State { folder: Some(folder), provisioner, .. } = &mut *state else {
                return Err(FetchError::Documents("they are not read yet".to_string()));
            };
            // a disk that is not mounted, or a folder in the wrong place: no decision about any phone
            if folder.documents().counts().devices == 0 {
                return Err(FetchError::Documents(format!("{}: there is no device in it", self.root.display())));
            }
            // a phone is answered as often as it asks, so the time is of no account
            provisioner.answer(&request, folder.documents(), Duration::ZERO)
        };
        match &answer.outcome {
            Outcome::Refused(_, why) => return Err(refused(why)),
            Outcome::File(path) => return self.file(path, job, sink),
            _ => {}
        }
        let head = FetchHead {
            status: answer.status,
            length: Some(answer.body.len() as u64),
            content_type: answer.headers.iter().find(|(n, _)| *n == "Content-Type").map(|(_, v)| v.clone()),
            ..FetchHead::default()
        };
        if answer.body.len() as u64 > job.limit {
            return Err(FetchError::TooLarge { limit: job.limit });
        }
        if !sink.head(&head) {
            return Err(FetchError::Stopped);
        }
        for chunk in answer.body.chunks(CHUNK) {
            if !sink.chunk(chunk) {
                return Err(FetchError::Stopped);
            }
        }
        Ok(head)
    }

    fn file(&self, path: &str, job: &FetchJob, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        let Some(mut opened) = shared::open(&self.root.join(shared::FOLDER), path) else {
            let head = FetchHead { status: 404, length: Some(0), ..FetchHead::default() };
            let _ = sink.head(&head);
            return Ok(head);
        };
        if opened.size > job.limit {
            return Err(FetchError::TooLarge { limit: job.limit });
        }
        let head = FetchHead {
            status: 200,
            length: Some(opened.size),
            etag: Some(opened.etag),
            content_type: Some(shared::CONTENT_TYPE.to_string()),
            ..FetchHead::default()
        };
        if !sink.head(&head) {
            return Err(FetchError::Stopped);
        }
        let mut buffer = vec![0; CHUNK];
        let mut got = 0u64;
        while got < opened.size {
            let most = usize::try_from(opened.size - got).unwrap_or(CHUNK).min(CHUNK);
            let n = opened.file.read(buffer.get_mut(..most).unwrap_or_default());
            match n.map_err(|e| FetchError::Broken(format!("{path}: {e}")))? {
                0 => return Err(FetchError::Truncated { got }),
                n if sink.chunk(buffer.get(..n).unwrap_or_default()) => got += n as u64,
                _ => return Err(FetchError::Stopped),
            }
        }
        Ok(head)
    }
}

impl State {
    /// Takes in what has changed in the folder: all of it where it is small, or else its next files.
    fn look(&mut self, root: &Path) -> Result<(), FetchError> {
        match &mut self.folder {
            Some(folder) => {
                if !folder.look(bounds::PROVISIONER_WATCH, &mut self.looked) {
                    return Ok(());
                }
            }
            None => {
                let (folder, looked) = Folder::open(root).map_err(FetchError::Documents)?;
                let counts = folder.documents().counts();
                log::info!("documents: {}: {} devices, {} accounts", root.display(), counts.devices, counts.accounts);
                (self.folder, self.looked) = (Some(folder), looked);
            }
        }
        for trouble in std::mem::take(&mut self.looked).troubles {
            log::warn!("documents: {trouble}");
        }
        Ok(())
    }
}

/// A template with a mistake is no decision about the phone.
fn refused(why: &Refusal) -> FetchError {
    match why {
        Refusal::NoTemplate(_) | Refusal::BadTemplate(..) => FetchError::Protocol(why.to_string()),
        _ => FetchError::Refused(why.to_string()),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    struct All(Vec<u8>);

    impl Sink for All {
        fn head(&mut self, _: &FetchHead) -> bool {
            true
        }

        fn chunk(&mut self, bytes: &[u8]) -> bool {
            self.0.extend_from_slice(bytes);
            true
        }
    }

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn office(root: &Path, sip: &str) {
        let account = r#"{"_id":"acc","pvt_type":"account","realm":"office.example",
            "provision":{"provision_enabled":true,"urlpass":"right"}}"#;
        put(root, "account/office/account.json", account);
        for (brand, family, model, mac) in [
            ("snom", "3xx", "320", "000413aabb01"),
            ("mitel", "67xx", "6731", "00085daabb02"),
            ("yealink", "t4x", "t46g", "001565aabb03"),
        ] {
            let device = format!(
                r#"{{"pvt_type":"device","mac_address":"{mac}","pvt_account_id":"acc",
                "sip":{{"username":"{brand}1","password":"{sip}"}},"provision":{{
                "endpoint_brand":"{brand}","endpoint_family":"{family}","endpoint_model":"{model}"}}}}"#
            );
            put(root, &format!("account/office/{brand}.json"), &device);
        }
    }

    fn get(upstream: &InProcess, target: &str, agent: &str) -> Result<(FetchHead, String), FetchError> {
        let job = FetchJob {
            id: 1,
            url: format!("{IN_PROCESS}{target}"),
            headers: vec![("User-Agent".to_string(), agent.to_string())],
            redirect_origins: Vec::new(),
            limit: 1 << 20,
            timeout: Duration::from_secs(1),
            body_in_timeout: true,
        };
        let mut all = All(Vec::new());
        let target = InProcess::target(&job.url).unwrap().to_string();
        let head = upstream.fetch(&target, &job, &mut all)?;
        Ok((head, String::from_utf8(all.0).unwrap()))
    }

    const PHONES: [(&str, &str); 3] = [
        ("/prov/snom/settings.php?mac=000413AABB01", "snom320-SIP 8.7.5.35"),
        ("/prov/mitel/00085DAABB02.cfg", "Aastra6731i MAC:00-08-5D-AA-BB-02 V:3.2.2"),
        ("/prov/yealink/001565aabb03.cfg", "Yealink SIP-T46G 28.83.0.1 00:15:65:aa:bb:03"),
    ];

    #[test]
    fn phones_of_all_brands_with_the_password_and_at_once_after_a_change() {
        let dir = tempfile::tempdir().unwrap();
        office(dir.path(), "first");
        let upstream = InProcess::new(dir.path(), Secret::new("right"));
        for (target, agent) in PHONES {
            let (head, body) = get(&upstream, target, agent).unwrap();
            assert!(head.status == 200 && body.contains("first"), "{target}: {body}");
            // a URL that has the password, as snom's, or another one: it is the config's that counts
            let with = format!("{target}{}pass=other", if target.contains('?') { "&" } else { "?" });
            assert_eq!(get(&upstream, &with, agent).unwrap().1, body);
        }
        office(dir.path(), "second, which is longer");
        for (target, agent) in PHONES {
            assert!(get(&upstream, target, agent).unwrap().1.contains("second"), "{target}");
        }
        std::fs::remove_file(dir.path().join("account/office/snom.json")).unwrap();
        let (target, agent) = PHONES[0];
        assert_eq!(get(&upstream, target, agent), Err(FetchError::Refused("no device has this MAC".into())));
        let missing = get(&upstream, "/prov/mitel/security.tuz", PHONES[1].1).unwrap();
        assert_eq!(missing.0.status, 404);
    }

    #[test]
    fn what_it_refuses_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let (target, agent) = PHONES[0];
        let none = InProcess::new(&dir.path().join("none"), Secret::new("right"));
        let error = get(&none, target, agent).unwrap_err();
        assert!(error.is_down() && error.to_string().contains("none: cannot read this folder"), "{error}");
        std::fs::create_dir(dir.path().join("none")).unwrap();
        let error = get(&none, target, agent).unwrap_err();
        assert!(error.is_down() && error.to_string().contains("there is no device in it"), "{error}");
        // and is there as soon as it can be read
        office(&dir.path().join("none"), "x");
        assert!(get(&none, target, agent).is_ok());
        office(dir.path(), "x");
        for wrong in ["wrong", ""] {
            let upstream = InProcess::new(dir.path(), Secret::new(wrong));
            for (target, agent) in PHONES {
                let with = format!("{target}{}pass=right", if target.contains('?') { "&" } else { "?" });
                let error = get(&upstream, &with, agent).unwrap_err();
                assert_eq!(error, FetchError::Refused("wrong password".into()));
            }
        }
        put(
            dir.path(),
            "brand_provisioner/ui/snom/3xx/320.json",
            r#"{"pvt_generator":"json2xml","cfg_base":{"a b":1}}"#,
        );
        let upstream = InProcess::new(dir.path(), Secret::new("right"));
        assert!(matches!(get(&upstream, target, agent), Err(FetchError::Protocol(why)) if why.contains("template")));
        assert_eq!(InProcess::target("http://provisioner.invalid.example/x"), None);
    }

    #[test]
    fn files_of_a_brand() {
        let dir = tempfile::tempdir().unwrap();
        office(dir.path(), "x");
        put(dir.path(), "files/mitel/lang_de.txt", &"wort\n".repeat(10_000));
        let upstream = InProcess::new(dir.path(), Secret::new("right"));
        let (head, body) = get(&upstream, "/prov/mitel/lang_de.txt", PHONES[1].1).unwrap();
        assert_eq!((head.status, head.length, body.len()), (200, Some(50_000), 50_000));
        for no in ["/prov/mitel/lang_fr.txt", "/prov/mitel/../../account/office/account.json"] {
            assert_eq!(get(&upstream, no, PHONES[1].1).unwrap().0.status, 404, "{no}");
        }
    }
}
