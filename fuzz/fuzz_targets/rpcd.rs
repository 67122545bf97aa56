//! What a web page can send, and what lies in the folder of jobs: the first byte picks the method, the rest are its arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::config::{known_vendors, public};
use phoneprov::openwrt::rpcd::answer::fit;
use phoneprov::openwrt::rpcd::args::Args;
use phoneprov::openwrt::rpcd::check::Check;
use phoneprov::openwrt::rpcd::job::{order, read_order, Report};
use phoneprov::openwrt::rpcd::table::{How, METHODS};

fuzz_target!(|input: &[u8]| {
    let Some((pick, rest)) = input.split_first() else { return };
    let method = &METHODS[usize::from(*pick) % METHODS.len()];
    match Args::parse(method, rest) {
        Ok(args) => {
            let again = Args::parse(method, args.to_json().to_string().as_bytes());
            assert_eq!(again.as_ref(), Ok(&args), "what was read is read again as the same");
            if method.how != How::Here {
                // a request of the agent is one line, which it takes
                let request = args.request(method.name).to_string();
                assert!(request.len() <= phoneprov::bounds::CONTROL_REQUEST && !request.contains('\n'));
            }
            if method.how == How::Job {
                let (read, kept) = read_order(order(method, &args).as_bytes()).expect("an order of ours");
                assert!(read.name == method.name && kept == args);
            }
            if method.name == "check" {
                if let Some(answer) = Check::of(&args).ok().and_then(|c| c.answer(&known_vendors())) {
                    assert!(answer["ok"].is_boolean() && fit(answer).is_object());
                }
            }
        }
        Err(why) => assert!(!why.is_empty() && why.len() < 300 && !why.contains('\n')),
    }
    let _ = read_order(rest);
    if let Some(report) = Report::read(rest) {
        assert_eq!(Report::read(report.write().as_bytes()), Some(report));
    }
    // a config with a password that stands nowhere else by chance
    if let Ok(text) = std::str::from_utf8(rest) {
        const SECRET: &str = "Zq7-secret";
        if let Ok(shown) = public(&format!("{text}\nconfig agent 'main'\n\toption provpass '{SECRET}'\n")) {
            assert!(!shown.to_string().contains(SECRET));
        }
    }
});
