"""Any cut of a run into blocks gives the same transitions, and they are those of plain thinking."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Samples
from bot.model.alert import TellKind
from bot.model.updates import InstrumentList
from tests.properties.streams import Pair, Stream, conditions
from tests.properties.streams import rules_of as rules_of_text

T0 = 1_767_225_600_000
STEP_MS = 60_000
RULES = """
- {id: level, when: price >= 1.02, for: 2m, cooldown: 5m}
- {id: jump, when: 'pct(price, 5m) >= 1%', clear: 'pct(price, 5m) < 0.2%', escalate: 1%}
- {id: odd, when: 'abs(zscore(price, 10m)) > 1.5'}
- {id: top, when: 'price >= max(price, 15m) and oi < 0.99 * max(oi, 15m)', cooldown: 3m}
- {id: size, scope: {top: 2, by: oi_usd}, when: 'pct(oi, 5m) > 0.5%'}
- {id: many, per: market, when: 'count(pct(price, 5m) > 0) >= 60%', for: 1m}
- {id: old, when: 'age(oi) > 6m or stale(price)'}
- {id: beyond, when: 'pct(price, 5m) - median(pct(price, 5m)) > 0.5%'}
- {id: first, when: 'rank(pct(price, 5m)) == 1'}
"""

steps = st.lists(
    st.tuples(
        st.lists(
            st.one_of(st.none(), st.integers(-15, 15)), min_size=6, max_size=6
        ),  # price move in permille, or no bar
        st.one_of(st.none(), st.integers(-15, 15)),  # open-interest move of all, or none
    ),
    min_size=5,
    max_size=60,
)


ASIDE = {TellKind.UPDATE, TellKind.LOST, TellKind.BACK}


def lives(notices):
    """What is told of the lives of alerts; moved figures and lost data are told to people who watch, not on history."""
    return [n for n in notices if n.kind not in ASIDE]


def run(rules, instruments, moves, n_block):
    engine = Engine(rules, step_ms=STEP_MS, n_block=n_block, dtype="float64")
    engine.consume(Listed(InstrumentList("binance", tuple(instruments)), T0))
    price, oi = np.ones(len(instruments)), 100.0 + np.arange(len(instruments))
    transitions, notices = [], []
    for k, (price_moves, oi_move) in enumerate(moves, start=1):
        now = T0 + k * STEP_MS
        rows = np.array([i for i, m in enumerate(price_moves) if m is not None], dtype=np.int32)
        price[rows] *= 1 + np.array([price_moves[i] for i in rows]) / 1_000
        if len(rows):
            engine.consume(Samples("price", rows, np.full(len(rows), now), price[rows].copy(), 90_000, STEP_MS))
        if oi_move is not None:
            everyone = np.arange(len(oi), dtype=np.int32)
            oi *= 1 + oi_move / 1_000
            engine.consume(Samples("oi", everyone, np.full(len(oi), now), oi.copy(), 450_000, 300_000))
        result = engine.tick(now)
        transitions += result.transitions
        notices += result.notices
    result = engine.flush()
    return [*transitions, *result.transitions], lives([*notices, *result.notices])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=steps, n_block=st.sampled_from([2, 3, 7, 64]))
def test_any_cut_into_blocks_gives_the_same_transitions_and_messages(moves, n_block, rules_of, perpetual):
    rules = rules_of(RULES)
    instruments = [perpetual(b) for b in "ABCDEF"]

    one_by_one = run(rules, instruments, moves, 1)
    in_blocks = run(rules, instruments, moves, n_block)

    assert in_blocks == one_by_one


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(st.integers(-12, 12), min_size=30, max_size=120))
def test_a_rule_on_bars_fires_where_a_plain_loop_says(path, rules_of, perpetual):
    """`for` and cooldown written out by hand over `close / close[5 bars ago] - 1`."""
    closes = np.cumprod(1 + np.array(path) / 1_000)
    rules = rules_of(
        "- {id: r, when: 'pct(price, 5m) >= 1.5%', clear: 'pct(price, 5m) < 0.5%', for: 2m, cooldown: 4m}\n"
    )
    moves = [([m, None, None, None, None, None], None) for m in path]
    transitions, _ = run(rules, [perpetual(b) for b in "ABCDEF"], moves, 16)
    fired = [t.at_ms for t in transitions if t.state == "firing"]

    want, firing, since, cool = [], False, None, 0
    for k in range(5, len(closes)):
        now, value = T0 + (k + 1) * STEP_MS, closes[k] / closes[k - 5] - 1
        if firing:
            if value < 0.005:
                firing, cool = False, now + 240_000
            continue
        if value < 0.015:
            since = None
            continue
        since = now if since is None else since
        if now - since >= 120_000 and now >= cool:
            firing, since = True, None
            want.append(now)
    assert fired == want


@pytest.mark.parametrize("n_block", [1, 5])
def test_history_that_arrives_late_serves_later_ticks_only(n_block, rules_of, perpetual):
    """A bar for minute 3 arrives after minute 5 was evaluated: what was decided at 5 stands, block or not."""
    from bot.model.updates import History

    rules = rules_of("- {id: r, when: 'pct(price, 2m) >= 1%', cooldown: 0s}\n")
    engine = Engine(rules, step_ms=STEP_MS, n_block=n_block, dtype="float64")
    engine.consume(Listed(InstrumentList("binance", (perpetual("A"),)), T0))
    row = np.array([0], dtype=np.int32)
    found = []
    for k, price in ((1, 1.0), (2, 1.0), (5, 1.05), (6, 1.05), (7, 1.0)):
        now = T0 + k * STEP_MS
        if k == 6:
            late = History(0, "price", np.array([T0 + 3 * STEP_MS, T0 + 4 * STEP_MS]), np.array([1.0, 1.0]), 90_000)
            engine.consume(late)
        engine.consume(Samples("price", row, np.array([now]), np.array([price]), 90_000, STEP_MS))
        found += engine.tick(now).transitions
    found += engine.flush().transitions

    assert [(t.state, (t.at_ms - T0) // STEP_MS) for t in found] == [("firing", 6), ("resolved", 7)]


LIVES = ("cooldown: 0s", "for: 2m, cooldown: 5m", "for: 3s", "repeat: 5m, cooldown: 1m", "cooldown: 90s, once: true")


def rule_line(k, when, per, dice):
    life = dice.choice(LIVES)
    if "crosses" in when:
        life = "cooldown: 3s"
    elif when.startswith("pct"):
        life = dice.choice([life, "escalate: 0.5%"])
    return f"- {{id: r{k}, per: {per}, when: '{when}', {life}}}\n"


def run_stream(seed, n_ticks, step_ms, n_block, dtype):
    """Everything that happens to rules of all kinds over a random stream."""
    dice = random.Random(seed)
    found = conditions(dice, 14, step_ms=step_ms)
    rules = rules_of_text("".join(rule_line(k, when, per, dice) for k, (when, per) in enumerate(found)))
    pair = Pair(rules, step_ms=step_ms, dtype=dtype, n_block=n_block)
    stream = Stream(pair, seed, n=6, step_ms=step_ms, trouble=0.02)
    if seed % 2:
        stream.warm()
    for _ in range(n_ticks):
        stream.advance()
    pair.flush()
    return pair.transitions, lives(pair.notices)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_ticks=st.integers(1, 40),
    step=st.sampled_from([(1_000, "float32"), (STEP_MS, "float64")]),
    n_block=st.sampled_from([2, 3, 7, 64]),
)
def test_every_function_says_the_same_in_blocks(seed, n_ticks, step, n_block):
    """Late samples, halts, listings, gaps and lost streams included."""
    in_blocks, one_by_one = (run_stream(seed, n_ticks, step[0], n, step[1]) for n in (n_block, 1))
    assert in_blocks == one_by_one
