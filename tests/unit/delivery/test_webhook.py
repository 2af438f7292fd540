"""Signed webhooks without a socket: signatures, what answers mean, and the JSON."""

import json
import math
from dataclasses import replace

import pytest

from bot.delivery.destination import Order
from bot.delivery.plans import Plan, message_id
from bot.delivery.webhook import answer_of, pause_s, signature
from bot.delivery.webhook_body import MAX_BODY_BYTES, body_of, id_of
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.model.view import Member

NOW_MS = 1_795_444_260_000


def test_signatures_are_those_that_openssl_makes():
    """printf '%s' '1795444260.{"version":1}' | openssl dgst -sha256 -hmac 'correct horse battery'"""
    made = signature(b"correct horse battery", "1795444260", b'{"version":1}')
    assert made == "sha256=afd3a2f1ef327172780cb26874ec638ba217e359034d0ef5a314cac09dde02b2"


@pytest.mark.parametrize(
    ("secret", "stamp", "body"), [(b"other", "1", b"x"), (b"key", "2", b"x"), (b"key", "1", b"y"), (b"key", "1", b".x")]
)
def test_secret_time_and_body_are_all_signed(secret, stamp, body):
    assert signature(secret, stamp, body) != signature(b"key", "1", b"x")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_it_arrived(status):
    assert answer_of(status, {}, wall_ms=NOW_MS) == Delivered(None)


@pytest.mark.parametrize(
    ("status", "headers", "after_s", "ambiguous"),
    [
        (429, {}, 60.0, False),
        (429, {"Retry-After": "7"}, 7.0, False),
        (429, {"Retry-After": "0"}, 1.0, False),
        (429, {"Retry-After": "-5"}, 1.0, False),
        (429, {"Retry-After": "1e9"}, 3600.0, False),
        (429, {"Retry-After": "inf"}, 60.0, False),
        (429, {"Retry-After": "nan"}, 60.0, False),
        (429, {"Retry-After": "soon"}, 60.0, False),
        (408, {}, 5.0, False),
        (425, {"Retry-After": "9"}, 9.0, False),
        (500, {}, 5.0, True),
        (502, {}, 5.0, True),
        (503, {"Retry-After": "120"}, 120.0, True),
    ],
)
def test_it_is_tried_again_later(status, headers, after_s, ambiguous):
    answer = answer_of(status, headers, wall_ms=NOW_MS)
    assert isinstance(answer, RetryLater)
    assert (answer.after_s, answer.ambiguous) == (after_s, ambiguous)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 23 Nov 2026 14:32:00 GMT", 60.0),
        ("Sun, 23 Nov 2026 14:30:00 GMT", 1.0),
        ("Sun, 23 Nov 2036 14:30:00 GMT", 3600.0),
        ("Sun, 99 Nov 2026 14:30:00 GMT", 5.0),
    ],
)
def test_a_pause_may_be_a_date(date, expected):
    assert pause_s({"Retry-After": date}, default_s=5.0, wall_ms=NOW_MS) == expected


@pytest.mark.promise("P10")
@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410, 422, 451])
def test_it_will_never_be_taken(status):
    answer = answer_of(status, {"Location": "https://elsewhere.org"}, wall_ms=NOW_MS)
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert "elsewhere" not in answer.reason


def test_a_message_that_is_too_large_for_it_does_not_end_the_destination():
    assert not answer_of(413, {}, wall_ms=NOW_MS).destination_dead


def body(*rows, **changes):
    return json.loads(body_of(Order(rows=rows, **changes), message_id="m"))


def test_the_json_of_the_guide(make):
    found = body(make.row(kind="fire", tags=("oi",)))
    [event] = found["events"]
    assert found | {"text": "", "events": []} == {"version": 1, "message_id": "m", "text": "", "events": []}
    assert found["text"].startswith("🟠 BTCUSDT · OI surge")
    key = make.row().key
    assert event == {
        "id": make.row().id,
        "kind": "fire",
        "at_ms": NOW_MS,
        "alert": {"key": key, "id": event["alert"]["id"], "fired_ms": NOW_MS},
        "rule": {
            "id": "oi_surge",
            "title": "OI surge",
            "severity": "warning",
            "tags": ["oi"],
            "condition": "pct(oi, 15m) >= 5%",
        },
        "instrument": {"venue": "binance", "symbol": "BTCUSDT", "base": "BTC"},
        "value": {"expression": "pct(oi, 15m)", "is_ratio": True, "now": 0.0606, "before": None, "peak": None},
        "price": {"window_ms": 900_000, "change": 0.0089, "then": 92_361.0, "now": 93_183.0, "age_ms": 900},
        "price_moves": [],
        "price_unusual": None,
        "oi": {"window_ms": 900_000, "change": 0.0606, "then": 88_300.0, "now": 93_600.0, "age_ms": 12_000},
        "oi_moves": [],
        "oi_unusual": None,
        "oi_rank": None,
        "oi_change_rank": None,
        "n_ranked": 0,
        "oi_usd": 8.72e9,
        "funding": {"rate": 0.000081, "interval_h": 8.0, "next_ms": NOW_MS + 89 * 60_000},
        "volume_24h": 21.3e9,
        "volume_ratio": None,
        "gap_ms": 0,
        "is_already_true": False,
        "feed": None,
        "market": None,
        "reason": "",
    }


