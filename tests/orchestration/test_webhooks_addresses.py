"""Where a message may go: only to public addresses, and to the one that was checked."""

import ipaddress
import socket

import pytest
from gateway_server import FakeReceiver, receiver_server
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.governance.addresses import AddressRefused, Target, checked_target, is_public
from orchestration.governance.sending import Line, Response

HOUSE = (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd12::/16"))
EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0"),
        *("fc00::1", "fd12::1", "ff02::1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"),
        *("2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001:db8::1", "::7f00:1", "text"),
    ],
)
def test_no_address_of_an_inner_or_reserved_network_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_open_internet_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https:///x", "nonsense"),
        *("https://user:secret@example.com/", "https://example.com:99999/", "file:///etc/passwd"),
    ],
)
def test_only_plain_https_urls_are_targets(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        checked_target(url, allow_insecure=False, resolve=lambda *_: ["8.8.8.8"])
    assert "secret" not in str(refused.value)


def test_one_private_answer_among_public_ones_refuses() -> None:
    with pytest.raises(AddressRefused, match="not public"):
        checked_target(
            "https://rebind.example/",
            allow_insecure=False,
            resolve=lambda *_: ["8.8.8.8", "169.254.169.254"],
        )


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "localhost", "[::1]"])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        checked_target(f"https://{host}/", allow_insecure=False)


def test_a_name_is_resolved_once_and_its_address_is_what_is_dialled() -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    target = checked_target(
        "https://hooks.example:8443/in?team=1",
        allow_insecure=False,
        resolve=lambda *_: next(answers),
    )
    assert (target.address, target.port, target.path) == ("8.8.8.8", 8443, "/in?team=1")
    assert (target.host, target.host_header) == ("hooks.example", "hooks.example:8443")


def target_of(url: str, *answers: str, **leave: object) -> Target:
    return checked_target(url, resolve=lambda *_: answers, **{"allow_insecure": False, **leave})  # type: ignore[arg-type]


