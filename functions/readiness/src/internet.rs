//! The auditor's network access: connections go to public addresses only.
//!
//! Users enter the URLs of a listing, and this function runs inside an AWS account. So a host name is resolved once,
//! each of its addresses must be public, and the connection goes to an address that was checked, even if the name
//! resolves to another one a moment later.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use readiness_checks::terms;
use tokio::sync::OnceCell;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, RootCertStore};
use url::{Host, Url};

/// The internet, as the auditor reaches it.
#[derive(Debug)]
pub struct Internet {
    pub(crate) known: Known,
    tls: Result<Arc<ClientConfig>, TlsError>,
    resolver: OnceCell<TokioResolver>,
}

/// Names that are known in advance and not looked up: those of the sandbox.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The addresses of hosts. They need not be public.
    pub hosts: HashMap<String, SocketAddr>,
    /// Domains, with `true` for those that accept mail.
    pub mail: HashMap<String, bool>,
    /// The hosts that stand in for sites that do not use https, by the origins of those sites.
    pub stand_ins: HashMap<String, String>,
    /// The certificate authorities of the hosts, in addition to the publicly trusted ones.
    pub roots: Vec<CertificateDer<'static>>,
}

/// The reason why the auditor does not connect to a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The URL or its address is not allowed.
    #[error("{0}")]
    Refused(&'static str),
    /// The name cannot be resolved.
    #[error("{0}")]
    Unreachable(String),
}

/// The time of a [`Clock`], by which certificates are verified.
#[derive(Debug)]
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        u64::try_from(self.0.seconds()).ok().map(Duration::from_secs).map(UnixTime::since_unix_epoch)
    }
}

impl Known {
    /// Lets a host stand in for the site of a URL.
    pub fn stand_in(&mut self, site: &Url, host: &str) {
        self.stand_ins.insert(site.origin().ascii_serialization(), host.to_owned());
    }

    /// Returns the URL to connect to: that of the stand-in, if the site has one.
    pub fn place(&self, url: &Url) -> Url {
        let mut place = url.clone();
        if let Some(host) = self.stand_ins.get(&url.origin().ascii_serialization()) {
            // None of these fails for an `http` URL.
            let _ = (place.set_port(None), place.set_scheme("https"), place.set_host(Some(host)));
        }
        place
    }
}

impl Internet {
    /// Returns the URL to connect to.
    pub(crate) fn place(&self, url: &Url) -> Url {
        self.known.place(url)
    }

    /// Returns the TLS configuration, with the trusted authorities and the clock.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be configured.
    pub fn tls(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.tls.clone()
    }

    /// Creates the network access with the names that are known in advance. Certificates are verified by `clock`.
    pub fn new(known: Known, clock: Clock) -> Self {
        let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        roots.add_parsable_certificates(known.roots.iter().cloned());
        let provider = Arc::new(ring::default_provider());
        // ring supports everything that these TLS versions need.
        let tls =
            ClientConfig::builder_with_details(provider, Arc::new(Time(clock))).with_safe_default_protocol_versions();
        let tls = tls.map(|tls| Arc::new(tls.with_root_certificates(roots).with_no_client_auth()));
        Self { known, tls, resolver: OnceCell::new() }
    }

