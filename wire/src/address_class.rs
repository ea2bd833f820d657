//! Classifies IP addresses: public, private, forbidden (metadata services and the like).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an IP address, which decides whether a guest's request may connect to it.
///
/// ```
/// use hype_wire::AddressClass;
///
/// assert_eq!(AddressClass::of([1, 1, 1, 1].into()), AddressClass::Global);
/// assert_eq!(AddressClass::of([10, 0, 0, 1].into()), AddressClass::Private);
/// assert_eq!(AddressClass::of([169, 254, 169, 254].into()), AddressClass::Forbidden);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// A public address of the internet.
    Global,
    /// This machine or a private network. IPv6 addresses that embed an IPv4 address belong here, since
    /// their route depends on the network.
    Private,
    /// A metadata service, which hands out the machine's credentials; or not the address of one machine.
    Forbidden,
}

impl AddressClass {
    /// Returns the class of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

/// Forbidden IPv4 networks, by address and prefix length.
const FORBIDDEN_V4: &[([u8; 4], u32)] = &[
    // "This host", which systems resolve to themselves.
    ([0, 0, 0, 0], 8),
    // Link-local: metadata of Google Cloud, AWS and Azure, and credentials of ECS containers.
    ([169, 254, 0, 0], 16),
    // Metadata of Alibaba Cloud, and Azure's WireServer.
    ([100, 100, 100, 200], 32),
    ([168, 63, 129, 16], 32),
    // Multicast, reserved, broadcast.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Private IPv4 networks, by address and prefix length.
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

/// Forbidden IPv6 networks, by their first four groups and prefix length.
const FORBIDDEN_V6: &[([u16; 4], u32)] = &[
    // Metadata of AWS and Google Cloud.
    ([0xfd00, 0x0ec2, 0, 0], 32),
    ([0xfd20, 0x00ce, 0, 0], 64),
    // Link-local, multicast.
    ([0xfe80, 0, 0, 0], 10),
    ([0xff00, 0, 0, 0], 8),
];

/// Private networks within 2000::/3. All addresses outside 2000::/3 are private or forbidden.
const PRIVATE_V6: &[([u16; 4], u32)] = &[
    ([0x2001, 0, 0, 0], 23),
    ([0x2001, 0x0db8, 0, 0], 32),
    ([0x2002, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0], 20),
];

fn of_v4(address: Ipv4Addr) -> AddressClass {
    let is_in = |networks: &[([u8; 4], u32)]| {
        networks.iter().any(|(network, length)| {
            let difference = address.to_bits() ^ u32::from_be_bytes(*network);
            difference.leading_zeros() >= *length
        })
    };
    if is_in(FORBIDDEN_V4) {
        AddressClass::Forbidden
    } else if is_in(PRIVATE_V4) {
        AddressClass::Private
    } else {
        AddressClass::Global
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    let first = (address.to_bits() >> 64) as u64;
    let is_in = |networks: &[([u16; 4], u32)]| {
        networks.iter().any(|([a, b, c, d], length)| {
            let network = Ipv6Addr::new(*a, *b, *c, *d, 0, 0, 0, 0).to_bits() >> 64;
            (first ^ network as u64).leading_zeros() >= *length
        })
    };
    let embeds_forbidden =
        embedded_v4(address).into_iter().any(|inner| of_v4(inner) == AddressClass::Forbidden);
    if address.is_unspecified()
        || is_in(FORBIDDEN_V6)
        || (embeds_forbidden && !address.is_loopback())
    {
        AddressClass::Forbidden
    } else if is_in(&[([0x2000, 0, 0, 0], 3)]) && !is_in(PRIVATE_V6) {
        AddressClass::Global
    } else {
        AddressClass::Private
    }
}

/// Returns the IPv4 addresses that an IPv6 address may embed: mapped, compatible, NAT64 (in the
/// well-known and in local-use networks), 6to4 and Teredo.
fn embedded_v4(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => vec![at(0)],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![at(0)],
        // In a local-use NAT64 network the position depends on the prefix length; the rest is zero.
        [0x64, 0xff9b, ..] => {
            let candidates = [48, 56, 64].map(|prefix| after_prefix(bits, prefix)).into_iter();
            candidates.chain([at(0)]).filter(|inner| inner.octets()[0] != 0).collect()
        }
        [0x2002, ..] => vec![at(80)],
        [0x2001, 0, ..] => vec![at(64), Ipv4Addr::from_bits(!(bits as u32))],
        _ => Vec::new(),
    }
}

/// Returns the IPv4 address after a NAT64 prefix of `prefix` bits, skipping the reserved bits 64 to 71.
fn after_prefix(bits: u128, prefix: u32) -> Ipv4Addr {
    let whole = u128::from((bits >> 64) as u64) << 56 | (bits & ((1 << 56) - 1));
    Ipv4Addr::from_bits((whole >> (120 - 32 - prefix)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_classified() {
        for (class, addresses) in [
            (
                AddressClass::Global,
                &["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"][..],
            ),
            (
                AddressClass::Private,
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
                AddressClass::Forbidden,
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
                    // Teredo: a forbidden server, or a forbidden client, whose bits are inverted.
                    "2001:0:a9fe:a9fe::",
                    "2001:0:101:101:0:0:5601:5601",
                    "::ffff:0.0.0.0",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
            }
        }
    }
}
