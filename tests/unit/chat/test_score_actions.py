"""`/score`: rules, one rule, one contract, and what a chat wants under its alerts."""

import pytest

from bot.chat import score_pages
from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command, parse
from bot.chat.reply import Table, columns, table_lines
from bot.chat.score_actions import ScoreActions
from bot.chat.telegram_html import to_plain
from bot.model.scorecard import (
    HORIZONS_MS,
    Extreme,
    HorizonTotals,
    Quadrant,
    QuadrantTotals,
    RuleTotals,
    Totals,
    Verdict,
)

T0 = 1_767_225_600_000
MAX_WIDTH = 30


def horizon(horizon_ms, **changes):
    values = {
        "n_known": 40,
        "typical_times": 1.62,
        "random_times": 0.71,
        "n_compared": 38,
        "n_blocks": 14,
        "more": 0.68,
        "low": 0.57,
        "high": 0.79,
        "verdict": Verdict.BETTER,
        "up": 0.45,
        "random_up": 0.5,
        "best": Extreme("币安人生USDT", "7q4mk2px", T0, 0.0812, 4.2),
        "worst": Extreme("BTCUSDT", "9q4mk2px", T0, -0.031, None),
    }
    return HorizonTotals(horizon_ms, **(values | changes))


def totals(verdict=Verdict.BETTER, n=42, **changes):
    horizons = tuple(horizon(h, **({"verdict": verdict} | changes)) for h in HORIZONS_MS)
    quadrants = (QuadrantTotals(Quadrant.UP_UP, 12, 7, 5, 0.0012),)
    return Totals(n, T0, horizons, quadrants, verdict)


EMPTY = Totals(0, None, (), (), Verdict.UNCLEAR)
IDLE = {"more": 0.5, "low": 0.44, "high": 0.56}
FEW = {"more": None, "low": None, "high": None, "n_blocks": 0, "n_compared": 0, "random_times": None, "random_up": None}


class Desk:
    """Answers as it is told."""

    def __init__(self):
        self.found = totals()
        self.listed = []
        self.asked = []
        self.told_in = "telegram:5"
        self.wanted = {}
        self.gone = {}

    async def totals(self, *, rule_id="", symbol=""):
        self.asked.append((rule_id, symbol))
        return self.found

    async def rules(self):
        return self.listed

    async def title_of(self, rule_id):
        return self.gone.get(rule_id)

    def place(self, chat):
        return self.told_in

    async def replies_of(self, destination):
        own = self.wanted.get(destination)
        return (own or "quiet", own is not None)

    async def set_replies(self, destination, replies):
        self.wanted[destination] = replies
        if replies is None:
            del self.wanted[destination]


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def ask(desk, market, why):
    actions = ScoreActions(desk=desk, market=market, why=why)

    async def ask(text):
        asked = parse(text)
        assert isinstance(asked, Command), asked
        return await actions.handlers[asked.name](asked, AT_TERMINAL)

    return ask


def widths(reply):
    return [columns(row) for table in reply.blocks if isinstance(table, Table) for row in table_lines(table)]


async def test_nothing_is_scored_yet(ask):
    assert "after 15m" in to_plain(await ask("/score"))


async def test_all_rules_with_a_mark_each(ask, desk):
    desk.listed = [
        RuleTotals("oi_surge", "OI surge", totals()),
        RuleTotals("oi_flush", "OI flush", totals(Verdict.NO_BETTER, **IDLE)),
        RuleTotals("oi_top", "New high on falling OI and much more", totals(Verdict.UNCLEAR, n=1, **FEW)),
    ]
    reply = await ask("/score")
    lines = to_plain(reply).splitlines()
    assert lines[0] == "How alerts fared"
    assert lines[1:4] == [
        "▲ OI surge · 42 alerts · 15m 68% · 1h 68% · 4h 68%",
        "○ OI flush · 42 alerts · 15m 50% · 1h 50% · 4h 50%",
        "? New high on falling OI and much more · 1 alert · 15m – · 1h – · 4h –",
    ]
    assert "50% is chance" in lines[-3]
    assert lines[-1] == "Alerts here get a scorecard under them, without a sound. That is the setting of the bot."
    assert [b.command for row in reply.buttons for b in row] == ["/score oi_surge", "/score oi_flush", "/score oi_top"]


