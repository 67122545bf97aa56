//! The provisioner over CouchDB: nodes that die, documents that change, and how much it takes. The nodes are `server.js`; for figures with a thousand
//! accounts and for feeds that it does not have, [`standin`].
#![cfg(feature = "provisioner")]

mod figures;
mod nodes;
mod server;
mod standin;
mod verbs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_phoneprov");

/// A running provisioner, and its log so far.
struct Provisioner {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Provisioner {
    /// On this store, which is told by the environment: no list of processes has it.
    fn start(store: &str) -> Provisioner {
        let mut child = Command::new(BINARY)
            .args(["provisioner", "--listen", "127.0.0.1:0"])
            .env("PHONEPROV_STORE", store)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let into = log.clone();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line)));
        let mut out = Provisioner { child, address: String::new(), log };
        let line = out.said(" at http://", Duration::from_secs(120));
        out.address = line.split_once(" at http://").unwrap().1.trim().to_string();
        out
    }

    /// Waits for a line of the log.
    fn said(&self, part: &str, most: Duration) -> String {
        let until = Instant::now() + most;
        loop {
            if let Some(line) = self.log.lock().unwrap().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(Instant::now() < until, "'{part}' is not in the log:\n{}", self.log.lock().unwrap().join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The configuration of snom number `n`.
    fn get(&self, n: usize) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let host = &self.address;
        write!(
            stream,
            "GET /prov/snom/settings.php?mac={}&pass=right HTTP/1.1\r\nHost: {host}\r\nUser-Agent: snom320\r\nConnection: close\r\n\r\n",
            mac(n)
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mac(n: usize) -> String {
    format!("000413{n:06x}")
}

/// The name of account `n`'s database, as Kazoo makes them.
fn database(n: usize) -> String {
    let id = format!("{n:032x}");
    format!("account/{}/{}/{}", &id[30..], &id[28..30], &id[..28])
}

const ACCOUNT: &str =
    r#"{"pvt_type":"account","realm":"a.example","provision":{"provision_enabled":true,"urlpass":"right"}}"#;

fn device(n: usize, password: &str) -> String {
    format!(
        r#"{{"pvt_type":"device","mac_address":"{}","owner_id":"u{n}","pvt_account_id":"acc","sip":{{"username":"user{n}","password":"{password}"}},"provision":{{"endpoint_brand":"snom","endpoint_family":"3xx","endpoint_model":"320","feature_keys":{{"1":{{"type":"presence","value":"u{n}"}}}}}}}}"#,
        mac(n)
    )
}

fn user(n: usize) -> String {
    format!(
        r#"{{"pvt_type":"user","first_name":"Anna","last_name":"Muster {n}","presence_id":"{n}","timezone":"Europe/Zurich"}}"#
    )
}