def test_a_network_of_the_house_needs_leave_and_then_any_port() -> None:
    for address in ("10.20.3.4", "fd12::7"):
        with pytest.raises(AddressRefused, match="not public"):
            target_of("https://hooks.house:9443/", address)
        assert target_of("https://hooks.house:9443/", address, networks=HOUSE).address == address
    with pytest.raises(AddressRefused, match="not public"):
        target_of("https://hooks.house/", "10.21.0.1", networks=HOUSE)
    with pytest.raises(AddressRefused, match="not public"):
        target_of("https://hooks.house/", "10.20.0.1", "10.21.0.1", networks=HOUSE)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"),
        *("fe80::1", "fe80::1%eth0", "::ffff:10.20.0.1", "::ffff:169.254.169.254", "0.0.0.0", "::"),
        *("224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_no_leave_reaches_metadata_link_local_or_mapped_addresses(address: str) -> None:
    with pytest.raises(AddressRefused, match="not public"):
        target_of("https://hooks.house/", address, networks=EVERYTHING, allow_insecure=True)


def test_leave_for_plain_http_is_leave_for_this_machine_and_for_no_network() -> None:
    assert target_of("http://hooks.test:9000/", "127.0.0.1", allow_insecure=True).port == 9000
    with pytest.raises(AddressRefused, match="not public"):
        target_of("http://hooks.test:9000/", "192.168.1.1", allow_insecure=True)


@pytest.mark.parametrize("port", [22, 25, 80, 6379, 9200])
def test_a_public_receiver_listens_at_web_ports_only(port: int) -> None:
    with pytest.raises(AddressRefused, match=f"port {port}"):
        target_of(f"https://hooks.example:{port}/", "8.8.8.8")


def test_a_host_outside_ascii_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(AddressRefused, match="ASCII"):
        target_of("https://b\u00fccher.example/", "8.8.8.8")


def post(target: Target) -> Response:
    line = Line(lambda: target, timeout_seconds=5.0)
    try:
        return line.post(body=b"{}", headers={})
    finally:
        line.close()


V4 = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.sampled_from(["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "8.8.8.8"]),
)


def spelled(address: str) -> st.SearchStrategy[str]:
    """An IPv4 address as a resolver understands it: dotted, octal, hexadecimal, short, mapped."""
    number = int(ipaddress.IPv4Address(address))
    octets = address.split(".")
    return st.sampled_from(
        [
            address,
            str(number),
            hex(number),
            "0" + oct(number)[2:],
            ".".join(hex(int(octet)) for octet in octets),
            ".".join("0" + oct(int(octet))[2:] for octet in octets),
            f"{octets[0]}.{number & 0xFFFFFF}",
            f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
            f"[::ffff:{address}]",
            f"[::{address}]",
            f"[64:ff9b::{address}]",
            f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        ]
    )


def written(address: ipaddress.IPv6Address) -> st.SearchStrategy[str]:
    """An IPv6 address in any of its spellings, with a zone or an IPv4 tail among them."""
    head, tail = address.exploded.rsplit(":", 2)[0], ipaddress.IPv4Address(int(address) % 2**32)
    forms = [str(address), address.exploded, str(address).upper(), f"{head}:{tail}"]
    return st.sampled_from([*(f"[{form}]" for form in forms), f"[{address}%251]"])


# Inner, mapped, translated and special addresses beside any others.
V6 = st.one_of(
    st.ip_addresses(v=6),
    st.ip_addresses(v=4).map(lambda ip: ipaddress.IPv6Address(f"::ffff:{ip}")),
    st.ip_addresses(v=4).map(lambda ip: ipaddress.IPv6Address(f"64:ff9b::{ip}")),
    st.ip_addresses(v=4).map(lambda ip: ipaddress.IPv6Address((0x2002 << 112) + (int(ip) << 80))),
    st.ip_addresses(network="2000::/3"),
    st.sampled_from(
        ["::1", "::", "fd00:ec2::254", "fe80::1", "fec0::1", "2001::1", "2001:db8::1"]
    ).map(ipaddress.IPv6Address),
)


def numbers(host: str, port: int) -> list[str]:
    """What the system's resolver makes of a number; names are not asked for."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(entry[4][0]) for entry in found]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(V4.flatmap(spelled) | V6.flatmap(written))
@example("[::ffff:169.254.169.254]")
@example("0x7f.1")
@example("[fec0::1]")
def test_what_may_be_dialled_is_public_in_any_spelling(host: str) -> None:
    try:
        target = checked_target(f"https://{host}/", allow_insecure=False, resolve=numbers)
    except AddressRefused:
        return
    # The address is one the kernel dials as it is, and Python's own register calls it global.
    dialled = ipaddress.ip_address(target.address)
    assert dialled.is_global and not dialled.is_multicast
    assert str(dialled) == target.address


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    answers=st.lists(V4 | V6.map(str), min_size=1, max_size=3),
    networks=st.sampled_from([(), HOUSE, EVERYTHING]),
    leave=st.booleans(),
)
@example(["10.20.1.1", "8.8.8.8"], HOUSE, False)
@example(["127.0.0.1"], (), True)
def test_whatever_a_name_leads_to_only_public_or_named_networks_are_dialled(
    answers: list[str], networks: tuple, leave: bool
) -> None:
    try:
        target = target_of("https://hooks.test/", *answers, networks=networks, allow_insecure=leave)
    except AddressRefused:
        return
    assert target.address == answers[0]
    for each in map(ipaddress.ip_address, answers):
        is_named = any(each in network for network in networks)
        assert each.is_global or is_named or (leave and each.is_loopback)
        # These no leave reaches: link-local and metadata, multicast, "this", what wraps another.
        assert not (each.is_link_local or each.is_multicast or each.is_unspecified)
        assert getattr(each, "ipv4_mapped", None) is None
        assert str(each) not in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    start=st.sampled_from(
        ["https://", "https:", "HTTPS://", "https:///", "https:\\\\", " https://"]
    ),
    user=st.sampled_from(["", "8.8.8.8@", "8.8.8.8:443@", "8.8.8.8#@", "8.8.8.8\\@"]),
    host=st.just("127.0.0.1").flatmap(spelled) | st.sampled_from(["[::1]", "0", "127.1"]),
    end=st.sampled_from(
        ["", "/", ":443", ":8443/x", "?@8.8.8.8", "#@8.8.8.8", "\\@8.8.8.8", "%00"]
    ),
)
def test_no_way_of_writing_a_url_leads_to_this_machine(
    start: str, user: str, host: str, end: str
) -> None:
    try:
        target = checked_target(f"{start}{user}{host}{end}", allow_insecure=False, resolve=numbers)
    except AddressRefused:
        return
    assert ipaddress.ip_address(target.address).is_global


@pytest.fixture(scope="module")
def inner() -> object:
    with receiver_server() as receiver:
        yield receiver


@settings(derandomize=True, deadline=None, max_examples=200)
@given(host=st.just("127.0.0.1").flatmap(spelled), leave=st.booleans())
def test_a_receiver_of_this_machine_is_hit_only_with_leave(
    inner: FakeReceiver, host: str, leave: bool
) -> None:
    inner.deliveries.clear()
    url = inner.url.replace("127.0.0.1", host)
    try:
        target = checked_target(url, allow_insecure=leave, resolve=numbers)
    except AddressRefused:
        target = None
    if target is not None:
        post(target)
    assert len(inner.deliveries) == (1 if leave and "[" not in host else 0)


def test_a_name_that_turns_to_the_receiver_after_the_check_is_not_followed(
    inner: FakeReceiver,
) -> None:
    inner.deliveries.clear()
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    url = inner.url.replace("127.0.0.1", "rebind.example")
    target = checked_target(url, allow_insecure=True, resolve=lambda *_: next(answers))
    assert post(target).error_class
    assert target.address == "127.0.0.2"
    assert inner.deliveries == []
