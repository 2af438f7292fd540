"""What is kept, released and summarised, one case at a time; the property test does the rest."""

from dataclasses import replace

import pytest

from bot.alerts.muting import Muting, group_of, subject_of
from bot.alerts.summary import MAX_NAMED, MAX_RULES, Over, summary_row
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Fold, Kept, OutboxRow, row_id
from bot.model.silence import Ack, Fired, QuietHours, Silence
from bot.model.view import AlertView, HeldBack

T0 = 1_767_225_600_000
MINUTE = 60_000


def row(kind="fire", *, rule="oi_surge", symbol="BTCUSDT", n=0, at_ms=T0, severity="warning", tags=(), to="telegram"):
    key = alert_key(rule, symbol, T0)
    view = AlertView(
        rule_id=rule, title="OI surge", symbol=symbol, venue="binance", base=symbol.removesuffix("USDT"),
        severity=severity, short_id=short_id(key), kind=kind, at_ms=at_ms, fired_ms=T0, condition="", value_text="",
        value=None, value_is_ratio=False, tags=tags,
    )  # fmt: skip
    return OutboxRow(row_id(key, TellKind(kind), n, to), key, TellKind(kind), to, severity, at_ms, view)


def silence(minutes=60, **changes) -> Silence:
    return Silence(
        **({"id": "s-1", "starts_ms": T0, "ends_ms": T0 + minutes * MINUTE, "author": "t", "created_ms": T0} | changes)
    )


def test_without_anything_all_is_told_now():
    rows = (row(), row("end"))
    assert Muting().take(rows, T0).now == rows
    assert not Muting().take((), T0)


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        ({}, True),
        ({"rule": "oi_surge"}, True),
        ({"rule": "oi_*"}, True),
        ({"rule": "oi"}, False),
        ({"symbol": "BTC*"}, True),
        ({"symbol": "[*]"}, False),
        ({"tag": "whale"}, True),
        ({"tag": "wh"}, False),
        ({"severities": ("warning", "info")}, True),
        ({"severities": ("info",)}, False),
        ({"destination": "telegram"}, True),
        ({"destination": "discord"}, False),
        ({"rule": "oi_*", "symbol": "ETHUSDT"}, False),
    ],
)
def test_all_matchers_must_fit(matchers, fits):
    told = Muting(silences=[silence(**matchers)]).take([row(tags=("whale",))], T0)
    assert [(k.reason, k.until_ms) for k in told.kept] == ([("silence s-1", T0 + 60 * MINUTE)] if fits else [])
    assert bool(told.now) is not fits


def test_what_still_fires_is_told_when_the_silence_ends_with_its_newest_update():
    muting = Muting(silences=[silence()])
    muting.take([row()], T0)
    muting.take([row("escalate", n=1, at_ms=T0 + MINUTE)], T0 + MINUTE)
    muting.take([row("escalate", n=2, at_ms=T0 + 2 * MINUTE)], T0 + 2 * MINUTE)
    assert not muting.take((), T0 + 60 * MINUTE - 1)

    told = muting.take((), T0 + 60 * MINUTE)

    assert [(r.kind.value, r.id, r.created_ms) for r in told.released] == [
        ("fire", row().id, T0 + 60 * MINUTE),
        ("escalate", row("escalate", n=2).id, T0 + 60 * MINUTE),
    ]
    assert told.folded == (Fold(row().key, "telegram", row("escalate", n=2).id),)
    assert muting.n_kept == 0
    assert muting.take([row("end")], T0 + 61 * MINUTE).now == (row("end"),)


def test_what_ended_meanwhile_is_one_summary_for_each_destination():
    muting = Muting(silences=[silence()])
    rows = [row(symbol=s, to=to) for s in ("BTCUSDT", "ETHUSDT", "*") for to in ("telegram", "discord")]
    rows.append(row(rule="flush", severity="critical"))
    ends = [
        row(
            r.view.kind.replace("fire", "end"),
            rule=r.view.rule_id,
            symbol=r.view.symbol,
            to=r.destination,
            severity=r.severity,
        )
        for r in rows
    ]
    muting.take(rows, T0)
    assert not muting.take(ends, T0 + MINUTE).now

    told = muting.take((), T0 + 60 * MINUTE)

    assert [(r.destination, r.severity, r.view.n_true, r.view.reason) for r in told.now] == [
        ("telegram", "critical", 4, "silence s-1"),
        ("discord", "warning", 3, "silence s-1"),
    ]
    assert {(f.key, f.destination) for f in told.folded} == {(r.key, r.destination) for r in rows}
    assert sorted(coin for coin, _ in told.now[1].view.missed[0].named) == ["BTC", "ETH", "Market"]
    assert not told.released


