//! DHCP in the loop: frames that come in, and what there is to hear them by.

use super::Runtime;
use crate::bounds;
use crate::core::agent::{Action, Device};
use crate::core::now::Now;
use crate::net::dhcp;

impl Runtime {
    pub(super) fn frames(&mut self, device: usize, now: Now, actions: &mut Vec<Action>) {
        let mut buffer = [0u8; bounds::DHCP_FRAME + 1];
        for _ in 0..dhcp::TURN {
            let Some(Some(tap)) = self.dhcp.taps().get(device) else { return };
            let Some(n) = tap.receive(&mut buffer) else { return };
            let bytes = buffer.get(..n).unwrap_or_default();
            self.agent.dhcp_frame(device, bytes, &self.neighbours, now, actions);
        }
    }

    /// Raw sockets for the devices as they are now, and what is wrong with DHCP.
    pub(super) fn open_dhcp(&mut self, before: &[Device], now: Now) {
        self.dhcp.open(&self.devices, before, self.agent.config().agent.dhcp);
        self.agent.set_dhcp_troubles(self.dhcp.troubles(), now);
    }

    /// Looks at the router's own server when it is time, and tries again what could not be opened.
    pub(super) fn check_dhcp(&mut self, now: Now) {
        let settings = self.options.dhcp_settings.as_ref();
        if self.dhcp.check(now.mono, &self.mailbox, settings, self.agent.config(), &self.devices) {
            self.open_dhcp(&self.devices.clone(), now);
        }
    }
}