async def test_one_rule_says_in_words_what_the_figures_say(ask, desk):
    reply = await ask("/score oi_surge")
    text = to_plain(reply)
    assert desk.asked == [("oi_surge", "")]
    assert text.splitlines()[0] == "OI surge · 42 alerts since 1 Jan 2026"
    assert "Better than chance: prices moved more than at random moments after 15m in 68% of comparisons" in text
    assert "(57% to 79%, 14 episodes)" in text
    assert "Highest 4h after: 币安人生USDT +8.12% (4.2×) #7q4mk2px" in text
    assert "Lowest 4h after: BTCUSDT −3.10% #9q4mk2px" in text
    assert "price up, OI up: 12, up in 7, down in 5, middle +0.12%" in text
    assert max(widths(reply)) <= MAX_WIDTH
    assert [b.command for row in reply.buttons for b in row] == ["/score", "/rules off oi_surge"]
    assert all(isinstance(parse(b.command), Command) for row in reply.buttons for b in row)


async def test_a_rule_and_a_contract_in_any_order(ask, desk):
    for text in ("/score oi_surge BTC", "/score btc OI_SURGE"):
        assert to_plain(await ask(text)).startswith("OI surge · BTCUSDT · ")
    await ask("/score BTC")
    assert desk.asked == [("oi_surge", "BTCUSDT"), ("oi_surge", "BTCUSDT"), ("", "BTCUSDT")]


async def test_a_rule_that_is_gone_still_has_its_score(ask, desk):
    desk.gone = {"old_rule": "Old rule"}
    assert to_plain(await ask("/score OLD_RULE")).startswith("Old rule · 42 alerts")


async def test_what_is_neither_rule_nor_contract(ask):
    assert "/score lists the rules" in to_plain(await ask("/score qqqqqqqq"))
    assert "one rule and one contract" in to_plain(await ask("/score BTC ETH"))


async def test_no_better_and_too_few(ask, desk):
    desk.found = totals(Verdict.NO_BETTER, **IDLE)
    assert "No better than chance: whatever the horizon, at most 56%" in to_plain(await ask("/score oi_surge"))
    desk.found = totals(Verdict.UNCLEAR, n_blocks=3)
    assert "3 episodes can be compared so far" in to_plain(await ask("/score oi_surge"))
    desk.found = totals(Verdict.UNCLEAR, **FEW)
    assert "no alert can be compared yet" in to_plain(await ask("/score oi_surge"))
    desk.found = EMPTY
    assert "No alert of OI surge was scored yet." in to_plain(await ask("/score oi_surge"))


async def test_a_chat_sets_what_it_wants_under_its_alerts(ask, desk):
    reply = await ask("/score replies")
    assert [[b.label for b in row] for row in reply.buttons] == [["Off", "Quiet ✓", "With sound"]]
    await ask("/score replies OFF")
    assert desk.wanted == {"telegram:5": "off"}
    assert "get no scorecard" in to_plain(await ask("/score replies"))
    assert "with a sound." in to_plain(await ask("/score replies on"))
    await ask("/score replies default")
    assert desk.wanted == {}
    assert "I expected off, quiet, on or default." in to_plain(await ask("/score replies loud"))
    desk.told_in = None
    assert "told no alerts" in to_plain(await ask("/score replies off"))


def test_the_week_names_rules_that_add_nothing_and_offers_to_stop_them():
    rules = [
        RuleTotals("oi_surge", "OI surge", totals()),
        RuleTotals("oi_flush", "OI flush", totals(Verdict.NO_BETTER, **IDLE)),
        RuleTotals("oi_top", "Top", totals(Verdict.UNCLEAR, n=3, **FEW)),
    ]
    week = score_pages.weekly(rules, since_ms=T0)
    assert week.title == "Scorecard of the week: 1 rule adds nothing"
    lines = week.text.splitlines()
    assert lines[1].startswith("OI flush adds nothing. No better than chance")
    assert lines[1].endswith("/rules off oi_flush stops it in a chat.")
    assert lines[2].startswith("OI surge: Better than chance")
    assert lines[3] == "Too few to tell: Top (3)."
    assert [(o.label, o.command) for o in week.offers] == [
        ("🔕 Stop OI flush", "/rules off oi_flush"),
        ("📊 All rules", "/score"),
    ]
    assert score_pages.weekly(rules[:1], since_ms=T0).title == "Scorecard of the week"
    two = [rules[1], RuleTotals("b", "B", totals(Verdict.NO_BETTER, **IDLE))]
    assert score_pages.weekly(two, since_ms=T0).title == "Scorecard of the week: 2 rules add nothing"
