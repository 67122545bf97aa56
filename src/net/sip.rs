//! The PnP socket of one device.

use crate::bounds;
use crate::core::agent::Device;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::num::NonZeroU32;

/// "All SIP servers" (RFC 3261 section 10.2.6), where phones look for their configuration.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);

/// A socket that hears only this device and answers only through it: bound to the device rather than told apart by
/// IP_PKTINFO, so a packet of another network never gets this far. Several of them share the port.
pub(crate) fn open(device: &Device, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    if let Err(e) = socket.bind_device(Some(device.name.as_bytes())) {
        // An unprivileged demo on an old kernel; the core checks each sender's subnet anyway.
        log::debug!("{}: the socket is not tied to the device: {e}", device.name);
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    // other programs' groups are not for us; where the system does not know the option, the parser sorts them out
    let _ = socket.set_multicast_all_v4(false);
    if let Some(index) = NonZeroU32::new(device.index) {
        socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Index(index.get()))?;
    }
    // 1,000 phones after a power cut send within a second: let the kernel keep what one turn of the loop does not
    // read. The kernel caps it at net.core.rmem_max.
    socket.set_recv_buffer_size(512 * 1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One datagram, if there is one; too long ones are dropped.
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddrV4)> {
    loop {
        match socket.recv_from(buffer) {
            Ok((n, _)) if n > bounds::SIP_DATAGRAM => log::debug!("pnp: a datagram of over {} bytes", n - 1),
            Ok((n, SocketAddr::V4(from))) => return Some((n, from)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // a port-unreachable for an earlier answer is reported here: nothing to do
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => return None,
        }
    }
}
