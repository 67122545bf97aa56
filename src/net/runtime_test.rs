//! The whole loop on loopback, where something in it goes wrong.

use crate::config::{known_vendors, Config};
use crate::core::agent::Device;
use crate::net::runtime::{DeviceSource, Options, Runtime};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

fn get(port: u16, target: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn status(dir: &Path) -> serde_json::Value {
    let mut stream = UnixStream::connect(dir.join("run/control.sock")).unwrap();
    stream.write_all(b"{\"op\":\"status\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_mistake_in_one_request_ends_that_request_only() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let text = format!(
        "config agent 'main'\n\toption enabled '1'\n\tlist device 'lo'\n\toption pnp '0'\n\toption port '8480'\n\
         \toption upstream 'http://127.0.0.1:9'\n\toption state_dir '{at}/state'\n\toption run_dir '{at}/run'\n\
         config vendor 'snom'\n\toption enabled '1'\n\toption url '{{upstream}}/prov/snom/'\n"
    );
    let mut config = Config::read(&text, "test", &known_vendors()).unwrap().config;
    config.agent.port = 0;
    let lo = Device { name: "lo".into(), index: 1, addresses: vec![(Ipv4Addr::LOCALHOST, 8)] };
    let devices = DeviceSource::Fixed(vec![lo]);
    let options = Options { config, reload: None, devices, sip_port: 0, dhcp_settings: None, signals: None };
    let mut runtime = Runtime::start(options).unwrap();
    let (port, stopper) = (runtime.http_port(), runtime.stopper());
    let thread = std::thread::spawn(move || runtime.run());

    // one whose next request waits behind it, and one who is idle meanwhile
    let mut idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    for _ in 0..5 {
        let answer = get(port, "/a/mistake");
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("a mistake in the agent"), "{answer}");
        assert!(get(port, "/nobody/x").starts_with("HTTP/1.1 404 "));
    }
    write!(idle, "GET /nobody/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    idle.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
    assert_eq!(status(dir.path())["result"]["panics"], 5);
    stopper.stop();
    assert_eq!(thread.join().unwrap(), Ok(()));
}
