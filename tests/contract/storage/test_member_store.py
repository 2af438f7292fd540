"""What every `MemberStore` promises."""

import asyncio
from dataclasses import replace

from bot.model.members import EXPIRED_KEPT_MS, HOUR_MS, MAX_WRONG, Code, Member, Redeemed, Role

NOW = 10 * HOUR_MS
ANN = Member("telegram:71", Role.OWNER, "telegram:71", "Ann 币", NOW)
BOB = Member("telegram:72", Role.OWNER, "telegram:72", "Bob", NOW + 1)


def code(digest="d1", **changes):
    values = {"kind": "claim", "role": Role.OWNER, "made_ms": NOW, "expires_ms": NOW + 900_000}
    return Code(digest, **(values | changes))


async def test_a_code_is_taken_once_and_makes_its_role(ports):
    store = ports.members
    await store.put_code(code(), alone=True)
    assert await store.owner() is None
    assert await store.redeem("d1", "claim", replace(ANN, role=Role.VIEWER), now_ms=NOW) is Redeemed.TAKEN
    assert await store.owner() == ANN
    assert await store.redeem("d1", "claim", BOB, now_ms=NOW) is Redeemed.EXPIRED
    assert await store.all() == [ANN]


async def test_a_code_ends_at_its_time_to_the_millisecond(ports):
    store = ports.members
    await store.put_code(code(), alone=True)
    await store.put_code(code("d2"), alone=False)
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + 900_000) is Redeemed.EXPIRED
    assert await store.owner() is None
    assert await store.redeem("d2", "claim", ANN, now_ms=NOW + 899_999) is Redeemed.TAKEN


async def test_codes_of_another_kind_open_nothing(ports):
    store = ports.members
    await store.put_code(code("d1", kind="invite", role=Role.MEMBER, uses_left=2, by="telegram:71"), alone=True)
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW) is Redeemed.WRONG
    assert await store.redeem("d1", "invite", ANN, now_ms=NOW) is Redeemed.TAKEN
    assert await store.redeem("d1", "invite", BOB, now_ms=NOW) is Redeemed.TAKEN
    assert await store.redeem("d1", "invite", BOB, now_ms=NOW) is Redeemed.EXPIRED
    assert [(m.role, m.by) for m in await store.all()] == [(Role.MEMBER, "telegram:71")] * 2


async def test_nobody_loses_a_role_by_a_lesser_code(ports):
    store = ports.members
    await store.put(ANN)
    await store.put_code(code("d1", kind="invite", role=Role.VIEWER), alone=True)
    assert await store.redeem("d1", "invite", ANN, now_ms=NOW) is Redeemed.TAKEN
    assert await store.all() == [ANN]
    await store.put(replace(BOB, role=Role.VIEWER))
    await store.put_code(code("d2", kind="invite", role=Role.ADMIN), alone=True)
    assert await store.redeem("d2", "invite", BOB, now_ms=NOW) is Redeemed.TAKEN
    assert [m.role for m in await store.all()] == [Role.OWNER, Role.ADMIN]


async def test_a_new_owner_takes_the_place_of_the_old(ports):
    store = ports.members
    await store.put(ANN)
    await store.put_code(code(), alone=True)
    assert await store.redeem("d1", "claim", BOB, now_ms=NOW) is Redeemed.TAKEN
    assert await store.owner() == BOB
    assert await store.all() == [BOB]


async def test_twenty_wrong_codes_in_an_hour_close_the_door_to_all(ports):
    store = ports.members
    await store.put_code(code(expires_ms=NOW + 2 * HOUR_MS), alone=True)
    for n in range(MAX_WRONG):
        guesser = replace(BOB, user=f"telegram:{n}")
        assert await store.redeem(f"wrong{n}", "claim", guesser, now_ms=NOW) is Redeemed.WRONG
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + 1) is Redeemed.CLOSED
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + HOUR_MS - 1) is Redeemed.CLOSED
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + HOUR_MS) is Redeemed.TAKEN


async def test_wrong_codes_of_one_kind_close_the_door_for_all(ports):
    store = ports.members
    await store.put_code(code("d1", kind="invite", role=Role.MEMBER), alone=True)
    for n in range(MAX_WRONG):
        await store.redeem(f"wrong{n}", "claim", BOB, now_ms=NOW)
    assert await store.redeem("d1", "invite", ANN, now_ms=NOW) is Redeemed.CLOSED
    await store.put_code(code("d2"), alone=True)
    assert await store.redeem("d1", "invite", ANN, now_ms=NOW) is Redeemed.TAKEN


async def test_a_code_made_alone_voids_the_others_and_opens_the_door(ports):
    store = ports.members
    await store.put_code(code(), alone=True)
    for n in range(MAX_WRONG):
        await store.redeem(f"wrong{n}", "claim", BOB, now_ms=NOW)
    await store.put_code(code("d2"), alone=True)
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW) is Redeemed.EXPIRED
    assert await store.redeem("d2", "claim", ANN, now_ms=NOW) is Redeemed.TAKEN


async def test_a_person_is_forgotten_once(ports):
    await ports.members.put(ANN)
    assert await ports.members.drop(ANN.user)
    assert not await ports.members.drop(ANN.user)
    assert await ports.members.all() == []


async def test_old_codes_and_tries_go(ports):
    store = ports.members
    await store.put_code(code(), alone=True)
    await store.redeem("wrong", "claim", BOB, now_ms=NOW)
    assert await store.prune(now_ms=NOW + HOUR_MS - 1) == 0
    assert await store.prune(now_ms=NOW + HOUR_MS) == 1
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + HOUR_MS) is Redeemed.EXPIRED
    assert await store.prune(now_ms=NOW + 900_001 + EXPIRED_KEPT_MS) == 1
    assert await store.redeem("d1", "claim", ANN, now_ms=NOW + HOUR_MS) is Redeemed.WRONG


async def test_of_two_who_show_it_at_once_one_gets_in(ports):
    await ports.members.put_code(code(), alone=True)
    both = await asyncio.gather(*(ports.members.redeem("d1", "claim", who, now_ms=NOW) for who in (ANN, BOB)))
    assert sorted(both) == [Redeemed.EXPIRED, Redeemed.TAKEN]
