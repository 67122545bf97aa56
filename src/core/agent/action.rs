//! What comes out of the agent.

#[cfg(doc)]
use super::Agent;
use super::{Comparison, ControlId};
use crate::config::Secret;
use crate::core::answer::{Answer, RequestId, StreamId};
use crate::core::types::{FetchJob, GenerationMeta, PhoneRecord, ResourceKey};
use crate::proto::mac::Mac;
use crate::vendor::Vendor;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

/// What is to be done. [`crate::net`] does it and nothing else.
pub enum Action {
    /// Send a SIP datagram.
    Sip {
        /// Index of the device to send from.
        device: usize,
        /// Always the address that asked.
        to: SocketAddrV4,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Send a DHCP message in a frame of the device's own interface.
    Dhcp {
        /// Index of the device to send by.
        device: usize,
        /// Always the interface that asked.
        to_mac: Mac,
        /// Our address.
        from: SocketAddrV4,
        /// Always the address that asked.
        to: SocketAddrV4,
        /// The message.
        payload: Vec<u8>,
    },
    /// Make the kernel find out who has this address: seen by [`Agent::look_again`].
    Resolve {
        /// Index of its device.
        device: usize,
        /// An address that has asked for something just now.
        ip: Ipv4Addr,
    },
    /// Answer an HTTP request.
    Answer(RequestId, Answer),
    /// Fetch a config and judge it: comes back by [`Agent::fetched`].
    Fetch {
        /// The request.
        job: FetchJob,
        /// Whose rules judge it.
        vendor: &'static Vendor,
        /// The file name they look at.
        file: String,
    },
    /// Fetch a shared file into stream `stream`: comes back by [`Agent::stream_head`] and [`Agent::stream_done`].
    FetchShared {
        /// The request.
        job: FetchJob,
        /// Where the bytes go.
        stream: StreamId,
        /// Kept whole up to this size, passed through a window beyond.
        keep: u64,
    },
    /// The bytes of this stream are needed no more.
    DropStream(StreamId),
    /// Write a generation: comes back by [`Agent::stored`].
    Store(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// Write a held config, in the place of the one before: comes back by [`Agent::candidate_stored`].
    Candidate(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// Remove a held config from flash.
    DropCandidate(ResourceKey),
    /// Make a held config this generation: comes back by [`Agent::stored`].
    Accept(ResourceKey, GenerationMeta),
    /// Remove the generations above this number from flash.
    DropNewer(ResourceKey, u32),
    /// Write what is known of a phone.
    PutPhone(PhoneRecord),
    /// Remove one config from flash.
    Expire(ResourceKey),
    /// Remove a phone and its configs from flash; `None`: all.
    Forget(Option<Mac>),
    /// Answer a control request.
    Control(ControlId, serde_json::Value),
    /// The same, with what changed between the generations in the `list` of each config (in their order). No name
    /// that is said holds the secret.
    ControlCompared(ControlId, serde_json::Value, Vec<Comparison>, Secret),
    /// The same, when all that was to be written before is on flash: what the admin is told then survives a power cut.
    ControlWritten(ControlId, serde_json::Value),
}
