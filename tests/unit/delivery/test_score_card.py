"""What is said under alerts about how they fared, and where that message goes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.chat.commands import Command, parse
from bot.delivery.console import block
from bot.delivery.destination import Form, Order
from bot.delivery.embed import payload
from bot.delivery.keys import keys_of
from bot.delivery.layout import compose
from bot.delivery.manners import Manners
from bot.delivery.markup import plain_text
from bot.delivery.planning import Planner
from bot.delivery.plans import Told
from bot.delivery.score_card import MAX_LINES
from bot.delivery.webhook_body import body_of
from bot.model.outbox import Layout
from bot.model.scorecard import HORIZONS_MS, HOUR_MS, Mark, ScoredAlert
from bot.model.view import Offer

QUARTER = HORIZONS_MS[0]
GUIDE = (Path(__file__).parents[3] / "docs" / "scorecard.md").read_text(encoding="utf-8")


def mark(horizon_ms=QUARTER, **changes):
    values: dict[str, Any] = {
        "price": 0.0042,
        "price_times": 1.34,
        "oi": -0.021,
        "oi_times": 1.7,
        "high": 0.0061,
        "high_times": 1.9,
        "low": -0.0008,
        "low_times": 0.2,
    }
    return Mark(horizon_ms, **(values | changes))


UNKNOWN = dict.fromkeys(("price", "price_times", "oi", "oi_times", "high", "high_times", "low", "low_times"))


def alert(make, n=0, *marks, symbol="BTCUSDT"):
    return ScoredAlert(symbol, "OI surge", f"7q4mk2p{n}", make.FIRED_MS + n * 1000, marks or (mark(),))


@pytest.fixture
def score_row(make):
    def build(*alerts, **changes):
        return make.row("score", scored=alerts or (alert(make),), answers="the-key", **changes)

    return build


def text_of(row):
    """Without the empty lines."""
    return plain_text(compose([row], fire=None, edit=False)).replace("\n\n", "\n")


def test_one_alert(make, score_row):
    text = text_of(score_row(alert(make, 0, mark(), mark(HOUR_MS, price=-0.002, price_times=0.3, low=-0.0031))))
    assert text.splitlines() == [
        "📊 BTCUSDT · OI surge  1h after 14:31 UTC",
        "15m  price +0.42% (1.3×)  OI −2.10% (1.7×)",
        "     highest +0.61% (1.9×), lowest −0.08% (0.2×)",
        "1h  price −0.20% (0.3×)  OI −2.10% (1.7×)",
        "     highest +0.61% (1.9×), lowest −0.31% (0.2×)",
        "#7q4mk2p0 · × = usual moves of the day before · data, not advice",
    ]


def test_the_guide_shows_what_is_sent(make, score_row):
    marks = (
        mark(oi=0.021),
        mark(
            HOUR_MS, price=-0.002, price_times=0.3, oi=0.009, oi_times=0.4, high_times=0.9, low=-0.0031, low_times=0.5
        ),
    )
    one = ScoredAlert("BTCUSDT", "OI surge", "7q4mk2px", make.FIRED_MS, marks)
    [shown] = re.findall(r"```text\n(.*?)\n```", GUIDE, re.DOTALL)
    assert plain_text(compose([score_row(one)], fire=None, edit=False)) == shown


def test_what_is_unknown_is_said_and_never_a_zero(make, score_row):
    text = text_of(score_row(alert(make, 0, mark(**UNKNOWN))))
    assert "15m  price not known  OI not known\n" in text
    assert "0.00%" not in text
    assert "highest" not in text
    assert "15m  price +0.42%  OI" in text_of(score_row(alert(make, 0, mark(price_times=None))))


def test_several_alerts_of_one_message(make, score_row):
    alerts = [
        alert(make, 0, mark(), symbol="BTCUSDT"),
        alert(make, 1, mark(price=-0.01, price_times=None), symbol="币安人生USDT"),
        alert(make, 2, mark(**UNKNOWN), symbol="XUSDT"),
        ScoredAlert("YUSDT", "OI surge", "7q4mk2p3", make.FIRED_MS, ()),
    ]
    assert text_of(score_row(*alerts)).splitlines() == [
        "📊 4 coins: OI surge  15m after 14:31 UTC",
        "After 15m: price higher in 1, lower in 1, not known in 1, still to come for 1",
        "BTCUSDT  15m +0.42% (1.3×)  #7q4mk2p0",
        "币安人生USDT  15m −1.00%  #7q4mk2p1",
        "XUSDT  15m not known  #7q4mk2p2",
        "YUSDT  to come  #7q4mk2p3",
        "× = usual moves of the day before · data, not advice",
    ]


def test_two_rules_on_one_coin_are_one_coin(make, score_row):
    both = alert(make, 0), ScoredAlert("BTCUSDT", "Squeeze", "7q4mk2p1", make.FIRED_MS, (mark(),))
    assert text_of(score_row(*both)).startswith("📊 1 coin: 2 rules  15m after 14:31 UTC")


def test_a_storm_is_cut(make, score_row):
    text = text_of(score_row(*(alert(make, n) for n in range(MAX_LINES + 7))))
    assert text.count("#") == MAX_LINES
    assert "and 7 more" in text


def test_every_channel_shows_it(make, score_row):
    row = score_row()
    order = Order(rows=(row,), form=Form.REPLY)
    assert block(order).plain.splitlines()[0].endswith("📊 BTCUSDT · OI surge  15m after 14:31 UTC")
    assert "#7q4mk2p0" in block(order).plain, "many stand below one another there"
    assert "+0.42%** (1.3×)" in str(payload([row], fire=None, edit=False))
    [event] = json.loads(body_of(order, message_id="m-1"))["events"]
    assert event["kind"] == "score"
    [scored] = event["scored"]
    assert scored["symbol"] == "BTCUSDT"
    assert scored["after"][0] == {
        "horizon_ms": QUARTER,
        "price": 0.0042,
        "price_times": 1.34,
        "oi": -0.021,
        "oi_times": 1.7,
        "high": 0.0061,
        "low": -0.0008,
    }


def test_its_button_asks_for_the_score_of_the_rule(make, score_row):
    [[key]] = keys_of(Order(rows=(score_row(),)))
    found = parse(key.command)
    assert isinstance(found, Command)
    assert (found.name, found.words) == ("score", ("oi_surge",))
    assert keys_of(Order(rows=(score_row(alert(make, 0), alert(make, 1)),))) == ()


@pytest.mark.parametrize("rule_id", ["a-7q4mk2px", "c_7q4mk2px"])
def test_what_was_made_in_a_chat_counts_in_no_total_that_a_button_could_show(score_row, rule_id):
    assert keys_of(Order(rows=(score_row(rule_id=rule_id),))) == ()


def test_news_of_the_bot_carry_what_they_offer(make):
    row = make.row(report="One rule adds nothing.", offers=(Offer("🔕 Stop OI surge", "/rules off oi_surge"),))
    [[key]] = keys_of(Order(rows=(row,)))
    assert (key.label, key.command) == ("🔕 Stop OI surge", "/rules off oi_surge")
    assert isinstance(parse(key.command), Command)


# -- where it goes -------------------------------------------------------------------------------------------------------


def planned(rows, told=(), *, now_ms=1e9, planner=None):
    planner = planner or Planner(Manners())
    return planner.next(rows, dict(told), now_ms=now_ms, venue_ms=rows[0].created_ms)


def test_the_first_is_a_reply_and_the_next_edits_it(score_row):
    row = score_row()
    plan = planned([row])
    assert (plan.form, plan.rows) == (Form.REPLY, (row,))
    own = Told("m-2", "77", Layout.ALERT)
    plan = planned([row], {row.key: own})
    assert (plan.form, plan.told) == (Form.EDIT, own)


def test_one_that_cannot_be_edited_is_answered_once_more(score_row):
    row = score_row()
    assert planned([row], {row.key: Told("m-2", None, Layout.ALERT)}).form is Form.REPLY


def test_it_is_edited_at_most_once_a_minute(score_row):
    row, planner, told = score_row(), Planner(Manners()), Told("m-2", "77", Layout.ALERT)
    plan = planned([row], {row.key: told}, planner=planner)
    planner.delivered(plan, now_ms=1e9, venue_ms=row.created_ms)
    assert planned([row], {row.key: told}, planner=planner, now_ms=1e9 + 20_000) == pytest.approx(40.0)
    assert planned([row], {row.key: told}, planner=planner, now_ms=1e9 + 60_000).form is Form.EDIT


def test_a_cap_holds_it_back_and_it_keeps_no_alert_back(score_row, make):
    planner, row = Planner(Manners(per_minute=1)), score_row()
    plan = planned([row], planner=planner)
    planner.delivered(plan, now_ms=1e9, venue_ms=row.created_ms)
    fire = planned([make.row()], planner=planner)
    assert fire.form is Form.NEW
    planner.delivered(fire, now_ms=1e9, venue_ms=row.created_ms)
    assert planned([row], planner=planner) > 0
