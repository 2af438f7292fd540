"""What every `ChatAlertStore` promises."""

from dataclasses import replace

import pytest

from bot.model.alert import FOREVER_MS, AlertRecord, State
from bot.model.chat_alert import STORED_COLUMNS


async def test_what_is_added_is_found_whole(ports, make):
    plain = make.chat_alert()
    full = make.chat_alert(
        1,
        op="<=",
        level=-0.0005,
        clear_op=">",
        clear_level=0.30000000000000004,
        is_ratio=False,
        cooldown_ms=1,
        for_ms=2,
        repeat_ms=3,
        escalate=0.1,
        once=True,
        severity="critical",
    )
    assert await ports.chat_alerts.add(plain)
    assert await ports.chat_alerts.add(full)
    assert await ports.chat_alerts.of_chat("telegram:-1001", limit=9) == [plain, full]


async def test_an_id_that_is_taken_changes_nothing(ports, make):
    first = make.chat_alert()
    assert await ports.chat_alerts.add(first)
    assert not await ports.chat_alerts.add(make.chat_alert(level=0.9))
    assert await ports.chat_alerts.of_chat(first.chat, limit=9) == [first]


async def test_pages_are_of_one_chat_and_the_oldest_first(ports, make):
    mine = [make.chat_alert(n) for n in range(5)]
    other = make.chat_alert(9, chat="terminal")
    for alert in (*reversed(mine), other):
        await ports.chat_alerts.add(alert)
    assert await ports.chat_alerts.of_chat("telegram:-1001", limit=2) == mine[:2]
    assert await ports.chat_alerts.of_chat("telegram:-1001", limit=2, offset=4) == mine[4:]
    assert await ports.chat_alerts.count("telegram:-1001") == 5
    assert await ports.chat_alerts.count("terminal") == 1
    assert await ports.chat_alerts.count("telegram:-10") == 0


async def test_a_prefix_finds_only_what_is_in_the_chat(ports, make):
    alerts = sorted((make.chat_alert(n) for n in range(40)), key=lambda a: a.id)
    for alert in alerts:
        await ports.chat_alerts.add(alert)
    one = alerts[7]
    assert await ports.chat_alerts.find(one.chat, one.id, limit=2) == [one]
    assert await ports.chat_alerts.find(one.chat, "a-", limit=3) == alerts[:3]
    assert await ports.chat_alerts.find(one.chat, one.id[:4], limit=9) == [
        a for a in alerts if a.id.startswith(one.id[:4])
    ]
    assert await ports.chat_alerts.find("terminal", one.id, limit=2) == []
    assert await ports.chat_alerts.find(one.chat, "%", limit=2) == []


@pytest.mark.parametrize("batch", [1, 3, 100])
async def test_stored_ones_come_in_batches_of_columns(ports, make, batch):
    alerts = sorted((make.chat_alert(n, chat=f"telegram:{n % 2}", once=n == 3) for n in range(7)), key=lambda a: a.id)
    for alert in alerts:
        await ports.chat_alerts.add(alert)
    found = [part async for part in ports.chat_alerts.stored(cool_ms=0, batch=batch)]
    for name in STORED_COLUMNS:
        assert [value for part in found for value in getattr(part, name)] == [getattr(a, name) for a in alerts], name
    assert all(len(part.id) <= batch for part in found)
    assert not any(any(part.is_armed) or any(part.is_done) or part.lives for part in found)


async def test_stored_ones_come_with_their_lives(ports, make):
    alerts = [make.chat_alert(n) for n in range(7)]
    armed, firing, pending, cooling, cold, done, other = alerts
    lives = [
        life(armed),
        life(firing, State.FIRING, key="k", value=1.0, cooldown_until_ms=5),
        life(pending, State.PENDING, pending_since_ms=9),
        life(cooling, cooldown_until_ms=1_000),
        life(cold, cooldown_until_ms=999),
        life(done, cooldown_until_ms=FOREVER_MS),
        replace(life(other, State.FIRING), condition="of before"),
    ]
    for alert in alerts:
        await ports.chat_alerts.add(alert)
    await ports.alerts.commit(make.commit(records=lives))
    assert await ports.alerts.load() == [], "they are no business of those who load rules"
    [many] = [part async for part in ports.chat_alerts.stored(cool_ms=1_000)]
    armed_ids = [id_ for id_, is_armed in zip(many.id, many.is_armed, strict=True) if is_armed]
    assert sorted(armed_ids) == sorted(a.id for a in alerts if a is not other)
    assert [id_ for id_, is_done in zip(many.id, many.is_done, strict=True) if is_done] == [done.id]
    # Of another condition than its own, nothing is taken up.
    own = [one for one in many.lives if one.condition == one.rule_id]
    assert sorted(own, key=lambda r: r.rule_id) == sorted(lives[1:4], key=lambda r: r.rule_id)


async def test_lives_of_deleted_ones_are_orphans_while_they_fire(ports, make):
    kept, gone, quiet = (make.chat_alert(n) for n in range(3))
    for alert in (kept, gone, quiet):
        await ports.chat_alerts.add(alert)
    fires = [life(kept, State.FIRING), life(gone, State.FIRING), life(quiet)]
    await ports.alerts.commit(make.commit(records=fires))
    for alert in (gone, quiet):
        await ports.chat_alerts.delete(alert.id, at_ms=1)
    assert await ports.chat_alerts.orphans() == [fires[1]]


