//! Where fetch threads ask: a server by HTTP, or the provisioner of this program.

use super::client::{Client, Sink};
#[cfg(feature = "provisioner")]
use super::in_process::InProcess;
use crate::config::Agent;
use crate::core::types::{FetchError, FetchHead, FetchJob};

/// To be shared by threads.
pub(crate) struct Upstream {
    client: Client,
    #[cfg(feature = "provisioner")]
    in_process: Option<InProcess>,
}

impl Upstream {
    /// That of a config.
    ///
    /// # Errors
    /// When `ca_file` cannot be read or has no certificate in it: a text for the admin.
    pub(crate) fn new(agent: &Agent) -> Result<Upstream, String> {
        Ok(Upstream {
            client: Client::new(agent.ca_file.as_deref())?,
            #[cfg(feature = "provisioner")]
            in_process: agent.documents().map(|folder| InProcess::new(folder, agent.provpass.clone())),
        })
    }

    /// As [`Client::warning`].
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.client.warning()
    }

    /// As [`Client::fetch`].
    pub(crate) fn fetch(&self, job: &FetchJob, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        #[cfg(feature = "provisioner")]
        if let Some(in_process) = &self.in_process {
            // a vendor's section may name a server of its own
            if let Some(target) = InProcess::target(&job.url) {
                return in_process.fetch(target, job, sink);
            }
        }
        self.client.fetch(job, sink)
    }
}
