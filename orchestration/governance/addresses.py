"""The one address a message may be sent to: resolved once, checked, and connected to as it is.

What resolves to a private, local or reserved place is refused, so that a webhook URL is no way into
the network we run in; an endpoint may name networks of the house that it lies in. Link-local
addresses, where clouds keep metadata and credentials, are never allowed. The caller connects to
`Target.address`, never to the name again: a name that changes in between changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

# Written out: what Python calls global has changed between its patch releases.
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
# Inside it: protocol assignments with Teredo, documentation, 6to4, documentation again.
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_LOOPBACK = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))
# Whatever networks an endpoint names: "this" network, link-local and metadata services, multicast.
NEVER = (
    *map(ipaddress.IPv4Network, ("0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32")),
    *map(ipaddress.IPv4Network, ("192.0.0.192/32", "224.0.0.0/4", "255.255.255.255/32")),
    *map(ipaddress.IPv6Network, ("::/128", "::ffff:0:0/96", "fe80::/10", "fd00:ec2::254/128")),
    ipaddress.IPv6Network("ff00::/8"),
)
# A public receiver listens where web servers do; in the house any port may be one.
_PUBLIC_PORTS = {True: (443, 8443), False: (80, 8080)}


class AddressRefused(Exception):
    """The address is malformed, not https, or not public; the message never holds the URL."""


@dataclass(frozen=True)
class Target:
    """Where to connect and what to ask for there."""

    is_tls: bool
    host: str
    address: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The Host header: the name, with the port where it is not the usual one."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"


def resolve_name(host: str, port: int) -> list[str]:
    """The addresses of a name, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def checked_target(
    url: str,
    *,
    allow_insecure: bool,
    networks: Sequence[IpNetwork] = (),
    resolve: Resolve = resolve_name,
) -> Target:
    """The checked target of a URL.

    `allow_insecure` (development) lets plain http and loopback pass, `networks` addresses in them.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefused("not an http(s) URL with a host")
    if not url.isascii():
        raise AddressRefused("a URL is written in ASCII (a host as xn--...)")
    if parts.username or parts.password:
        raise AddressRefused("a URL must not carry a user or a password")
    is_tls = parts.scheme == "https"
    if not is_tls and not allow_insecure:
        raise AddressRefused("not https")
    port = port or (443 if is_tls else 80)
    try:
        addresses = resolve(parts.hostname, port)
    except (OSError, UnicodeError):
        raise AddressRefused("the host name does not resolve") from None
    if not addresses:
        raise AddressRefused("the host name does not resolve")
    allowed = (*networks, *(_LOOPBACK if allow_insecure else ()))
    # One private answer among public ones is enough to refuse: it is how rebinding begins.
    if not all(is_public(each) or _lies_in(each, allowed) for each in addresses):
        raise AddressRefused("the host name leads to an address that is not public")
    if is_public(addresses[0]) and port not in _PUBLIC_PORTS[is_tls]:
        raise AddressRefused(f"port {port} is none that a public receiver listens at")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls, parts.hostname, addresses[0], port, path)


def is_public(address: str) -> bool:
    """True if the address is on the open Internet; what wraps another address is not."""
    ip = _parsed(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in (*_REFUSED_V4, *NEVER))
    # IPv4-mapped, NAT64, local and link-local addresses all lie outside 2000::/3.
    is_v6 = ip is not None and ip in _PUBLIC_V6
    return is_v6 and not any(ip in network for network in _REFUSED_V6)


def _lies_in(address: str, networks: Sequence[IpNetwork]) -> bool:
    ip = _parsed(address)
    if ip is None or any(ip in network for network in NEVER):
        return False
    return any(ip in network for network in networks)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
