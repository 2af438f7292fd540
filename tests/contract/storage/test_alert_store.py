"""What every `AlertStore` and `KeyValues` promises."""

from bot.model.alert import State, alert_key, short_id
from bot.model.outbox import Delivered, Fold, Kept, Message, Rejected
from bot.model.outbox_ports import Commit


async def test_what_is_committed_is_loaded(ports, make):
    records = [
        make.record(fired_ms=5, value=0.06, peak=None, told_value=0.061, key="abc", n_told=2),
        make.record(instrument="*", state=State.PENDING, held_ms=12, pending_since_ms=3),
        make.record(instrument="binance:XUSDT", state=State.INACTIVE, n_held=4),
    ]
    await ports.alerts.commit(make.commit(records=records))
    assert sorted(await ports.alerts.load(), key=lambda r: r.instrument) == sorted(records, key=lambda r: r.instrument)


async def test_a_record_is_replaced_by_its_rule_and_instrument(ports, make):
    await ports.alerts.commit(make.commit(records=[make.record()]))
    newer = make.record(state=State.INACTIVE, cooldown_until_ms=99, condition="c2", n_held=1)
    await ports.alerts.commit(make.commit(records=[newer]))
    assert await ports.alerts.load() == [newer]


async def test_transitions_come_newest_first_and_by_filter(ports, make):
    first = make.transition()
    second = make.transition(at_ms=2000, state=State.RESOLVED, value=None)
    market = make.transition(at_ms=1500, rule_id="breadth", venue="", symbol="*")
    other_venue = make.transition(at_ms=1600, venue="bybit")
    await ports.alerts.commit(make.commit(transitions=[first, second, market, other_venue]))
    assert await ports.alerts.transitions() == [second, other_venue, market, first]
    assert await ports.alerts.transitions(rule_id="breadth") == [market]
    assert await ports.alerts.transitions(instrument="*") == [market]
    assert await ports.alerts.transitions(instrument="binance:BTCUSDT") == [second, first]
    assert await ports.alerts.transitions(since_ms=1600) == [second, other_venue]
    assert await ports.alerts.transitions(limit=1) == [second]


async def test_a_firing_is_found_by_the_beginning_of_its_id(ports, make):
    keys = [alert_key("oi_surge", "binance:BTCUSDT", n) for n in range(200)]
    fired = [make.transition(key=key, at_ms=n) for n, key in enumerate(keys)]
    pending = make.transition(key="", state=State.PENDING, at_ms=999)
    await ports.alerts.commit(make.commit(transitions=[*fired, pending]))

    for n in (0, 7, 199):
        whole = short_id(keys[n])
        assert await ports.alerts.by_id(whole) == [fired[n]]
        assert await ports.alerts.by_id(whole[:5].upper()) == [fired[n]]
    first = short_id(keys[3])[0]
    same = [t for t in reversed(fired) if t.id.startswith(first)]
    assert await ports.alerts.by_id(first) == same
    assert await ports.alerts.by_id(first, limit=1) == same[:1]
    for nothing in ("", "u", "#123", "123456789", "é"):
        assert await ports.alerts.by_id(nothing) == []


async def test_of_two_transitions_at_one_time_the_later_stored_is_the_newer(ports, make):
    fired, resolved = make.transition(), make.transition(state=State.RESOLVED)
    await ports.alerts.commit(make.commit(transitions=[fired, resolved]))
    assert await ports.alerts.transitions() == [resolved, fired]


async def test_a_second_commit_of_the_same_facts_changes_nothing(ports, make):
    change = make.commit(transitions=[make.transition()], rows=[make.row()])
    await ports.alerts.commit(change)
    [row] = await ports.outbox.waiting("main", now_ms=0, limit=9)
    await ports.alerts.commit(change)
    assert await ports.outbox.waiting("main", now_ms=0, limit=9) == [row]
    assert len(await ports.alerts.transitions()) == 1


