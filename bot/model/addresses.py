"""Which addresses the bot may send to. Pure; nothing is looked up.

A destination is described by the operator, but a name in it is resolved by whoever runs the DNS. So what a name leads to
is judged as well as what is written.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine: a loopback address or `localhost`."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address is in the public internet, also where an IPv4 address is wrapped in an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_connect(host: str, address: str, *, private: bool) -> bool:
    """Whether a connection to `host`, which resolved to `address`, is allowed. `private`: the operator said so."""
    if private or is_public(address):
        return True
    return is_loopback(host) and is_loopback(address)


def fault_of(url: str, *, private: bool = False) -> str | None:
    """What is wrong with the address of a webhook; None for a sound one. Never says the address itself."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or any(char.isspace() for char in url):
        return "expected an address such as https://host/path"
    if parts.scheme == "http" and not is_loopback(host):
        return "expected https; only this machine itself may be reached by http"
    if parts.username is not None or parts.password is not None:
        return "a user or password stands in the address; the signature is what authenticates"
    if parts.fragment:
        return "a webhook's address has no part after #"
    if is_ip(host) and not may_connect(host, host, private=private):
        return "the address is in a private network; write private: true if that is meant"
    return None