def test_a_silence_that_takes_over_keeps_on():
    muting = Muting(silences=[silence(10), silence(30, id="s-2", symbol="BTC*")])
    muting.take([row(), row(symbol="ETHUSDT")], T0)
    assert [r.view.symbol for r in muting.take((), T0 + 10 * MINUTE).released] == ["ETHUSDT"]
    assert [r.view.symbol for r in muting.take((), T0 + 30 * MINUTE).released] == ["BTCUSDT"]


def test_the_end_of_a_firing_that_was_told_is_told_whatever_mutes():
    muting = Muting()
    muting.take([row()], T0)
    muting.add(silence())
    assert len(muting.take([row("repeat", n=1)], T0).kept) == 1
    told = muting.take([row("end")], T0 + MINUTE)
    assert told.now == (row("end"),)
    assert told.folded == (Fold(row().key, "telegram", row("end").id),)
    assert not muting.take((), T0 + 999 * MINUTE)


def test_ending_a_silence_early_releases_with_the_next_tick():
    muting = Muting(silences=[silence()])
    muting.take([row()], T0)
    assert muting.kept_by(silence()) == (1, 0)
    muting.expire("s-1", T0 + MINUTE)
    assert [r.id for r in muting.take((), T0 + MINUTE).released] == [row().id]
    assert muting.silences(T0 + MINUTE) == []


def test_critical_alerts_pass_quiet_hours_but_no_silence():
    muting = Muting(quiet=[QuietHours("telegram", 0, 60, "UTC")])
    told = muting.take([row(), row(symbol="ETHUSDT", severity="critical"), row(to="discord")], T0)
    assert [k.reason for k in told.kept] == ["quiet hours"]
    assert [(r.severity, r.destination) for r in told.now] == [("critical", "telegram"), ("warning", "discord")]
    muting.add(silence())
    assert muting.take([row(symbol="SOLUSDT", severity="critical")], T0).kept[0].reason == "silence s-1"
    assert [r.kind.value for r in muting.take((), T0 + 60 * MINUTE).released] == ["fire", "fire"]


def fired(*where, ended=False) -> Fired:
    return Fired(row().key, row().view, where or ("telegram",), ended)


def test_an_acknowledgement_keeps_updates_shows_who_and_ends_with_the_firing():
    muting = Muting()
    muting.take([row(), row(to="discord")], T0)
    assert muting.acknowledge(Ack(row().key, "", "Ann", T0 + 5), fired("telegram", "discord"), "Ann")
    shown = muting.take((), T0 + 6).now
    assert [(r.kind.value, r.destination, r.view.reason, r.created_ms) for r in shown] == [
        ("ack", "telegram", "Ann", T0 + 5),
        ("ack", "discord", "Ann", T0 + 5),
    ]
    assert [k.reason for k in muting.take([row("repeat", n=1)], T0 + 7).kept] == ["acknowledged"]
    assert muting.take([row("end")], T0 + 8).now == (row("end"),)
    assert not muting.acknowledge(Ack(row().key, "", "Bob", T0 + 9), fired(), "Bob"), "it has ended"


def test_the_acknowledgement_of_a_group_ends_with_a_firing_that_was_told_in_a_topic_of_it():
    muting = Muting()
    muting.take([row(to="group/5")], T0)
    assert muting.acknowledge(Ack(row().key, "group", "Ann", T0 + 5), fired("group/5"), "Ann")
    assert [k.reason for k in muting.take([row("repeat", n=1, to="group/5")], T0 + 7).kept] == ["acknowledged"]
    muting.take([row("end", to="group/5")], T0 + 8)
    assert muting.hushes([], short_id(row().key), T0 + 9) == []


def test_of_ends_only_the_latest_are_remembered():
    """Each takes some 180 bytes, and the database knows of those before."""
    muting = Muting()
    for n in range(5_000):
        muting.take([row("end", symbol=f"X{n}USDT")], T0)
    latest, first = row(symbol="X4999USDT"), row(symbol="X0USDT")
    assert not muting.acknowledge(Ack(latest.key, "", "Ann", T0), replace(fired(), key=latest.key), "Ann")
    assert muting.acknowledge(Ack(first.key, "", "Ann", T0), replace(fired(), key=first.key), "Ann")


