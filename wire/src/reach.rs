//! Which addresses are everybody's, which are somebody's own, and which nobody may be led to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can be reached at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A machine of the internet.
    Global,
    /// This machine, or one of a network that isn't everybody's. Ways of writing an IPv4 address as IPv6
    /// count among them, since they lead where only the network knows.
    Private,
    /// A service that tells machines who they are, which a request may not ask on anybody's behalf; or
    /// nothing that a request could be sent to.
    Never,
}

impl Reach {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

/// Networks of IPv4 by address and length of prefix.
const NEVER_V4: &[([u8; 4], u32)] = &[
    // "This host", which systems take for their own.
    ([0, 0, 0, 0], 8),
    // Link-local: the metadata of Google's, Amazon's and Microsoft's clouds, and keys of containers.
    ([169, 254, 0, 0], 16),
    // The metadata of Alibaba's cloud, and the host of Microsoft's.
    ([100, 100, 100, 200], 32),
    ([168, 63, 129, 16], 32),
    // Multicast, reserved, broadcast.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

const PRIVATE_V4: &[([u8; 4], u32)] = &[
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
];

/// Networks of IPv6 by their first four groups and length of prefix.
const NEVER_V6: &[([u16; 4], u32)] = &[
    // The metadata of Amazon's and Google's clouds.
    ([0xfd00, 0x0ec2, 0, 0], 32),
    ([0xfd20, 0x00ce, 0, 0], 64),
    // Link-local, multicast.
    ([0xfe80, 0, 0, 0], 10),
    ([0xff00, 0, 0, 0], 8),
];

/// What of 2000::/3 isn't everybody's; nothing outside of that is.
const PRIVATE_V6: &[([u16; 4], u32)] = &[
    ([0x2001, 0, 0, 0], 23),
    ([0x2001, 0x0db8, 0, 0], 32),
    ([0x2002, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0], 20),
];

fn of_v4(address: Ipv4Addr) -> Reach {
    let is_in = |networks: &[([u8; 4], u32)]| {
        networks.iter().any(|(network, length)| {
            let difference = address.to_bits() ^ u32::from_be_bytes(*network);
            difference.leading_zeros() >= *length
        })
    };
    if is_in(NEVER_V4) {
        Reach::Never
    } else if is_in(PRIVATE_V4) {
        Reach::Private
    } else {
        Reach::Global
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    let first = (address.to_bits() >> 64) as u64;
    let is_in = |networks: &[([u16; 4], u32)]| {
        networks.iter().any(|([a, b, c, d], length)| {
            let network = Ipv6Addr::new(*a, *b, *c, *d, 0, 0, 0, 0).to_bits() >> 64;
            (first ^ network as u64).leading_zeros() >= *length
        })
    };
    let leads_nowhere = inner_v4(address).into_iter().any(|inner| of_v4(inner) == Reach::Never);
    if address.is_unspecified() || is_in(NEVER_V6) || (leads_nowhere && !address.is_loopback()) {
        Reach::Never
    } else if is_in(&[([0x2000, 0, 0, 0], 3)]) && !is_in(PRIVATE_V6) {
        Reach::Global
    } else {
        Reach::Private
    }
}

/// The IPv4 addresses that one of IPv6 may lead to: mapped, compatible, translated by NAT64 in both of its
/// networks, of 6to4, of Teredo.
fn inner_v4(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => vec![at(0)],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![at(0)],
        // In a network of one's own it stands where the length of the prefix says, between zeroes.
        [0x64, 0xff9b, ..] => {
            let places = [48, 56, 64].map(|prefix| after_prefix(bits, prefix)).into_iter();
            places.chain([at(0)]).filter(|inner| inner.octets()[0] != 0).collect()
        }
        [0x2002, ..] => vec![at(80)],
        [0x2001, 0, ..] => vec![at(64), Ipv4Addr::from_bits(!(bits as u32))],
        _ => Vec::new(),
    }
}

/// The address behind a prefix of NAT64's of so many bits, without the eight bits from 64 on.
fn after_prefix(bits: u128, prefix: u32) -> Ipv4Addr {
    let whole = u128::from((bits >> 64) as u64) << 56 | (bits & ((1 << 56) - 1));
    Ipv4Addr::from_bits((whole >> (120 - 32 - prefix)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (reach, addresses) in [
            (
                Reach::Global,
                &["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"][..],
            ),
            (
                Reach::Private,
                &[
                    "127.0.0.1",
                    "127.255.0.1",
                    "10.1.2.3",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.0.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "192.0.2.1",
                    "::1",
                    "fc00::1",
                    "fd12:3456::1",
                    "2001:db8::1",
                    "fec0::1",
                    "100::1",
                    "5f00::1",
                    "::ffff:1.1.1.1",
                    "::ffff:10.0.0.1",
                    "::1.1.1.1",
                    "64:ff9b::1.1.1.1",
                    "64:ff9b:1::1.1.1.1",
                    "2002:0101:0101::1",
                    "2001:0:101:101:0:0:fefe:fefe",
                ],
            ),
            (
                Reach::Never,
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "169.254.0.1",
                    "100.100.100.200",
                    "168.63.129.16",
                    "0.0.0.0",
                    "0.1.2.3",
                    "224.0.0.1",
                    "240.0.0.1",
                    "255.255.255.255",
                    "::",
                    "fe80::1",
                    "febf::1",
                    "ff02::1",
                    "fd00:ec2::254",
                    "fd20:ce::254",
                    "::ffff:169.254.169.254",
                    "::ffff:0:169.254.169.254",
                    "::169.254.169.254",
                    "64:ff9b::169.254.169.254",
                    "64:ff9b:1:a9fe:a9:fe00::",
                    "64:ff9b:1::169.254.169.254",
                    "2002:a9fe:a9fe::1",
                    // Teredo: the server is there, or the client, whose bits are turned round.
                    "2001:0:a9fe:a9fe::",
                    "2001:0:101:101:0:0:5601:5601",
                    "::ffff:0.0.0.0",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
