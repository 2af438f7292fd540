"""Whatever happens and however a chat misbehaves: every row is told once, in order, and no end comes without its firing."""

import asyncio
import contextlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.delivery.destination import Form, TargetGone, Unlayable
from bot.delivery.lanes import Lanes
from bot.delivery.manners import Manners
from bot.delivery.markup import to_plain
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Delivered, OutboxRow, RetryLater, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView, Move
from bot.storage.memory import MemoryAlertStore, MemoryKeyValues, MemoryOutbox

START_MS = 1_795_444_260_000
ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})")
ENDS = {TellKind.END, TellKind.CLOSE}


class Chat:
    """Answers from a script, and keeps what it took: also what it took without saying so."""

    name = "chat"
    fingerprint = ""
    held_s = 0.0

    def __init__(self, script):
        self.script = list(script)
        self.taken = []
        self.n_doubtful = 0
        self.n = 0

    def take_slot(self, *, urgent):
        return 0.0

    def free_slot(self):
        pass

    def hold(self, seconds):
        pass

    async def send(self, order):
        kind = self.script.pop(0) if self.script else "ok"
        if not order.rows:
            return Delivered(None)
        self.n += 1
        match kind:
            case "later":
                return RetryLater(1.0, "busy")
            case "long":
                return RetryLater(1_500.0, "busy for long")
            case "lost" | "unsaid":
                self.n_doubtful += 1
                if kind == "unsaid":
                    self.taken.append(order)
                return RetryLater(1.0, "no answer", ambiguous=True)
            case "gone" if order.form is not Form.NEW:
                return TargetGone("deleted")
            case "unlayable" if not order.plain:
                return Unlayable("refused")
        self.taken.append(order)
        return Delivered(str(self.n) if kind != "no id" else None)


def row_of(symbol, kind, n, at_s, severity, rule):
    key = alert_key(rule, symbol, START_MS)
    view = AlertView(
        rule_id=rule,
        title=rule,
        symbol=symbol,
        venue="v",
        base=symbol,
        severity=severity,
        short_id=short_id(key),
        kind=kind,
        at_ms=START_MS + at_s * 1000,
        fired_ms=START_MS,
        condition="c",
        value_text="pct(oi, 15m)",
        value=0.06,
        value_is_ratio=True,
        oi=Move(900_000, 0.06, 100.0, 106.0),
    )
    kind = TellKind(kind)
    return OutboxRow(row_id(key, kind, n, "chat"), key, kind, "chat", severity, view.at_ms, view)


@st.composite
def lives(draw):
    """Alerts with the seconds of their firing, updates and end; many fire in the same moment."""
    alerts = []
    for i in range(draw(st.integers(1, 40))):
        fired = draw(st.sampled_from([0, 0, 0, 1, 5, 30]))
        times = sorted(draw(st.lists(st.integers(fired, 200), max_size=3)))
        ends = draw(st.one_of(st.none(), st.integers(max([fired, *times]), 300)))
        severity = draw(st.sampled_from(["info", "warning", "warning", "critical"]))
        rule = draw(st.sampled_from(["surge", "surge", "flush", "a-7q4mk2px"]))
        rows = [(fired, "fire", 0), *((at, "escalate", n + 1) for n, at in enumerate(times))]
        rows += [(ends, "end", 0)] if ends is not None else []
        alerts.append([(at, row_of(f"C{i}", kind, n, at, severity, rule)) for at, kind, n in rows])
    return alerts


FAULTS = st.lists(
    st.sampled_from(["ok", "ok", "ok", "later", "long", "lost", "unsaid", "gone", "unlayable", "no id"]), max_size=12
)


async def tell(alerts, script, manners, stops):
    """Play the lives on virtual time, with restarts; return the chat and the outbox."""
    clock = ManualClock(wall_ms=START_MS)
    outbox, chat = MemoryOutbox(), Chat(script)
    store, keep = MemoryAlertStore(outbox), MemoryKeyValues()
    events = sorted(((at, i, row) for i, alert in enumerate(alerts) for at, row in alert), key=lambda e: e[:2])
    now = 0

    def start():
        lanes = Lanes(
            outbox=outbox, destinations=[chat], clock=clock, manners=manners, store=keep, n_instruments=lambda: 60
        )
        return lanes, asyncio.create_task(lanes.run())

    async def stop(task):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    lanes, task = start()
    for at in sorted({*(e[0] for e in events), *stops}):
        await clock.advance(at - now)
        now = at
        await store.commit(Commit((), (), tuple(row for when, _, row in events if when == at)))
        lanes.notify()
        if at in stops:
            await stop(task)
            lanes, task = start()
    for _ in range(60):
        await clock.advance(120)
        if not (await outbox.counts())["waiting"]:
            break
    await stop(task)
    return chat, outbox


@pytest.mark.promise("P1")
@pytest.mark.promise("P3")
@pytest.mark.promise("P4")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lives(),
    FAULTS,
    st.sampled_from([Manners(), Manners(per_minute=3, critical_per_minute=2), Manners(at_once=1, per_minute=5)]),
    st.lists(st.integers(0, 250), max_size=2),
)
def test_every_row_is_told_in_order(alerts, script, manners, stops):
    chat, outbox = asyncio.run(tell(alerts, script, manners, stops))
    rows = {row.id: row for alert in alerts for _, row in alert}
    told: dict[str, list[int]] = {}
    for n, order in enumerate(chat.taken):
        shown = ID.findall(to_plain(order.composed()))
        assert {row.view.short_id for row in order.rows} <= set(shown), "a message shows the id of all that it tells"
        assert set(shown) <= {row.view.short_id for row in rows.values()}, "and nothing else"
        for row in order.rows:
            told.setdefault(row.id, []).append(n)
    counts = asyncio.run(outbox.counts())
    assert (counts["waiting"], counts["sending"]) == (0, 0)
    for alert in alerts:
        at = [told.get(row.id) for _, row in alert]
        assert at[0] is not None, "every firing is told"
        assert all(found is not None for found, (_, row) in zip(at, alert, strict=True) if row.kind in ENDS)
        firsts = [found[0] for found in at if found is not None]
        assert firsts == sorted(firsts), "in order"
    # An edit repeats nothing: the line of an alert is brought up to date after its reply was told.
    messages = [order for order in chat.taken if order.form is not Form.EDIT]
    seen: dict[str, list[int]] = {}
    for n, order in enumerate(messages):
        for row in order.rows:
            seen.setdefault(row.id, []).append(n)
    n_twice = sum(len(found) > 1 for found in seen.values())
    assert n_twice == 0 or chat.n_doubtful > 0, "twice only where nobody could know"
    again = [order for order in messages if any(seen[row.id][0] != seen[row.id][-1] for row in order.rows)]
    assert len(again) <= 2 * chat.n_doubtful