    /// Returns the addresses of a URL's host, all of which are allowed.
    pub(crate) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, ConnectError> {
        if url.scheme() != "https" {
            return Err(ConnectError::Refused(terms::NOT_HTTPS));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConnectError::Refused(terms::WITH_USER));
        }
        let Some(Host::Domain(host)) = url.host() else { return Err(ConnectError::Refused(terms::NO_HOST)) };
        if let Some(place) = self.known.hosts.get(host) {
            return Ok(vec![*place]);
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let found = self.resolver().await?.lookup_ip(host).await;
        let found = found.map_err(|_| ConnectError::Unreachable(terms::NOT_FOUND.to_owned()))?;
        let found: Vec<IpAddr> = found.iter().collect();
        if found.iter().any(|address| !is_public(*address)) {
            return Err(ConnectError::Refused(terms::NOT_PUBLIC));
        }
        // Outside of a VPC, Lambda has no route to IPv6 addresses: they come last.
        let (four, six): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(IpAddr::is_ipv4);
        Ok(four.into_iter().chain(six).map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Returns `true` if a domain accepts mail: it has an MX record that is not the null MX of RFC 7505.
    pub(crate) async fn accepts_mail(&self, domain: &str) -> Result<bool, ConnectError> {
        if let Some(accepts_mail) = self.known.mail.get(domain) {
            return Ok(*accepts_mail);
        }
        // The trailing dot makes it a fully qualified name, to which no search domain is added.
        let whole = format!("{}.", domain.trim_end_matches('.'));
        match self.resolver().await?.mx_lookup(whole).await {
            Ok(found) => Ok(found.answers().iter().any(|record| match &record.data {
                RData::MX(mx) => !mx.exchange.is_root(),
                _ => false,
            })),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(false),
            Err(error) => Err(ConnectError::Unreachable(error.to_string())),
        }
    }

    async fn resolver(&self) -> Result<&TokioResolver, ConnectError> {
        let build = || std::future::ready(TokioResolver::builder_tokio().and_then(|builder| builder.build()));
        self.resolver.get_or_try_init(build).await.map_err(|error| ConnectError::Unreachable(error.to_string()))
    }
}

/// The IPv4 networks that are not public: those of IANA's registry of special-purpose addresses, and multicast.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16), // the metadata service is here
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3), // multicast, and what is reserved
];

/// The IPv6 network that is allocated to the public (RFC 4291). `SPECIAL_V6` holds its parts that lead to IPv4
/// addresses or are reserved for protocols, benchmarks and examples, from IANA's registry of special-purpose addresses.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Returns `true` if an address is public.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|(net, bits)| is_in_v4(address, *net, *bits)),
        IpAddr::V6(address) => {
            let (global, bits) = GLOBAL_V6;
            is_in_v6(address, global, bits) && !SPECIAL_V6.iter().any(|(net, bits)| is_in_v6(address, *net, *bits))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, net: Ipv4Addr, bits: u32) -> bool {
    (address.to_bits() ^ net.to_bits()).leading_zeros() >= bits
}

fn is_in_v6(address: Ipv6Addr, net: Ipv6Addr, bits: u32) -> bool {
    (address.to_bits() ^ net.to_bits()).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in ["1.1.1.1", "54.239.28.85", "172.15.0.1", "172.32.0.1", "2600:9000:20a5::1", "2400:cb00::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::a9fe:a9fe",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254", // the metadata service by IPv6
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[tokio::test]
    async fn only_https_urls_with_public_host_names_are_allowed() {
        let internet = Internet::new(Known::default(), Clock::System);
        for (url, why) in [
            ("http://www.example.com/", terms::NOT_HTTPS),
            ("https://169.254.169.254/latest/meta-data/", terms::NO_HOST),
            ("https://[::1]/", terms::NO_HOST),
            ("https://0x7f000001/", terms::NO_HOST),
            ("https://me:secret@www.example.com/", terms::WITH_USER),
            ("https://localhost/", terms::NOT_PUBLIC),
        ] {
            let refused = internet.addresses(&url.parse().unwrap()).await.unwrap_err();
            assert_eq!(refused, ConnectError::Refused(why), "{url}");
        }
    }

    #[tokio::test]
    async fn known_names_are_not_looked_up() {
        let place: SocketAddr = "127.0.0.1:4433".parse().unwrap();
        let known = Known {
            hosts: HashMap::from([("app.example.com".to_owned(), place)]),
            mail: HashMap::from([("example.com".to_owned(), true), ("none.example.com".to_owned(), false)]),
            ..Known::default()
        };
        let internet = Internet::new(known, Clock::System);
        let addresses = internet.addresses(&"https://app.example.com/sign-up".parse().unwrap()).await;
        assert_eq!(addresses, Ok(vec![place]));
        assert_eq!(internet.accepts_mail("example.com").await, Ok(true));
        assert_eq!(internet.accepts_mail("none.example.com").await, Ok(false));
    }
}
