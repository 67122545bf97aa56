//! SIP messages (RFC 3261): bytes to types and back.
