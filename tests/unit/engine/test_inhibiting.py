"""Rules that keep others quiet: what is told when, and that every firing is told or accounted for exactly once."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.engine.explaining import explain
from bot.engine.inputs import Listed
from bot.model.alert import AlertRecord, State, TellKind, alert_key
from bot.model.updates import InstrumentList
from bot.model.view import HeldBack

MUTE = "- {id: boss, name: Boss, when: price >= 100, cooldown: 0s, inhibits: [low]}\n"
LOW = "- {id: low, name: Low, when: price <= 10 or price >= 200, cooldown: 0s}\n"


def told(f):
    return [(n.rule_id, n.instrument.rpartition(":")[2], n.kind.value) for n in f.notices]


def sums(f):
    return [(n.rule_id, n.kind.value, [(h.title, h.n, h.coins) for h in n.view.held_back]) for n in f.notices]


class Board:
    """Rules whose truth is set by hand: each holds on a contract while its bit of the price is set."""

    def __init__(self, feed, rules_of, bases, spec, *, market=(), **options):
        """`spec`: per rule, in order, what it inhibits."""
        self.names = list(spec)
        text = ""
        for n, (name, inhibits) in enumerate(spec.items()):
            condition = _bit(n, len(spec))
            if name in market:
                condition = f"count({condition}) >= 1"
            per = "market" if name in market else "symbol"
            muted = f", inhibits: [{', '.join(inhibits)}]" if inhibits else ""
            text += f"- {{id: {name}, name: {name}, per: {per}, when: {condition}, cooldown: 0s{muted}}}\n"
        self.rules = rules_of(text)
        self.bases = bases
        self.on = {}
        self._make = lambda **more: feed(self.rules, *self.bases, **(options | more))
        self.feed = self._make()
        self.transitions, self.notices, self.stored = [], [], {}

    def step(self, **on):
        """Set what holds: `A="boss low"`; others stay as they are. Then one tick."""
        self.on |= {base: words.split() for base, words in on.items()}
        prices = {}
        for base in self.bases:
            bits = sum(1 << self.names.index(name) for name in self.on.get(base, ()))
            prices[f"{base}USDT"] = 1.0 + bits
        self.feed.prices(prices)
        result = self.feed.tick()
        self.transitions += result.transitions
        self.notices += result.notices
        self.stored |= {(r.rule_id, r.instrument): r for r in result.records}
        return [(n.rule_id, n.instrument.rpartition(":")[2].removesuffix("USDT"), n.kind.value) for n in result.notices]

    def restart(self, rules=None, *, down_ms=60_000):
        if rules is not None:
            self.rules = rules
        self.feed = self._make(records=list(self.stored.values()), start=self.feed.now + down_ms)

    @property
    def sums(self):
        return [
            (n.rule_id, [(h.title, h.n, h.coins) for h in n.view.held_back]) for n in self.notices if n.view.held_back
        ]


def _bit(n, count):
    """Price is 1 + a number whose bit n says whether the rule holds."""
    on = [k for k in range(1 << count) if k >> n & 1]
    return "(" + " or ".join(f"price == {k + 1}" for k in on) + ")"


@pytest.fixture
def board(feed, rules_of):
    def make(spec, bases="AB", **options):
        return Board(feed, rules_of, list(bases), spec, **options)

    return make


def test_what_fires_and_ends_under_a_mute_is_only_in_the_sum(board):
    b = board({"boss": ["low"], "low": []})
    assert b.step(A="boss") == [("boss", "A", "fire")]
    assert b.step(A="boss low") == []
    assert b.step(A="boss") == []
    assert b.step(A="") == [("boss", "A", "end")]
    assert b.sums == [("boss", [("low", 1, ())])]
    assert [t.state.value for t in b.transitions if t.rule_id == "low"] == ["firing", "resolved"]
    assert {r.n_held for r in b.stored.values()} == {0}
    assert b.step(A="low") == [("low", "A", "fire")], "and is told again afterwards"


def test_another_contract_is_told(board):
    b = board({"boss": ["low"], "low": []})
    assert b.step(A="boss", B="low") == [("boss", "A", "fire"), ("low", "B", "fire")]


def test_what_still_fires_when_the_mute_ends_is_told_then_and_its_end_too(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss")
    b.step(A="boss low")
    fired = b.transitions[-1]
    assert b.step(A="low") == [("boss", "A", "end"), ("low", "A", "fire")]
    late = b.notices[-1]
    assert (late.key, late.view.fired_ms) == (fired.key, fired.at_ms)
    assert late.at_ms == late.view.at_ms > fired.at_ms
    assert late.view.price.now == 3.0, "the figures are those of now"
    assert b.sums == []
    assert b.step(A="") == [("low", "A", "end")]


def test_at_one_tick_the_one_that_inhibits_wins(board):
    for spec in ({"boss": ["low"], "low": []}, {"low": [], "boss": ["low"]}):
        b = board(spec)
        assert b.step(A="boss low") == [("boss", "A", "fire")]


def test_what_begins_when_the_mute_ends_is_told(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss")
    assert sorted(b.step(A="low")) == [("boss", "A", "end"), ("low", "A", "fire")]
    assert not b.sums


def test_what_ends_together_with_the_mute_is_in_its_sum(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss low")
    assert b.step(A="") == [("boss", "A", "end")]
    assert b.sums == [("boss", [("low", 1, ())])]


def test_a_market_rule_mutes_every_contract_and_names_them(board):
    b = board({"boss": ["low", "other"], "low": [], "other": []}, bases="ABC", market=["boss"])
    b.step(C="boss")
    b.step(A="low", B="low other", C="boss low")
    b.step(A="", B="", C="boss")
    b.step(A="low")
    assert [n.kind for n in b.notices] == [TellKind.FIRE]
    assert b.step(A="", C="") == [("boss", "*", "end")]
    assert b.sums == [("boss", [("low", 4, ("A", "B", "C")), ("other", 1, ("B",))])]
    assert b.notices[-1].view.held_back[0].n_coins == 3


def test_a_rule_for_a_contract_does_not_mute_one_for_the_market(board):
    b = board({"boss": ["wide"], "wide": []}, market=["wide"])
    b.step(A="boss")
    assert b.step(A="boss wide") == [("wide", "*", "fire")]


def test_a_market_rule_mutes_a_market_rule(board):
    b = board({"boss": ["wide"], "wide": []}, market=["boss", "wide"])
    b.step(A="boss")
    assert b.step(A="boss wide") == []
    assert b.step(A="") == [("boss", "*", "end")]
    assert b.sums == [("boss", [("wide", 1, ())])]


def test_an_end_of_what_was_told_is_told_under_a_mute_and_updates_are_not(feed, rules_of):
    rules = rules_of(
        "- {id: boss, when: index >= 0 and funding > 1%, cooldown: 0s, inhibits: [low]}\n"
        "- {id: low, when: price >= 100, escalate: 5, repeat: 1m, cooldown: 0s}\n"
    )
    f = feed(rules, "A")
    for price, funding in ((101, 0.0), (101, 0.02), (110, 0.02), (120, 0.02)):
        f.prices({"AUSDT": float(price)}, funding=funding)
        f.tick(seconds=61)
    f.prices({"AUSDT": 1.0}, funding=0.02)
    f.tick()
    assert [t for t in told(f) if t[0] == "low"] == [("low", "AUSDT", "fire"), ("low", "AUSDT", "end")]
    assert ("boss", "AUSDT", "fire") in told(f)


def test_updates_of_a_firing_that_is_held_back_wait_for_it(feed, rules_of):
    rules = rules_of(
        "- {id: boss, when: funding > 1%, cooldown: 0s, inhibits: [low]}\n"
        "- {id: low, when: price >= 100, escalate: 5, cooldown: 0s}\n"
    )
    f = feed(rules, "A")
    for price, funding in ((1, 0.02), (101, 0.02), (110, 0.02), (111, 0.0), (120, 0.0)):
        f.prices({"AUSDT": float(price)}, funding=funding)
        f.tick()
    assert told(f)[1:] == [("boss", "AUSDT", "end"), ("low", "AUSDT", "fire"), ("low", "AUSDT", "escalate")]
    assert f.notices[-2].view.value == 111.0


def test_the_last_of_two_mutes_counts(board):
    b = board({"one": ["low"], "two": ["low"], "low": []})
    b.step(A="one two")
    b.step(A="one two low")
    b.step(A="one two")
    assert b.step(A="two") == [("one", "A", "end")]
    assert b.sums == []
    assert b.step(A="") == [("two", "A", "end")]
    assert b.sums == [("two", [("low", 1, ())])]


def test_a_rule_that_has_to_be_quiet_mutes_others_and_its_sum_passes_on(board):
    b = board({"top": ["mid"], "mid": ["low"], "low": []})
    b.step(A="top")
    assert b.step(A="top mid") == []
    assert b.step(A="top mid low") == []
    assert b.step(A="top mid") == []
    assert b.step(A="top") == []
    assert b.step(A="") == [("top", "A", "end")]
    assert b.sums == [("top", [("mid", 1, ()), ("low", 1, ())])]


def test_a_quiet_rule_that_ends_lets_go_what_it_muted(board):
    b = board({"top": ["mid"], "mid": ["low"], "low": []})
    b.step(A="top mid low")
    assert b.step(A="top low") == [("low", "A", "fire")]


def test_of_rules_that_mute_each_other_the_first_is_told(board):
    b = board({"a": ["b"], "b": ["a"]})
    assert b.step(A="b") == [("b", "A", "fire")]
    assert b.step(A="a b") == []
    assert b.step(A="a") == [("b", "A", "end"), ("a", "A", "fire")]
    b = board({"a": ["b"], "b": ["a"]})
    assert b.step(A="a b") == [("a", "A", "fire")]
    assert b.step(A="") == [("a", "A", "end")]
    assert b.sums == [("a", [("b", 1, ())])]


def test_a_circle_that_loses_what_muted_it_is_told_once_more(board):
    b = board({"top": ["a"], "a": ["b"], "b": ["a"]})
    b.step(A="top a")
    assert b.step(A="top a b") == []
    assert b.step(A="a b") == [("top", "A", "end"), ("a", "A", "fire")]
    assert b.step(A="") == [("a", "A", "end")]
    assert b.sums == [("a", [("b", 1, ())])]


def test_what_is_told_again_before_the_one_above_ends_speaks_for_itself(board):
    b = board({"a": ["b"], "b": ["c"], "c": ["a"]})
    b.step(A="c")
    assert b.step(A="a b c") == []
    assert b.step(A="c") == []
    assert b.step(A="b c") == [("b", "A", "fire")]
    assert b.sums == [("b", [("b", 1, ())])]
    b.restart()
    assert b.step() == [], "it is not taken for one that was held back"
    assert b.step(A="c") == [("b", "A", "end")]
    assert b.step(A="") == [("c", "A", "end")]
    assert b.sums[1:] == [("c", [("a", 1, ())])]


def test_a_rule_never_mutes_itself(board):
    b = board({"a": ["a"]})
    assert b.step(A="a") == [("a", "A", "fire")]
    assert b.step(A="") == [("a", "A", "end")]


def forms(rules, **bases):
    """Rules with the bases of some, all of those told in one chat."""
    return tuple(replace(r, base=bases[r.id], notify=("chat",)) if r.id in bases else r for r in rules)


def test_what_mutes_a_rule_mutes_its_other_forms_too(board):
    b = board({"boss": ["low"], "low": [], "low_form": []})
    b.restart(forms(b.rules, low_form="low"))
    assert b.step(A="boss low low_form") == [("boss", "A", "fire")]


def test_another_form_mutes_only_forms_of_its_own_chat(board):
    b = board({"boss": ["low"], "low": [], "boss_form": ["low"], "low_form": [], "far_form": []})
    rules = forms(b.rules, boss_form="boss", low_form="low", far_form="low")
    b.restart(tuple(replace(r, notify=("elsewhere",)) if r.id == "far_form" else r for r in rules))
    assert b.step(A="boss_form low low_form far_form") == [
        ("low", "A", "fire"),
        ("boss_form", "A", "fire"),
        ("far_form", "A", "fire"),
    ]


def test_crossings_mute_nothing_and_are_counted_when_muted(feed, rules_of):
    rules = rules_of(
        "- {id: boss, name: Boss, when: funding > 1%, cooldown: 0s, inhibits: [line]}\n"
        "- {id: line, name: Line, when: 'crosses(price, 100)', cooldown: 0s, inhibits: [low]}\n"
        "- {id: low, when: price >= 100, cooldown: 0s}\n"
    )
    f = feed(rules, "A")
    for price, funding in ((99, 0.0), (101, 0.0), (99, 0.02), (101, 0.02), (99, 0.02), (99, 0.0), (101, 0.0)):
        f.prices({"AUSDT": float(price)}, funding=funding)
        f.tick()
    assert told(f) == [
        ("line", "AUSDT", "fire"),
        ("low", "AUSDT", "fire"),
        ("boss", "AUSDT", "fire"),
        ("low", "AUSDT", "end"),
        ("low", "AUSDT", "fire"),
        ("low", "AUSDT", "end"),
        ("boss", "AUSDT", "end"),
        ("line", "AUSDT", "fire"),
        ("low", "AUSDT", "fire"),
    ]
    assert [s for s in sums(f) if s[2]] == [("boss", "end", [("Line", 3, ())])]


# -- restarts and closings ---------------------------------------------------------------------------------------


def test_a_restart_in_the_middle_changes_nothing(board):
    b = board({"boss": ["low"], "low": []}, market=["boss"])
    b.step(B="boss")
    b.step(A="low", B="boss low")
    b.step(A="", B="boss low")
    assert {(k[0], k[1][-5:]): r.n_held for k, r in b.stored.items() if r.n_held} == {
        ("low", "AUSDT"): 1,
        ("low", "BUSDT"): 1,
    }
    b.restart()
    assert b.step() == []
    assert b.step(B="low") == [("boss", "*", "end"), ("low", "B", "fire")]
    assert b.sums == [("boss", [("low", 1, ("A",))])]
    assert b.step(B="") == [("low", "B", "end")]
    assert not any(r.n_held for r in b.stored.values())


def test_the_state_that_a_journal_begins_with_knows_what_is_held(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss low")
    [held] = [r for r in b.feed.engine.records() if r.n_held]
    assert (held.rule_id, held.n_held, held.state) == ("low", 1, State.FIRING)


def test_a_mute_whose_rule_was_removed_is_summed_up_in_its_closing(board, rules_of):
    b = board({"boss": ["low"], "low": []}, market=["boss"])
    b.step(B="boss")
    b.step(A="low", B="boss low")
    b.step(A="")
    b.restart(tuple(r for r in b.rules if r.id != "boss"))
    assert b.step() == [("boss", "*", "close"), ("low", "B", "fire")]
    assert b.sums == [("boss", [("low", 1, ("A",))])]
    assert not any(r.n_held for r in b.stored.values())


def test_what_nobody_accounts_for_any_more_is_said_by_its_own_next_firing(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss low")
    b.step(A="boss")
    b.restart(tuple(replace(r, inhibits=()) for r in b.rules))
    b.step()
    assert b.step(A="boss low") == [("low", "A", "fire")]
    assert b.sums == [("low", [("low", 1, ())])]


def test_a_muted_rule_that_was_removed_is_closed_without_a_word(board):
    b = board({"boss": ["low"], "low": []})
    b.step(A="boss low")
    b.restart(tuple(r for r in b.rules if r.id != "low"))
    assert b.step() == []
    assert b.step(A="") == [("boss", "A", "end")]
    assert b.sums == [("boss", [("low", 1, ())])]


def test_what_is_left_of_rules_that_are_all_gone_is_forgotten(board):
    b = board({"boss": ["low"], "low": [], "other": []})
    b.step(A="boss low")
    b.step(A="boss")
    others = tuple(r for r in b.rules if r.id == "other")
    b.stored = {k: r for k, r in b.stored.items() if k[0] == "low"}
    b.restart(others)
    b.step()
    assert not any(r.n_held for r in b.stored.values())


def test_a_delisting_closes_what_was_held_back_without_a_word(board, perpetual):
    b = board({"low": [], "boss": ["low"]})
    b.step(A="boss low", B="boss low")
    b.feed.engine.consume(Listed(InstrumentList("binance", (perpetual("B"),)), b.feed.now))
    b.bases = ["B"]
    assert b.step() == [("boss", "A", "close")]
    assert b.sums == [("boss", [("low", 1, ())])]
    assert b.stored["low", "binance:AUSDT"].n_held == 0


def test_a_delisted_contract_stays_in_the_sum_of_the_market(board, perpetual):
    b = board({"boss": ["low"], "low": []}, market=["boss"])
    b.step(A="low", B="boss")
    b.feed.engine.consume(Listed(InstrumentList("binance", (perpetual("B"),)), b.feed.now))
    b.bases = ["B"]
    assert b.step() == []
    assert b.stored["low", "binance:AUSDT"].n_held == 1
    assert [r.instrument for r in b.feed.engine.records() if r.n_held] == ["binance:AUSDT"]
    b.restart()
    assert b.step(B="") == [("boss", "*", "end")]
    assert b.sums == [("boss", [("low", 1, ("AUSDT",))])]


def test_a_record_of_nobody_harms_nobody(feed, rules_of):
    record = AlertRecord("gone", "binance:XUSDT", "c", State.FIRING, key=alert_key("gone", "x", 1), n_held=3)
    f = feed(rules_of(MUTE + LOW), "A", records=[record])
    f.prices({"AUSDT": 50.0})
    f.tick()
    assert told(f) == []
    assert f.records["gone", "binance:XUSDT"].n_held == 0


def test_without_inhibits_nothing_is_looked_at(feed, rules_of):
    f = feed(rules_of(LOW), "A")
    f.prices({"AUSDT": 5.0})
    f.tick()
    assert told(f) == [("low", "AUSDT", "fire")]
    assert f.notices[0].view.held_back == ()


# -- all of it ---------------------------------------------------------------------------------------------------

SPECS = st.sampled_from(
    [
        ({"a": ["b"], "b": ["c"], "c": []}, ()),
        ({"c": [], "b": ["c"], "a": ["b", "c"]}, ("a",)),
        ({"a": ["b"], "b": ["a"], "c": []}, ()),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, ()),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, ("b",)),
        ({"a": ["b", "c"], "b": ["c", "a"], "c": []}, ("a", "b")),
        ({"a": ["b"], "b": ["a", "c"], "c": ["b"]}, ("a", "b", "c")),
    ]
)
TICKS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=14)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=SPECS, ticks=TICKS)
def test_every_firing_is_told_or_summed_up_exactly_once_whatever_happens(board, spec, ticks):
    names, market = spec
    b = board(names, market=market)
    for a, c, restarts in [*ticks, (0, 0, False), (0, 0, False)]:
        if restarts:
            b.restart()
        b.step(A=_words(a), B=_words(c))
    fired = Counter(t.rule_id for t in b.transitions if t.state is State.FIRING)
    fires = Counter(n.key for n in b.notices if n.kind is TellKind.FIRE)
    assert max(fires.values(), default=1) == 1, "none is told twice"
    accounted = Counter(n.rule_id for n in b.notices if n.kind is TellKind.FIRE)
    for notice in b.notices:
        for held in notice.view.held_back:
            assert held.n > 0
            accounted[held.title] += held.n
    assert accounted == fired
    begun = set()
    for notice in b.notices:
        if notice.kind is TellKind.FIRE:
            begun.add(notice.key)
        else:
            assert notice.key in begun, "no end without a firing"
    ends = {n.key for n in b.notices if n.kind is TellKind.END}
    assert ends == begun, "and none of what was told is left open"
    assert not any(r.n_held for r in b.stored.values())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=SPECS, ticks=TICKS)
def test_blocks_and_restarts_change_nothing_of_what_is_told(board, spec, ticks):
    names, market = spec
    said = []
    for how in ("plain", "restart", "block"):
        b = board(names, market=market, **({"n_block": 64} if how == "block" else {}))
        for a, c, restarts in ticks:
            if how == "restart" and restarts:
                b.restart(down_ms=0)
            b.step(A=_words(a), B=_words(c))
        b.notices += b.feed.engine.flush().notices
        said.append([(n.key, n.kind, n.at_ms, n.view.held_back) for n in b.notices])
    plain, restarted, block = said
    assert block == plain
    assert sorted(restarted, key=repr) == sorted(plain, key=repr)


def _words(bits):
    return " ".join(name for n, name in enumerate("abc") if bits >> n & 1)


def test_the_sum_is_a_value_that_storage_can_hold():
    import msgspec

    held = HeldBack("Low", 3, ("A",), 1)
    assert msgspec.json.decode(msgspec.json.encode(held), type=HeldBack) == held


def test_an_explanation_says_what_inhibits_it(board):
    b = board({"boss": ["low"], "low": [], "all": ["low"]}, market=("all",))

    def by(base):
        return [hush.by for hush in explain(b.feed.engine, "low", f"binance:{base}USDT").hushed]

    b.step(A="low")
    assert by("A") == []
    b.step(A="boss low", B="low all")
    assert (sorted(by("A")), by("B")) == (["all", "boss"], ["all"])
    b.step(A="low", B="low")
    assert by("A") == []
