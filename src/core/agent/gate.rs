//! What is turned away before anybody looks at what it asks for: too many requests, web pages, other names.

use super::{Agent, Asked};
use crate::core::answer::Answer;
use crate::core::now::Now;
use crate::proto::http::host_address;
use std::time::Duration;

impl Agent {
    /// The answer to a request that goes no further.
    pub(super) fn turned_away(&mut self, asked: &Asked, now: Now) -> Option<Answer> {
        let ip = *asked.from.ip();
        let own = self.devices.get(asked.device).is_some_and(|d| d.owns(ip));
        if !own && !ip.is_loopback() {
            if let Err(wait) = self.rates.admit(ip, now.mono) {
                let seconds = (wait + Duration::from_millis(999)).as_secs().max(1);
                let mut answer = Answer::error(429, "too many requests from your address; slow down");
                answer.retry_after = u32::try_from(seconds).ok();
                return Some(answer);
            }
        }
        // A page of any web site can make a browser on the LAN ask. Phones send none of these.
        let request = &asked.request;
        let browser = |name: &str| name.eq_ignore_ascii_case("origin") || starts_with(name, "sec-fetch-");
        if request.headers.iter().any(|(name, _)| browser(name)) {
            return Some(Answer::error(403, "this is for phones; nothing is given to web pages"));
        }
        // A name may be anybody's, and lead here by DNS rebinding. The URLs that phones are told have addresses.
        let named = request.header("host").into_iter().chain(request.authority.as_deref());
        if !named.into_iter().all(|host| self.is_ours(asked.device, host)) {
            return Some(Answer::error(421, "ask by the address of the router, as in the URL that phones are told"));
        }
        None
    }

    /// Is it one of our addresses on this device, with our port or none?
    fn is_ours(&self, device: usize, host: &str) -> bool {
        let Some((address, port)) = host_address(host) else { return false };
        let ours = self.devices.get(device).is_some_and(|d| d.owns(address));
        ours && port.is_none_or(|p| p == self.config.agent.port)
    }
}

fn starts_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}
