//! Which network addresses a webhook may go to: public ones. Its address is somebody's to
//! write, and the name in it somebody's to point anywhere, so every address that a name
//! resolves to is looked at, and the connection is made to one that was.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address inside: this machine, a private network, or what a cloud keeps there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inside(IpAddr);

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not a public address; if it is meant, write `private = true` for this webhook",
            self.0
        )
    }
}

impl std::error::Error for Inside {}

/// Resolves names, and leaves out what is not public.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is filled in by whoever connects.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (public, inside): (Vec<SocketAddr>, Vec<_>) =
                found.partition(|address| is_public(address.ip()));
            match inside.first() {
                Some(address) if public.is_empty() => Err(Inside(address.ip()).into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

/// A host that is written as a number is never resolved, and so looked at by itself.
///
/// # Errors
/// When it is not public.
pub(super) fn check(url: &Url) -> Result<(), Inside> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if is_public(address) { Ok(()) } else { Err(Inside(address)) }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not in IANA's registry of special purposes (RFC 6890), multicast or reserved.
fn is_public_v4(address: Ipv4Addr) -> bool {
    // Azure answers virtual machines about themselves here, in a range that is public.
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let [a, b, c, _] = address.octets();
    !(address == AZURE
        || matches!(
            (a, b, c),
            (0 | 10 | 127 | 224.., _, _)
                // Shared by the customers of a carrier; a cloud's metadata too.
                | (100, 64..=127, _)
                // Link-local: the metadata of most clouds.
                | (169, 254, _)
                | (172, 16..=31, _)
                | (192, 0, 0 | 2)
                | (192, 88, 99)
                | (192, 168, _)
                | (198, 18..=19, _)
                | (198, 51, 100)
                | (203, 0, 113)
        ))
}

/// Global unicast (2000::/3), without what leads to IPv4 networks or nowhere; NAT64 as the
/// IPv4 address in it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let low = Ipv4Addr::from((u32::from(g) << 16) | u32::from(h));
    match (a, b) {
        // RFC 6052, how networks without IPv4 reach it. Its sister 64:ff9b:1::/48 is local.
        (0x64, 0xff9b) => [c, d, e, f] == [0; 4] && is_public_v4(low),
        // IETF protocol assignments, Teredo among them; documentation; 6to4.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff) => false,
        (0x2000..=0x3fff, _) => true,
        // This machine, IPv4 in other clothes (::ffff:0:0/96), unique local, link-local,
        // site-local, multicast, and whatever nobody was given yet.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_inside() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_not() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_number_in_any_spelling_is_looked_at() {
        for text in [
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://１２７.0.0.1/",
        ] {
            assert!(check(&text.parse().unwrap()).is_err(), "{text}");
        }
        assert!(check(&"https://books.example/".parse().unwrap()).is_ok());
        assert!(check(&"https://1.1.1.1/".parse().unwrap()).is_ok());
    }
}
