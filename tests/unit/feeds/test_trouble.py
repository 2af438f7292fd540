import errno
import socket
import ssl
from types import SimpleNamespace

import aiohttp
import pytest

from bot.feeds.trouble import TroubleKind, from_exception, from_status


def certificate_error():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), TroubleKind.NAME, "could not be resolved"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), TroubleKind.REFUSED, "refused"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 9), [Errno 111] Connect call failed"),
            TroubleKind.REFUSED,
            "refused",
        ),
        (certificate_error(), TroubleKind.TLS, "self-signed certificate"),
        (TimeoutError(), TroubleKind.TIMEOUT, "did not answer"),
        (OSError(errno.ETIMEDOUT, "timed out"), TroubleKind.TIMEOUT, "did not answer"),
        (OSError(errno.ENETUNREACH, "unreachable"), TroubleKind.NETWORK, "no route"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), TroubleKind.NETWORK, "cut"),
        (EOFError("stream ended"), TroubleKind.NETWORK, "stream ended"),
    ],
)
def test_every_failed_attempt_has_a_kind_and_names_the_host(error, kind, says):
    trouble = from_exception(error, "fstream.example:443")
    assert trouble.kind is kind
    assert says in trouble.text
    assert "fstream.example" in trouble.text


def test_the_reason_is_found_below_a_wrapping_error():
    outer = RuntimeError("wrapped")
    outer.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert from_exception(outer, "h").kind is TroubleKind.NAME

    class ClientError(Exception):
        os_error = ConnectionRefusedError(errno.ECONNREFUSED, "no")

    assert from_exception(ClientError(), "h").kind is TroubleKind.REFUSED


@pytest.mark.parametrize("wrapper", [aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError])
def test_the_errors_of_the_http_client_that_are_tls_errors_by_name_only_are_understood(wrapper):
    """They are `ssl.SSLError` without a field `reason`."""
    inner = certificate_error()
    outer = wrapper(SimpleNamespace(host="h", port=443, is_ssl=True, ssl=True), inner)
    outer.__cause__ = inner
    trouble = from_exception(outer, "h")
    assert trouble.kind is TroubleKind.TLS
    assert "no trusted connection to h: self-signed certificate" in trouble.text


def test_an_error_that_causes_itself_ends_the_search():
    error = RuntimeError("loop")
    error.__cause__ = error
    assert from_exception(error, "h").kind is TroubleKind.NETWORK


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (451, TroubleKind.REGION),
        (403, TroubleKind.FORBIDDEN),
        (429, TroubleKind.LIMIT),
        (418, TroubleKind.LIMIT),
        (502, TroubleKind.HTTP),
    ],
)
def test_a_status_where_a_stream_was_expected(status, kind):
    trouble = from_status(status, "h", 7.0)
    assert trouble.kind is kind
    assert str(status) in trouble.text
    assert trouble.retry_after_s == 7.0