def test_ends_and_updates_are_events_of_the_same_alert(make):
    fire, update, end = make.row(), make.row("escalate", n=1, after_s=60), make.row("end", after_s=600, peak=0.09)
    kinds = [body(row)["events"][0] for row in (fire, update, end)]
    assert [event["kind"] for event in kinds] == ["fire", "escalate", "end"]
    assert len({event["alert"]["key"] for event in kinds}) == 1
    assert len({event["id"] for event in kinds}) == 3
    both = body(fire, end)
    assert [event["id"] for event in both["events"]] == [fire.id, end.id], "an event keeps its id in any message"


def test_unknown_numbers_are_null_whatever_they_are(make):
    row = make.row(value=math.nan, peak=math.inf, oi=None, price=None, funding=None)
    event = body(row)["events"][0]
    assert event["value"] | {"expression": ""} == {
        "expression": "", "is_ratio": True, "now": None, "before": None, "peak": None,
    }  # fmt: skip
    assert event["price"] is event["oi"] is event["funding"] is None


def test_an_alert_of_the_market_has_its_members(make):
    members = tuple(Member(f"C{n}USDT", 0.1, 0.1, math.nan) for n in range(20))
    event = body(make.row(n_members=90, n_true=20, members=members))["events"][0]
    assert event["market"]["n_true"] == 20
    assert len(event["market"]["members"]) == 10
    assert event["market"]["members"][0] == {
        "symbol": "C0USDT",
        "value": 0.1,
        "oi_change": 0.1,
        "price_change": None,
        "opened_usd": None,
    }


def test_the_same_rows_are_the_same_bytes_under_the_key_of_the_outbox(make):
    order = Order(rows=(make.row(), make.row("end", after_s=5)))
    assert body_of(order, message_id="m") == body_of(replace(order, plain=True), message_id="m")
    assert message_id(order.rows) == Plan(order.rows, order.form).message().id


def test_texts_from_outside_are_clean_and_bounded(make):
    row = make.row(symbol="币安\u202eUSDT", title="a\nb\x00\ud800", condition="x" * 9_000, reason="y" * 9_000)
    event = body(row)["events"][0]
    assert event["instrument"]["symbol"] == "币安USDT"
    assert event["rule"]["title"] == "a b"
    assert len(event["rule"]["condition"]) <= 2_000
    assert len(event["reason"]) <= 300


def test_a_body_never_passes_its_limit_and_the_last_event_stays(make):
    members = tuple(Member("币" * 100, 0.1, 0.1, 0.1) for _ in range(10))
    rows = [
        make.row("repeat", n=n, after_s=n, condition="币" * 2_000, members=members, n_members=10) for n in range(200)
    ]
    data = body_of(Order(rows=tuple(rows)), message_id="m")
    found = json.loads(data)
    assert len(data) <= MAX_BODY_BYTES
    assert found["events"][-1]["id"] == rows[-1].id
    assert found["left_out"] + len(found["events"]) == 200


@pytest.mark.promise("P3")
async def test_a_program_is_sent_no_message_twice_and_no_figures_that_only_edit(rooms, make, scripted):
    """A message about many is edited where that can be; here it would be the same message once more."""

    class Program(scripted):
        async def send(self, order):
            self.orders.append(order)
            return answer_of(200, {}, wall_ms=NOW_MS)

    room = rooms()
    room.destinations = {"main": Program()}
    room.restart()
    async with room.running():
        await room.commit(*(make.row(symbol=f"C{n}USDT") for n in range(6)))
        await room.clock.advance(11)
        await room.commit(
            make.row("escalate", n=1, symbol="C4USDT", after_s=20), make.row("update", n=1, symbol="C0USDT", after_s=70)
        )
        await room.commit(make.row("update", n=1, symbol="C5USDT", after_s=70))
        await room.clock.advance(120)
        sent = [id_of(order) for order in room.main.orders]
        assert len(sent) == len(set(sent))
        assert [str(order.rows[-1].kind) for order in room.main.orders] == ["fire"] * 4 + ["escalate"]
        assert (await room.outbox.counts())["waiting"] == 0
