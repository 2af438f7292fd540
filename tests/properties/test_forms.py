"""A rule's other form with the rule's own number lives as the rule does, also where it comes and goes while it watches."""

import random
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.engine.inputs import RulesChanged
from bot.rules.forms import number_of, with_number
from tests.properties.streams import Pair, Stream, conditions, rules_of
from tests.properties.test_blocks import STEP_MS, rule_line

N_RULES = 6
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def form_of(rule):
    found = number_of(rule)
    moved = rule if found is None else with_number(rule, found.number.value)
    return replace(moved, id=f"c_{rule.id}", base=rule.id, notify=("telegram:-1001",))


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(
    seed=st.integers(0, 2**32),
    step=st.sampled_from([(1_000, "float32"), (STEP_MS, "float64")]),
    reloads=st.lists(st.integers(0, 23), max_size=3),
)
def test_a_form_with_its_rules_own_number_has_the_same_transitions(seed, step, reloads):
    dice = random.Random(seed)
    found = conditions(dice, N_RULES, step_ms=step[0])
    rules = rules_of("".join(rule_line(k, when, per, dice) for k, (when, per) in enumerate(found)))
    # What a rule mutes is told of its forms too, which is another matter.
    rules = tuple(replace(rule, inhibits=()) for rule in rules)
    both = (*rules, *map(form_of, rules))
    pair = Pair(both, step_ms=step[0], dtype=step[1], n_block=1)
    stream = Stream(pair, seed, n=6, step_ms=step[0], trouble=0.02)
    stream.warm()
    for tick in range(24):
        if tick in reloads:
            pair.engine.consume(RulesChanged(both, {}, ()))
        stream.advance()
    pair.flush()
    base = [t for t in pair.transitions if not t[0].startswith("c_")]
    forms = [t for t in pair.transitions if t[0].startswith("c_")]
    assert sorted((t[0].removeprefix("c_"), *map(str, t[1:])) for t in forms) == sorted(
        (t[0], *map(str, t[1:])) for t in base
    )
