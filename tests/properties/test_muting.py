"""Every firing is told exactly once for each destination, whatever begins, ends, is ended or restarts in between.

The muting is driven with the stores' memory twins; beside it stands a slow reference that knows only who may be quiet when.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.alerts.muting import Muting
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.silence import Ack, QuietHours, Silence, silence_id
from bot.model.view import AlertView
from bot.storage.memory import MemoryAlertStore, MemoryOutbox, MemorySilenceStore

T0 = 1_767_225_600_000
HOUR = 3_600_000
DAY = 24 * HOUR
RULES = ("oi_surge", "oi_flush", "funding_extreme")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "*")
SEVERITIES = ("info", "warning", "critical")
DESTINATIONS = ("telegram", "discord")


def done(coroutine):
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


async def all_kept(outbox):
    return [one async for found in outbox.kept(batch=3) for one in found]


@dataclass
class Alert:
    key: str
    rule: str
    symbol: str
    severity: str
    tags: tuple[str, ...]
    fired_ms: int
    destinations: tuple[str, ...]
    n: int = 0
    ended: bool = False
    told_while_firing: set[str] = field(default_factory=set)

    def row(self, kind: TellKind, destination: str, at_ms: int) -> OutboxRow:
        view = AlertView(
            rule_id=self.rule, title=self.rule, symbol=self.symbol, venue="binance", base=self.symbol[:3],
            severity=self.severity, short_id=short_id(self.key), kind=kind.value, at_ms=at_ms, fired_ms=self.fired_ms,
            condition="", value_text="", value=None, value_is_ratio=False, tags=self.tags,
        )  # fmt: skip
        n = self.n if kind in {TellKind.ESCALATE, TellKind.REPEAT} else 0
        return OutboxRow(
            row_id(self.key, kind, n, destination), self.key, kind, destination, self.severity, at_ms, view
        )


def fits(pattern: str, text: str) -> bool:
    """The few globs of this test, by hand."""
    if pattern == "[*]":
        return text == "*"
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else pattern in {"", text}


class Muted(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.outbox = MemoryOutbox()
        self.alerts = MemoryAlertStore(self.outbox)
        self.store = MemorySilenceStore(self.alerts)
        self.muting = Muting()
        self.now_ms = T0
        self.all: list[Alert] = []
        self.silences: dict[str, Silence] = {}
        self.quiet: dict[str, QuietHours] = {}

    # -- the reference ---------------------------------------------------------------------------------------------

    def is_muted(self, alert: Alert, destination: str) -> bool:
        for one in self.silences.values():
            if (
                one.starts_ms <= self.now_ms < one.until_ms
                and fits(one.rule, alert.rule)
                and fits(one.symbol, alert.symbol)
                and one.tag in {"", *alert.tags}
                and (not one.severities or alert.severity in one.severities)
                and one.destination in {"", destination}
            ):
                return True
        quiet = self.quiet.get(destination)
        if quiet is None or alert.severity == "critical":
            return False
        minute = self.now_ms // 60_000 % 1_440
        if quiet.starts_min < quiet.ends_min:
            return quiet.starts_min <= minute < quiet.ends_min
        return minute >= quiet.starts_min or minute < quiet.ends_min

    # -- what happens ----------------------------------------------------------------------------------------------

    def tick(self, *rows: OutboxRow) -> None:
        told = self.muting.take(rows, self.now_ms)
        done(self.alerts.commit(Commit((), (), told.now, told.kept, told.released, told.folded)))

    def crash(self, *rows: OutboxRow) -> None:
        """The process ends after the decision and before the commit: nothing of this tick happened."""
        self.muting.take(rows, self.now_ms)
        self.restart()

    @rule()
    def restart(self):
        self.muting = Muting(
            silences=done(self.store.all()), acks=done(self.store.acks()), quiet=done(self.store.quiet_hours())
        )
        self.muting.restore(done(all_kept(self.outbox)))
        self.tick()

    @rule(
        at=st.tuples(st.sampled_from(RULES), st.sampled_from(SYMBOLS), st.sampled_from(SEVERITIES)),
        tags=st.sampled_from([(), ("whale",)]),
        where=st.sampled_from([DESTINATIONS, DESTINATIONS[:1]]),
        flashes=st.booleans(),
        crashes=st.sampled_from([False, False, True]),
    )
    def fire(self, at, tags, where, flashes, crashes):
        key = alert_key(*at[:2], self.now_ms + len(self.all))
        alert = Alert(key, *at, tags, self.now_ms, where)
        kinds = (TellKind.FIRE, TellKind.END) if flashes else (TellKind.FIRE,)
        rows = [alert.row(kind, d, self.now_ms) for kind in kinds for d in where]
        if crashes:
            self.crash(*rows)
            return
        muted = {d for d in where if self.is_muted(alert, d)}
        self.tick(*rows)
        alert.ended = flashes
        self.all.append(alert)
        told = {r.destination for r in self.told() if r.key == key and r.kind is TellKind.FIRE}
        assert told == set(where) - muted

    def firing(self):
        return [alert for alert in self.all if not alert.ended]

    @precondition(lambda self: self.firing())
    @rule(data=st.data(), kind=st.sampled_from([TellKind.ESCALATE, TellKind.REPEAT]))
    def update(self, data, kind):
        alert = data.draw(st.sampled_from(self.firing()))
        alert.n += 1
        self.tick(*[alert.row(kind, d, self.now_ms) for d in alert.destinations])

    @precondition(lambda self: self.firing())
    @rule(data=st.data(), kind=st.sampled_from([TellKind.END, TellKind.CLOSE]), crashes=st.booleans())
    def end(self, data, kind, crashes):
        alert = data.draw(st.sampled_from(self.firing()))
        rows = [alert.row(kind, d, self.now_ms) for d in alert.destinations]
        if crashes:
            self.crash(*rows)
            return
        before = {r.destination for r in self.told() if r.key == alert.key and r.kind is TellKind.FIRE}
        self.tick(*rows)
        alert.ended = True
        told = {r.destination for r in self.told() if r.key == alert.key and r.kind is kind}
        assert before <= told, "the end of a firing that was told is told at once"

    @rule(
        matchers=st.fixed_dictionaries(
            {},
            optional={
                "rule": st.sampled_from([*RULES, "oi_*"]),
                "symbol": st.sampled_from(["BTCUSDT", "[*]", "E*"]),
                "tag": st.just("whale"),
                "severities": st.sampled_from([("info", "warning"), ("critical",)]),
                "destination": st.sampled_from(DESTINATIONS),
            },
        ),
        delay=st.sampled_from([0, 0, HOUR]),
        length=st.integers(1, 6),
    )
    def silence(self, matchers, delay, length):
        text = f"{sorted(matchers.items())} {len(self.silences)}"
        starts_ms = self.now_ms + delay
        one = Silence(
            id=silence_id("t", text, self.now_ms),
            starts_ms=starts_ms,
            ends_ms=starts_ms + length * HOUR // 2,
            author="t",
            created_ms=self.now_ms,
            **matchers,
        )
        self.silences[one.id] = one
        done(self.store.add(one))
        self.muting.add(one)
        self.tick()

    @precondition(lambda self: self.silences)
    @rule(data=st.data())
    def unsilence(self, data):
        chosen = data.draw(st.sampled_from(sorted(self.silences)))
        if done(self.store.expire(chosen, at_ms=self.now_ms)):
            self.silences[chosen] = next(s for s in done(self.store.all()) if s.id == chosen)
            self.muting.expire(chosen, self.now_ms)
        self.tick()

    @rule(
        destination=st.sampled_from(DESTINATIONS),
        hours=st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda h: h[0] != h[1]) | st.none(),
    )
    def quiet_hours(self, destination, hours):
        if hours is None:
            self.quiet.pop(destination, None)
            done(self.store.drop_quiet(destination))
            self.muting.drop_quiet(destination)
        else:
            quiet = QuietHours(destination, hours[0] * 60, hours[1] * 60, "UTC")
            self.quiet[destination] = quiet
            done(self.store.put_quiet(quiet))
            self.muting.set_quiet(quiet)
        self.tick()

    @precondition(lambda self: self.all)
    @rule(data=st.data(), length=st.sampled_from([None, 1, 3]), destination=st.sampled_from(["", *DESTINATIONS]))
    def acknowledge(self, data, length, destination):
        alert = data.draw(st.sampled_from(self.all))
        (fired,) = done(self.outbox.fired(short_id(alert.key), limit=9))
        assert fired.ended == alert.ended
        ack = Ack(alert.key, destination, "Ann", self.now_ms, None if length is None else self.now_ms + length * HOUR)
        done(self.store.acknowledge(ack))
        assert self.muting.acknowledge(ack, fired, "Ann") == (not alert.ended)
        self.tick()

    @rule(minutes=st.sampled_from([1, 29, 30, 61, 240, 1_440]))
    def time_passes(self, minutes):
        self.now_ms += minutes * 60_000
        self.tick()

    # -- what always holds -----------------------------------------------------------------------------------------

    def told(self) -> list[OutboxRow]:
        """In the order of the lanes: by insertion."""
        found = []
        for destination in DESTINATIONS:
            found += done(self.outbox.waiting(destination, now_ms=self.now_ms, limit=100_000))
        return found

    @invariant()
    def each_firing_is_told_once_or_kept_while_something_mutes_it(self):
        told = self.told()
        ids = [row.id for row in told]
        assert len(ids) == len(set(ids))
        kept = {one.row.id for one in done(all_kept(self.outbox))}
        members: dict[str, int] = {}
        for alert in self.all:
            for destination in alert.destinations:
                row = alert.row(TellKind.FIRE, destination, alert.fired_ms)
                by = self.outbox.told_by(row.id)
                assert (row.id in ids) + (by is not None) + (row.id in kept) == 1
                assert (row.id in kept) <= self.is_muted(alert, destination), "nothing mutes it any more"
                if by is not None:
                    assert alert.ended
                    members[by] = members.get(by, 0) + 1
        summaries = {row.id: row.view.n_true for row in told if row.kind is TellKind.SUMMARY}
        assert members == summaries

    @invariant()
    def nothing_comes_before_its_firing_or_after_its_end(self):
        seen: dict[tuple[str, str], list[TellKind]] = {}
        for row in self.told():
            seen.setdefault((row.key, row.destination), []).append(row.kind)
        for kinds in seen.values():
            if kinds[0] is not TellKind.SUMMARY:
                assert kinds[0] is TellKind.FIRE
                assert kinds.count(TellKind.FIRE) == 1
                ends = [n for n, kind in enumerate(kinds) if kind in {TellKind.END, TellKind.CLOSE}]
                assert ends in ([], [len(kinds) - 1])

    @invariant()
    def a_released_row_is_as_old_as_its_release(self):
        for row in self.told():
            assert row.created_ms <= self.now_ms
            if row.kind is TellKind.FIRE:
                assert row.created_ms >= row.view.fired_ms

    def teardown(self):
        for destination in DESTINATIONS:
            self.quiet_hours(destination, None)
        self.time_passes(60 * 24 * 60)
        self.each_firing_is_told_once_or_kept_while_something_mutes_it()
        acked = {a.key for a in done(self.store.acks())}
        for one in done(all_kept(self.outbox)):
            assert one.row.kind is not TellKind.FIRE
            assert one.row.key in acked, "only an acknowledgement without an end lasts that long"


Muted.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_whatever_mutes_every_firing_is_told_once = Muted.TestCase
