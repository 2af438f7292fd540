"""Links that make an owner: their form, their life, and what is told about them."""

import re

import pytest

from bot.chat.claims import LIFE_MS, Claims, answer_to, link_of, shown_code
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.errors import StorageError
from bot.log import redact
from bot.model.members import Member, Redeemed, Role
from bot.storage.memory import MemoryMemberStore
from bot.storage.memory_access import MemoryAuditLog


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def claims(clock):
    return Claims(MemoryMemberStore(), clock)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("/start claim_aB-_9", "aB-_9"),
        ("  /start   claim_x ", "x"),
        ("/start@my_bot claim_x", "x"),
        ("/start", None),
        ("/start claim_", None),
        ("/start claim_a b", None),
        ("/start claim_a\n", "a"),
        ("/start claim_é", None),
        ("/start inv_x", None),
        ("say /start claim_x", None),
        ("/start claim_" + "x" * 65, None),
        ("", None),
    ],
)
def test_what_is_a_shown_code(text, code):
    assert shown_code(text) == code


async def test_a_link_carries_what_telegram_allows_and_is_redacted(claims):
    codes = [await claims.issue() for _ in range(50)]
    assert len(set(codes)) == 50
    for code in codes:
        link = link_of("my_bot", code)
        payload = link.removeprefix("https://t.me/my_bot?start=")
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload)
        assert shown_code(f"/start {payload}") == code
        assert len(code) == 22, "128 bits in base64"
        assert code not in redact(f"x {link} y")


async def test_who_became_the_owner_stands_in_the_audit_log(clock):
    audit = MemoryAuditLog()
    claims = Claims(MemoryMemberStore(), clock, audit)
    await claims.redeem("wrong", user_id=70, name="Guess")
    await claims.redeem(await claims.issue(), user_id=71, name="Ann")
    assert [(one.user, one.what) for one in audit.changes] == [("telegram:71", "became the owner by a link")]


async def test_an_audit_log_that_cannot_be_written_hinders_nobody(clock):
    class Full:
        async def add(self, _change):
            raise StorageError("disk full")

    claims = Claims(MemoryMemberStore(), clock, Full())
    assert (await claims.redeem(await claims.issue(), user_id=71, name="Ann"))[0] is Redeemed.TAKEN


async def test_a_link_makes_an_owner_once_and_only_the_newest_does(claims, clock):
    old = await claims.issue()
    code = await claims.issue()
    assert (await claims.redeem(old, user_id=71, name="Ann"))[0] is Redeemed.EXPIRED
    redeemed, owner = await claims.redeem(code, user_id=71, name="Ann")
    assert redeemed is Redeemed.TAKEN
    assert owner == Member("telegram:71", Role.OWNER, "telegram:71", "Ann", clock.wall_ms())
    assert await claims.owner() == owner
    assert (await claims.redeem(code, user_id=72, name="Bob"))[0] is Redeemed.EXPIRED
    assert await claims.owner() == owner


async def test_a_link_lives_a_quarter_of_an_hour(claims, clock):
    code = await claims.issue()
    await clock.advance(LIFE_MS / 1000)
    assert (await claims.redeem(code, user_id=71, name="Ann"))[0] is Redeemed.EXPIRED


async def test_the_store_never_sees_a_code():
    seen = []

    class Store(MemoryMemberStore):
        async def put_code(self, code, *, alone):
            seen.append(code)
            await super().put_code(code, alone=alone)

    code = await Claims(Store(), ManualClock()).issue()
    assert code not in repr(seen)
    assert len(seen[0].digest) == 64


def test_each_outcome_says_what_to_do():
    for outcome in Redeemed:
        text = to_plain(answer_to(outcome))
        assert ("oibot claim" in text) is (outcome is not Redeemed.TAKEN)