def test_an_acknowledgement_for_a_time_or_a_place():
    muting = Muting()
    muting.take([row(), row(to="discord")], T0)
    muting.acknowledge(Ack(row().key, "telegram", "Ann", T0, T0 + MINUTE), fired("telegram", "discord"), "Ann")
    told = muting.take([row("repeat", n=1), row("repeat", n=1, to="discord")], T0)
    assert [k.row.destination for k in told.kept] == ["telegram"]
    assert [(r.kind.value, r.destination) for r in told.now] == [("ack", "telegram"), ("repeat", "discord")]
    assert [r.kind.value for r in muting.take((), T0 + MINUTE).released] == ["repeat"]


def test_a_kept_firing_shows_no_acknowledgement():
    muting = Muting(silences=[silence()])
    muting.take([row()], T0)
    assert muting.acknowledge(Ack(row().key, "", "Ann", T0), fired(), "Ann")
    assert muting.take((), T0 + 1).now == ()
    assert [r.kind.value for r in muting.take((), T0 + 60 * MINUTE).released] == ["fire"]


def test_an_acknowledgement_of_a_kept_firing_keeps_its_updates_also_when_the_silence_ends():
    def acknowledged(until_ms=None) -> tuple[Muting, tuple[Kept, ...]]:
        muting = Muting(silences=[silence()])
        kept = muting.take([row(), row("repeat", n=1), row("escalate", n=2)], T0).kept
        muting.acknowledge(Ack(row().key, "", "Ann", T0, until_ms), fired(), "Ann")
        return muting, kept

    for until_ms, later in ((None, []), (T0 + 90 * MINUTE, ["escalate"])):
        muting, kept = acknowledged(until_ms)
        told = muting.take((), T0 + 60 * MINUTE)
        assert ([r.kind.value for r in told.released], told.now, told.folded) == (["fire"], (), ())
        after = Muting(acks=[Ack(row().key, "", "Ann", T0, until_ms)])
        after.restore(kept[1:])
        for one in (muting, after):
            told = one.take((), T0 + 90 * MINUTE)
            assert [r.kind.value for r in told.released] == later
            assert bool(told.folded) == bool(later)
            told = one.take([row("end")], T0 + 95 * MINUTE)
            assert told.now == (row("end"),)
            assert [f.told_by for f in told.folded] == ([] if later else [row("end").id])


def test_what_was_kept_is_taken_back_after_a_restart():
    before = Muting(silences=[silence()])
    kept = before.take([row(), row(symbol="ETHUSDT"), row("end", symbol="ETHUSDT")], T0).kept
    after, late = Muting(silences=[silence()]), Muting()
    for muting in (after, late):
        muting.restore(kept)
    assert not after.take((), T0 + MINUTE)
    for muting in (after, late):  # to the second one the silence is over and forgotten
        told = muting.take((), T0 + 60 * MINUTE)
        assert [r.id for r in told.released] == [row().id]
        assert [(r.view.n_true, r.view.reason) for r in told.now] == [(1, "silence s-1")]


def test_a_summary_of_very_many_names_the_latest_and_counts_all():
    over = [Over(f"{n:064x}", f"r{n % 30}", f"Rule {n % 30}", "BTC", f"{n:08d}", "info", T0 + n) for n in range(900)]
    view = summary_row(over, "telegram", T0, ["quiet hours"]).view
    assert view.n_true == sum(missed.n for missed in view.missed) == 900
    assert len(view.missed) == MAX_RULES + 1
    assert (view.missed[-1].what, view.missed[-1].title) == ("rest", "10")
    assert sum(len(missed.named) for missed in view.missed) <= 1.5 * MAX_NAMED
    assert view.missed[0].named[0][1] > view.missed[0].named[1][1], "the latest first"
    assert summary_row(list(reversed(over)), "telegram", T0, []).id == summary_row(over, "telegram", T0, []).id


def test_what_an_alert_held_back_is_accounted_for_in_the_summary():
    muting = Muting(silences=[silence()])
    muting.take([row(), row(symbol="ETHUSDT")], T0)
    ends = [row("end"), row("end", symbol="ETHUSDT")]
    held = [replace(r, view=replace(r.view, held_back=(HeldBack("OI flush", n),))) for n, r in enumerate(ends, 2)]
    muting.take(held, T0 + MINUTE)
    (summary,) = muting.take((), T0 + 60 * MINUTE).now
    assert [(m.what, m.title, m.n) for m in summary.view.missed] == [("", "OI surge", 2), ("held back", "OI flush", 5)]
    assert summary.view.n_true == 2


