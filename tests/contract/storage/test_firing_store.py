"""What fired, how it ended and who was told, read back."""

from bot.model.alert import State, alert_key
from bot.model.dashboard import Receipt
from bot.model.outbox import Delivered, Kept, Message, Rejected
from bot.model.outbox_ports import Commit


def key(fired_ms: int) -> str:
    return alert_key("oi_surge", "binance:BTCUSDT", fired_ms)


async def fire(ports, make, at_ms: int, *rows, **changes) -> None:
    values = {"at_ms": at_ms, "key": key(at_ms), **changes}
    await ports.alerts.commit(Commit((), (make.transition(**values),), tuple(rows)))


async def test_a_firing_knows_its_end_and_what_was_told(ports, make):
    await fire(ports, make, 1_000, make.row(1_000, destination="main"), make.row(1_000, destination="discord"))
    await fire(ports, make, 9_000)
    end = make.transition(state=State.CLOSED, at_ms=5_000, key=key(1_000), value=0.01, reason="delisted")
    await ports.alerts.commit(Commit((), (end,), ()))
    row = make.row(1_000, destination="main")
    sent = Message("m1", "main", (row.id,), 1)
    await ports.outbox.begin(sent)
    await ports.outbox.settle(sent, Delivered("7"), now_ms=1_350)

    newest, first = await ports.firings.firings(limit=10, own=())
    assert (newest.fired.at_ms, newest.ended, newest.title, newest.receipts) == (9_000, None, "", ())
    assert (first.fired.at_ms, first.fired.value, first.ended) == (1_000, 0.06, end)
    assert (first.title, first.severity, first.value_text) == ("OI surge", "warning", "pct(oi, 15m)")
    assert first.is_ratio
    assert first.receipts == (Receipt("main", "delivered", 350), Receipt("discord", "waiting", None))


async def test_what_was_given_up_or_kept_is_told_as_such(ports, make):
    kept, given_up = make.row(1_000, destination="quiet"), make.row(1_000, destination="main")
    change = Commit((), (make.transition(key=key(1_000)),), (given_up,), kept=(Kept(kept, "silence s-1", 99_000),))
    await ports.alerts.commit(change)
    sent = Message("m1", "main", (given_up.id,), 1)
    await ports.outbox.settle(sent, Rejected("no such chat"), now_ms=2_000)
    (found,) = await ports.firings.firings(limit=10, own=())
    assert set(found.receipts) == {Receipt("main", "buried", None), Receipt("quiet", "muted", None)}


async def test_a_delivery_stamped_before_its_firing_took_no_time(ports, make):
    row = make.row(9_000, destination="main", created_ms=9_000)
    await fire(ports, make, 9_000, row)
    await ports.outbox.settle(Message("m1", "main", (row.id,), 1), Delivered("7"), now_ms=8_990)
    (found,) = await ports.firings.firings(limit=1, own=())
    assert found.receipts == (Receipt("main", "delivered", 0),)


async def test_alerts_of_other_chats_are_left_out(ports, make):
    for n, rule_id in enumerate(("oi_surge", "a-7q4mk2px", "c_levels", "w-7q4mk2px", "a-00000000", "c-not-private")):
        await fire(ports, make, 1_000 + n, rule_id=rule_id)
    shown = await ports.firings.firings(limit=10, own=["a-7q4mk2px"])
    assert [one.fired.rule_id for one in shown] == ["c-not-private", "a-7q4mk2px", "oi_surge"]


async def test_the_newest_are_kept_and_a_symbol_narrows(ports, make):
    for n in range(5):
        await fire(ports, make, n, symbol="BTCUSDT" if n % 2 else "ETHUSDT")
    assert [one.fired.at_ms for one in await ports.firings.firings(limit=2, own=())] == [4, 3]
    assert [one.fired.at_ms for one in await ports.firings.firings(limit=9, own=(), symbol="BTCUSDT")] == [3, 1]


async def test_firings_are_counted_by_rule(ports, make):
    for at_ms, rule_id in ((1, "a"), (5, "a"), (6, "a"), (7, "b")):
        await fire(ports, make, at_ms, rule_id=rule_id)
    await ports.alerts.commit(Commit((), (make.transition(rule_id="b", state=State.RESOLVED, at_ms=8, key="k"),), ()))
    assert await ports.firings.counts(since_ms=5) == {"a": 2, "b": 1}
