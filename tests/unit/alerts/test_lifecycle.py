"""The life of one alert, step by step."""

import itertools

import pytest

from bot.alerts.lifecycle import NEXT, Cell, Policy, Step, step
from bot.model.alert import FOREVER_MS, State
from bot.model.truth import FALSE, TRUE, UNKNOWN

T0 = 1_767_225_600_000


def policy(**changes):
    base = {
        "for_ms": 0,
        "cooldown_ms": 60_000,
        "repeat_ms": None,
        "escalate": None,
        "once": False,
        "uses_oi": False,
        "max_gap_ms": 10_000,
    }
    return Policy(**{**base, **changes})


def run(cell, rules, truths, *, clear=None, every_ms=1_000, oi_ms=0, oi_interval_ms=0, member=True, start=T0):
    """Step once a second through truths; returns the steps."""
    steps = []
    for i, when in enumerate(truths):
        end = (2 - when) if clear is None else clear[i]
        steps.append(
            step(
                cell,
                rules,
                now_ms=start + i * every_ms,
                when=when,
                clear=end,
                member=member,
                oi_ms=oi_ms(i) if callable(oi_ms) else oi_ms,
                oi_interval_ms=oi_interval_ms,
            )
        )
    return steps


def test_the_table_covers_every_state_and_truth():
    states = (State.INACTIVE, State.PENDING, State.FIRING)

    assert set(NEXT) == set(itertools.product(states, (FALSE, UNKNOWN, TRUE)))


@pytest.mark.parametrize("state", [State.INACTIVE, State.PENDING, State.FIRING])
def test_unknown_moves_nothing(state):
    assert NEXT[state, UNKNOWN] is state


def test_without_for_it_fires_at_once():
    assert run(Cell(), policy(), [FALSE, TRUE]) == [Step.NOTHING, Step.FIRED]


def test_for_must_be_held_and_a_false_tick_starts_it_again():
    cell = Cell()

    assert run(cell, policy(for_ms=2_000), [TRUE, TRUE, FALSE, TRUE, TRUE, TRUE]) == [
        Step.PENDING,
        Step.NOTHING,
        Step.DROPPED,
        Step.PENDING,
        Step.NOTHING,
        Step.FIRED,
    ]


def test_unknown_pauses_the_for_clock():
    """Three seconds true in all are needed; the two unknown seconds in between do not count."""
    truths = [TRUE, TRUE, UNKNOWN, UNKNOWN, TRUE, TRUE]

    assert run(Cell(), policy(for_ms=3_000), truths)[-1] is Step.FIRED
    assert Step.FIRED not in run(Cell(), policy(for_ms=4_000), truths)


def test_time_in_which_nobody_looked_does_not_count_for_for():
    cell = Cell()

    assert run(cell, policy(for_ms=30_000), [TRUE]) == [Step.PENDING]
    assert run(cell, policy(for_ms=30_000), [TRUE], start=T0 + 60_000) == [Step.NOTHING]
    assert cell.held_ms == 0


def test_a_firing_alert_ends_only_when_clear_is_true_and_when_is_false():
    cell = Cell()
    when = [TRUE, FALSE, UNKNOWN, TRUE, FALSE, FALSE]
    clear = [FALSE, FALSE, TRUE, TRUE, UNKNOWN, TRUE]

    steps = run(cell, policy(), when, clear=clear)

    assert steps == [Step.FIRED, *[Step.NOTHING] * 4, Step.ENDED]


def test_unknown_keeps_a_firing_alert():
    cell = Cell()

    assert run(cell, policy(), [TRUE, *[UNKNOWN] * 100])[1:] == [Step.NOTHING] * 100
    assert cell.state is State.FIRING


def test_the_cooldown_runs_from_the_end_and_a_condition_still_true_then_fires():
    cell = Cell()
    run(cell, policy(cooldown_ms=5_000), [TRUE, FALSE])

    steps = run(cell, policy(cooldown_ms=5_000), [TRUE] * 6, start=T0 + 2_000)

    assert steps == [Step.PENDING, *[Step.NOTHING] * 3, Step.FIRED, Step.NOTHING]


def test_for_and_cooldown_run_side_by_side():
    cell = Cell()
    rules = policy(cooldown_ms=5_000, for_ms=3_000)
    run(cell, rules, [TRUE, TRUE, TRUE, TRUE, FALSE])

    steps = run(cell, rules, [TRUE] * 6, start=T0 + 5_000)

    assert steps.index(Step.FIRED) == 4


def test_once_never_fires_again():
    cell = Cell()
    run(cell, policy(once=True), [TRUE, FALSE])

    assert cell.cooldown_until_ms == FOREVER_MS
    assert run(cell, policy(once=True), [TRUE] * 100, start=T0 + 3_600_000) == [Step.NOTHING] * 100
    assert cell.state is State.INACTIVE, "it is pending for nothing"


def test_leaving_the_scope_drops_pending_and_keeps_firing():
    pending, firing = Cell(), Cell()
    run(pending, policy(for_ms=60_000), [TRUE])
    run(firing, policy(), [TRUE])

    assert run(pending, policy(for_ms=60_000), [TRUE], start=T0 + 1_000, member=False) == [Step.DROPPED]
    assert run(firing, policy(), [TRUE, FALSE], start=T0 + 1_000, member=False) == [Step.NOTHING, Step.ENDED]


def test_a_for_shorter_than_the_polling_waits_for_the_next_poll():
    rules = policy(for_ms=2_000, uses_oi=True)
    polled_at_6 = run(
        Cell(), rules, [TRUE] * 10, oi_interval_ms=15_000, oi_ms=lambda i: T0 + 5_500 if i >= 6 else T0 - 1
    )

    assert polled_at_6.index(Step.FIRED) == 6
    assert run(Cell(), rules, [TRUE] * 4, oi_interval_ms=1_000, oi_ms=T0 - 1)[2] is Step.FIRED