def test_what_keeps_an_alert_quiet_is_told_while_it_does():
    fired = row()
    ack = Ack(fired.key, "telegram", "Ann", T0, T0 + 5 * MINUTE)
    hours = QuietHours("discord", 0, 1439, "UTC", "telegram:7")
    muting = Muting(silences=[silence(10, author="telegram:9", comment="why")], acks=[ack], quiet=[hours])
    subjects = [subject_of(row(to=to)) for to in ("telegram", "discord")]
    short = short_id(fired.key)

    def told(minutes, **of):
        return [(h.kind, h.by, h.place) for h in muting.hushes(subjects, of.get("short", short), T0 + minutes * MINUTE)]

    quiet = ("quiet hours", "telegram:7", "discord")
    assert told(1) == [("silence", "telegram:9", ""), ("acknowledged", "Ann", "telegram"), quiet]
    assert told(1, short="") == [("silence", "telegram:9", ""), quiet], "it does not fire"
    assert told(5) == [("silence", "telegram:9", ""), quiet]
    assert told(10) == [quiet]
    critical = [subject_of(row(severity="critical", to="discord"))]
    assert muting.hushes(critical, "", T0 + 11 * MINUTE) == []


def test_the_quiet_hours_of_a_group_are_told_of_its_topics():
    muting = Muting(quiet=[QuietHours("group", 0, 1439, "UTC", "telegram:7")])
    fired = row(to="group/7")
    assert muting.take([fired], T0 + MINUTE).kept
    told = muting.hushes([subject_of(fired)], "", T0 + MINUTE)
    assert [(h.kind, h.by, h.place) for h in told] == [("quiet hours", "telegram:7", "group/7")]


def test_what_keeps_a_group_quiet_keeps_its_topics_quiet():
    assert group_of("group/7") == group_of("group") == "group"
    muting = Muting(silences=[silence(destination="group")])
    kept = muting.take([row(to="group/7"), row(to="group"), row(to="other")], T0)
    assert sorted(one.row.destination for one in kept.kept) == ["group", "group/7"]
    muting = Muting(quiet=[QuietHours("group", 0, 1439, "UTC")])
    kept = muting.take([row(to="group/7"), row(to="other")], T0)
    assert [one.row.destination for one in kept.kept] == ["group/7"]


@pytest.mark.promise("P4")
def test_what_is_kept_for_a_topic_is_the_groups_when_the_topic_is_given_up():
    """Its firing would come after its end else, and what ended would be told to nobody."""
    muting = Muting(quiet=[QuietHours("telegram", 0, 60, "UTC")])
    topic = "telegram/7"
    muting.take([row(to=topic), row(to=topic, symbol="ETHUSDT"), row("end", to=topic, symbol="ETHUSDT")], T0)
    muting.rename(topic, "telegram")

    assert muting.take([row("end")], T0 + MINUTE).now == ()

    told = muting.take((), T0 + 60 * MINUTE)
    assert told.released == ()
    assert [(r.kind, r.destination, r.view.n_true) for r in told.now] == [(TellKind.SUMMARY, "telegram", 2)]
    assert {(fold.key, fold.destination) for fold in told.folded} == {
        (row().key, "telegram"),
        (row(symbol="ETHUSDT").key, "telegram"),
    }


def test_what_keeps_a_destination_quiet_follows_its_name():
    muting = Muting(silences=[silence(destination="old")], quiet=[QuietHours("old", 0, 30, "UTC")])
    muting.take([row(to="old"), row(to="other")], T0)
    muting.acknowledge(Ack(row().key, "old", "Ann", T0, T0 + 60 * MINUTE), fired("other"), "Ann")
    muting.rename("old", "new")
    found = muting.hushes([subject_of(row(to="new"))], short_id(row().key), T0)
    assert [one.kind for one in found] == ["silence", "acknowledged", "quiet hours"]
    assert muting.hushes([subject_of(row(to="old"))], "", T0) == []
    assert muting.take([row("repeat", n=1, to="new")], T0 + 1).now == ()
    told = muting.take((), T0 + 60 * MINUTE)
    assert [(r.kind.value, r.id, r.destination) for r in told.released] == [
        ("fire", row(to="old").id, "new"),
        ("repeat", row("repeat", n=1, to="new").id, "new"),
    ]
