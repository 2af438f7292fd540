"""Which addresses the bot may send to."""

import pytest

from bot.model.addresses import fault_of, is_loopback, is_public, may_connect


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST.", "a.localhost"])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0", "2130706433", ""])
def test_not_this_machine_by_its_name(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "192.0.2.1", "2001:db8::1", "nonsense",
    ],
)  # fmt: skip
def test_not_public(address):
    assert not is_public(address)


def test_a_name_of_the_internet_that_leads_inside_is_refused_unless_that_is_meant():
    assert not may_connect("example.org", "127.0.0.1", private=False)
    assert not may_connect("example.org", "169.254.169.254", private=False)
    assert not may_connect("localhost", "10.0.0.1", private=False)
    assert may_connect("localhost", "::1", private=False)
    assert may_connect("example.org", "8.8.8.8", private=False)
    assert may_connect("nas.lan", "192.168.1.5", private=True)


@pytest.mark.parametrize(
    "url", ["https://example.org", "https://example.org:8443/a?b=c", "http://localhost:9/", "http://[::1]:9/x"]
)
def test_sound(url):
    assert fault_of(url) is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("example.org", "such as https://host/path"),
        ("https://", "such as https://host/path"),
        ("https://a b/", "such as https://host/path"),
        ("https://x.org:port/", "such as https://host/path"),
        ("https://[::1", "such as https://host/path"),
        ("wss://example.org", "such as https://host/path"),
        ("http://example.org", "expected https"),
        ("http://10.0.0.1", "expected https"),
        ("https://me:pw@example.org", "user or password"),
        ("https://me@example.org", "user or password"),
        ("https://example.org/#a", "after #"),
        ("https://192.168.0.1/", "private: true"),
        ("https://[fd00::1]/", "private: true"),
    ],
)
def test_faults_are_told_without_the_address(url, says):
    fault = fault_of(url)
    assert says in fault
    assert "example" not in fault


def test_private_is_about_addresses_and_not_about_encryption():
    assert fault_of("https://192.168.0.1/", private=True) is None
    assert "https" in fault_of("http://192.168.0.1/", private=True)
