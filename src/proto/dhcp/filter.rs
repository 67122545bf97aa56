//! The packet filter (classic BPF) that a raw socket is given before it is tied to its device: IPv4, UDP, no fragment,
//! to port 67 or 68. All other packets of the device stay in the kernel and cost the agent nothing.

/// One instruction: code, jump if true, jump if false, operand. Jumps count from the next instruction.
pub type Instruction = (u16, u8, u8, u32);

/// Bytes that are handed on of a packet: all of an Ethernet frame.
const WHOLE: u32 = 0xffff;
/// Where the kernel keeps the VLAN tag that it has taken out of a frame (SKF_AD_OFF + SKF_AD_VLAN_TAG).
const VLAN_TAG: u32 = 0xffff_f000 + 44;

/// The program. Offsets count from the Ethernet header.
pub const PROGRAM: &[Instruction] = &[
    (0x20, 0, 0, VLAN_TAG), //    load the VLAN tag, 0 where there was none
    (0x45, 11, 0, 0x0fff),  //    another network's (a tag with only a priority is this one's): no
    (0x28, 0, 0, 12),       //    load the EtherType
    (0x15, 0, 9, 0x0800),   //    not IPv4: no
    (0x30, 0, 0, 23),       //    load the protocol
    (0x15, 0, 7, 17),       //    not UDP: no
    (0x28, 0, 0, 20),       //    load flags and fragment offset
    (0x45, 5, 0, 0x3fff),   //    more fragments, or not the first: no
    (0xb1, 0, 0, 14),       //    X = length of the IP header, from its low nibble
    (0x48, 0, 0, 16),       //    load the port to which it goes: 14 + X + 2
    (0x15, 1, 0, 67),       //    to a server: yes
    (0x15, 0, 1, 68),       //    not to a client: no
    (0x06, 0, 0, WHOLE),    //    yes: all of it
    (0x06, 0, 0, 0),        //    no
];