async def test_pruning_forgets_what_is_old_and_settled(ports, make, settle):
    old, recent, firing, waiting = (make.row(fired_ms=n) for n in (1, 2, 3, 4))
    await ports.alerts.commit(
        make.commit(
            records=[make.record(key=firing.key)],
            transitions=[make.transition(at_ms=10), make.transition(at_ms=2000)],
            rows=[old, recent, firing, waiting],
        )
    )
    await settle(old, now_ms=10)
    await settle(recent, now_ms=2000)
    await settle(firing, now_ms=10)
    assert await ports.alerts.prune(before_ms=1000) == 2
    assert [t.at_ms for t in await ports.alerts.transitions()] == [2000]
    assert await ports.outbox.message_of(old.key, "fire", "main") is None
    assert await ports.outbox.message_of(recent.key, "fire", "main")
    assert await ports.outbox.message_of(firing.key, "fire", "main"), "its end needs the message to edit"
    assert await ports.outbox.waiting("main", now_ms=0, limit=9) == [waiting], "what waits is never forgotten"


async def test_values_are_kept_and_replaced(ports):
    assert await ports.values.get("offset") is None
    await ports.values.put("offset", "1")
    await ports.values.put("offset", "2")
    await ports.values.put("币", "")
    assert await ports.values.get("offset") == "2"
    assert await ports.values.get("币") == ""


async def test_firings_are_counted_by_rule_from_a_time_on(ports, make):
    told = [
        make.transition(at_ms=10),
        make.transition(at_ms=20),
        make.transition(at_ms=21, state=State.RESOLVED, value=None),
        make.transition(at_ms=30, symbol="ETHUSDT"),
        make.transition(at_ms=25, rule_id="flush", key="", state=State.PENDING),
    ]
    await ports.alerts.commit(make.commit(transitions=told))
    [rule_id] = {t.rule_id for t in told} - {"flush"}
    assert dict(await ports.alerts.fired(0)) == {rule_id: 3}
    assert dict(await ports.alerts.fired(20)) == {rule_id: 2}
    assert dict(await ports.alerts.fired(31)) == {}


async def test_who_was_told_what_fires_is_known_whatever_became_of_it(ports, make):
    """Waiting, delivered, buried, kept and folded; by an escalation too, but not by an update, and not of what ended."""
    rows = {name: make.row(destination=name) for name in ("waiting", "delivered", "buried", "kept", "folded")}
    later = make.row(kind="escalate", n=1, destination="later")
    update = make.row(kind="update", n=1, destination="updated")
    ended = make.row(2000, destination="waiting")
    key = later.key
    muted = tuple(Kept(rows[name], "silence s-1", 9000) for name in ("kept", "folded"))
    told = (rows["waiting"], rows["delivered"], rows["buried"], later, update, ended)
    firing = (make.record(key=key), make.record(rule_id="over", state=State.INACTIVE, key=ended.key))
    await ports.alerts.commit(Commit(firing, (), told, kept=muted))
    await ports.alerts.commit(Commit((), (), (), folded=(Fold(key, "folded"),)))
    for name, outcome in (("delivered", Delivered("7")), ("buried", Rejected("blocked"))):
        message = Message(name, name, (rows[name].id,), 0)
        await ports.outbox.settle(message, outcome, now_ms=2000)

    found = await ports.alerts.followed()

    assert {key: sorted(names) for key, names in found.items()} == {key: sorted([*rows, "later"])}


async def test_who_was_told_follows_a_destination_to_another_name(ports, make):
    row = make.row()
    others = [make.row(kind="escalate", n=n, destination="other") for n in (1, 2)]
    await ports.alerts.commit(make.commit([make.record(key=row.key)], rows=[row, *others]))
    assert await ports.alerts.followed() == {row.key: ("main", "other")}

    await ports.moves.rename("main", "other")

    assert await ports.alerts.followed() == {row.key: ("other",)}


async def test_that_a_firing_was_told_nobody_is_known_too(ports, make):
    update = make.row(kind="update")
    firing = (make.record(key=update.key), make.record(rule_id="over", state=State.INACTIVE, key="k"))
    await ports.alerts.commit(make.commit(firing, rows=[update]))

    assert await ports.alerts.followed() == {update.key: ()}


async def test_who_was_told_an_alert_of_a_chat_is_known_too(ports, make):
    alert, row = make.chat_alert(), make.row(destination="telegram:-1001")
    await ports.chat_alerts.add(alert)
    await ports.alerts.commit(make.commit([make.record(rule_id=alert.id, key=row.key)], rows=[row]))

    assert await ports.alerts.followed() == {row.key: ("telegram:-1001",)}
