"""The search for secrets finds what it is meant to find: a search that finds nothing anywhere proves nothing."""

import base64
from urllib.parse import quote

import pytest

from tests.support.secrets import canary, leaks, leaks_in

ONE = canary("one", seed=1, extra="+/=")
RAW = ONE.value


@pytest.mark.parametrize(
    "text",
    [
        RAW,
        f"https://host/bot123:{RAW}/getMe",
        quote(RAW, safe=""),
        f"half {RAW[:18]} of it",
        f"the other {RAW[18:]} half",
        RAW.encode().hex(),
        *(base64.b64encode((before + RAW).encode()).decode() for before in ("", "u", "us", "use", "user:", "someone:")),
        base64.urlsafe_b64encode(f"{RAW}:x".encode()).decode(),
    ],
)
def test_every_form_is_found(text):
    assert leaks([ONE], "there", f"before {text} after")[0].startswith("one in there: ")


def test_others_are_not():
    assert leaks([ONE], "there", canary("two", seed=1).value + "0123456789" * 20) == []


def test_secrets_of_the_simulated_chats_are_known():
    assert leaks_in("… SIMULATEDtokenSIMULATEDtokenSIMULATE …")
    assert leaks_in("password=Canary1")
    assert not leaks_in("canary.discord.com")
