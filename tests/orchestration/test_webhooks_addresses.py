"""Where a message may go: only to public addresses, and to the one that was checked."""

import pytest

from orchestration.governance.addresses import AddressRefused, checked_target, is_public


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