def life(alert, state=State.INACTIVE, **changes):
    return AlertRecord(alert.id, alert.instrument, alert.id, state, **changes)


async def test_a_deleted_alert_takes_its_life_with_it_unless_it_fires(ports, make):
    quiet, firing = make.chat_alert(0), make.chat_alert(1)
    lives = [make.record(rule_id=quiet.id, state=State.INACTIVE), make.record(rule_id=firing.id)]
    rule = make.record()
    await ports.alerts.commit(make.commit(records=[*lives, rule]))
    for alert in (quiet, firing):
        await ports.chat_alerts.add(alert)
        assert await ports.chat_alerts.delete(alert.id, at_ms=5)
        assert not await ports.chat_alerts.delete(alert.id, at_ms=5)
    assert await ports.chat_alerts.count(quiet.chat) == 0
    assert await ports.alerts.load() == [rule]
    assert await ports.chat_alerts.orphans() == [lives[1]]


async def test_pruning_forgets_lives_of_alerts_that_are_gone(ports, make):
    kept, gone, firing = make.chat_alert(0), make.chat_alert(1), make.chat_alert(2)
    await ports.chat_alerts.add(kept)
    idle = [make.record(rule_id=a.id, state=State.INACTIVE) for a in (kept, gone)]
    rule = make.record(state=State.INACTIVE)
    await ports.alerts.commit(make.commit(records=[*idle, make.record(rule_id=firing.id), rule]))
    assert await ports.chat_alerts.prune(before_ms=0) == 1
    assert await ports.chat_alerts.prune(before_ms=0) == 0
    assert await ports.alerts.load() == [rule]
    assert [r.rule_id for r in await ports.chat_alerts.orphans()] == [firing.id]
    assert await ports.chat_alerts.restore(kept.chat, kept.id) is None


async def test_a_deleted_alert_comes_back_without_its_life_until_it_is_forgotten(ports, make):
    alert = make.chat_alert()
    await ports.chat_alerts.add(alert)
    assert await ports.chat_alerts.restore(alert.chat, alert.id) is None
    await ports.chat_alerts.delete(alert.id, at_ms=5)
    assert not await ports.chat_alerts.add(alert)
    assert await ports.chat_alerts.count(alert.chat) == 0
    assert await ports.chat_alerts.find(alert.chat, alert.id, limit=2) == []
    assert [batch async for batch in ports.chat_alerts.stored(cool_ms=0)] == []
    assert await ports.chat_alerts.restore("telegram:other", alert.id) is None
    assert await ports.chat_alerts.restore(alert.chat, alert.id, user="somebody else") is None
    assert await ports.chat_alerts.restore(alert.chat, alert.id, user=alert.user) == alert
    assert await ports.chat_alerts.of_chat(alert.chat, limit=9) == [alert]
    await ports.chat_alerts.delete(alert.id, at_ms=5)
    await ports.chat_alerts.prune(before_ms=5)
    assert await ports.chat_alerts.restore(alert.chat, alert.id) == alert
    await ports.chat_alerts.delete(alert.id, at_ms=5)
    await ports.chat_alerts.prune(before_ms=6)
    assert await ports.chat_alerts.restore(alert.chat, alert.id) is None


async def test_those_whose_time_is_over_are_found_the_first_first(ports, make):
    late, soon, never = (make.chat_alert(created_ms=n, ends_ms=ends) for n, ends in ((1, 30), (2, 20), (3, None)))
    for alert in (late, soon, never):
        await ports.chat_alerts.add(alert)
    assert await ports.chat_alerts.ended(19, limit=9) == []
    assert await ports.chat_alerts.ended(30, limit=9) == [soon, late]
    assert await ports.chat_alerts.ended(30, limit=1) == [soon]
    await ports.chat_alerts.delete(soon.id, at_ms=5)
    assert await ports.chat_alerts.ended(30, limit=9) == [late]


async def test_what_stands_in_the_place_of_a_changed_one_is_found_over_several_changes(ports, make):
    first = make.chat_alert(0, created_ms=100)
    second, third = (replace(make.chat_alert(n), instrument=first.instrument, created_ms=100 * (n + 1)) for n in (1, 2))
    elsewhere = replace(make.chat_alert(3), instrument="binance:OTHERUSDT", created_ms=200)
    later = replace(make.chat_alert(4), instrument=first.instrument, created_ms=201)
    of_another_chat = replace(make.chat_alert(5, chat="terminal"), instrument=first.instrument, created_ms=200)
    for alert in (first, second, elsewhere, later, of_another_chat):
        await ports.chat_alerts.add(alert)
    assert await ports.chat_alerts.in_place_of(first.chat, first.id) is None, "it is there itself"
    await ports.chat_alerts.delete(first.id, at_ms=200)
    assert await ports.chat_alerts.in_place_of(first.chat, first.id) == second
    assert await ports.chat_alerts.in_place_of("terminal", first.id) is None
    assert await ports.chat_alerts.in_place_of(first.chat, "a-00000000") is None
    await ports.chat_alerts.add(third)
    await ports.chat_alerts.delete(second.id, at_ms=300)
    for one in (first, second):
        assert await ports.chat_alerts.in_place_of(one.chat, one.id) == third
    await ports.chat_alerts.delete(third.id, at_ms=999)
    assert await ports.chat_alerts.in_place_of(first.chat, first.id) is None
    await ports.chat_alerts.restore(third.chat, third.id)
    assert await ports.chat_alerts.in_place_of(first.chat, first.id) == third
