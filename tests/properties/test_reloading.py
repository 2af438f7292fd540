"""A reload to the same rules changes nothing, and rules that come or go leave the others alone."""

import random

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from bot.engine.inputs import RulesChanged
from tests.properties.streams import Pair, Stream, conditions
from tests.properties.streams import rules_of as rules_of_text
from tests.properties.test_blocks import STEP_MS, lives, rule_line

N_RULES = 7
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes a second: nobody waits until a failing one is small."""


def run(seed, n_ticks, step_ms, n_block, dtype, *, n_first, swaps):
    """A random stream; `swaps`: per tick how many of the rules are to watch from there on."""
    dice = random.Random(seed)
    found = conditions(dice, N_RULES, step_ms=step_ms)
    lines = [rule_line(k, when, per, dice) for k, (when, per) in enumerate(found)]
    pair = Pair(rules_of_text("".join(lines[:n_first])), step_ms=step_ms, dtype=dtype, n_block=n_block)
    stream = Stream(pair, seed, n=6, step_ms=step_ms, trouble=0.02)
    if seed % 2:
        stream.warm()
    for tick in range(n_ticks):
        if tick in swaps:
            pair.engine.consume(RulesChanged(rules_of_text("".join(lines[: swaps[tick]])), {}, ()))
        stream.advance()
    pair.flush()
    return pair.transitions, list(lives(pair.notices))


def _rounded(value):
    """Where running sums began decides over the last digit: other rules may be the first to need a window."""
    return None if value is None else float(f"{value:.9g}")


def of_first(found, n):
    """What concerns the first rules, without the moments of telling what is new."""
    ids = {f"r{k}" for k in range(n)}
    transitions, notices = found
    told = [
        (n.key, n.kind, n.at_ms, _rounded(n.view.value), n.view.is_already_true) for n in notices if n.rule_id in ids
    ]
    return [t for t in transitions if t[0] in ids], told


streams = st.sampled_from([(1_000, "float32"), (STEP_MS, "float64")])


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(
    seed=st.integers(0, 2**32),
    step=streams,
    n_block=st.sampled_from([1, 3]),
    at=st.lists(st.integers(0, 23), min_size=1, max_size=4),
)
def test_a_reload_to_the_same_rules_changes_nothing(seed, step, n_block, at):
    swaps = dict.fromkeys(at, N_RULES)
    reloaded = run(seed, 24, step[0], n_block, step[1], n_first=N_RULES, swaps=swaps)
    assert reloaded == run(seed, 24, step[0], 1, step[1], n_first=N_RULES, swaps={})


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(
    seed=st.integers(0, 2**32),
    step=streams,
    n_first=st.integers(1, N_RULES - 1),
    at=st.dictionaries(st.integers(0, 23), st.integers(0, N_RULES), min_size=1, max_size=4),
)
@example(seed=18, step=(60_000, "float64"), n_first=2, at={4: 7, 19: 4, 20: 5, 11: 2})
@example(seed=113174543, step=(60_000, "float64"), n_first=4, at={18: 5, 12: 7, 11: 7, 15: 7})
def test_rules_that_come_and_go_leave_the_others_alone(seed, step, n_first, at):
    swaps = {tick: max(n, n_first) for tick, n in at.items()}
    reloaded = run(seed, 24, step[0], 1, step[1], n_first=n_first, swaps=swaps)
    alone = run(seed, 24, step[0], 1, step[1], n_first=n_first, swaps={})
    assert of_first(reloaded, n_first) == of_first(alone, n_first)
