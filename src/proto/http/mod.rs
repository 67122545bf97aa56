//! HTTP/1 heads (RFC 9112).
