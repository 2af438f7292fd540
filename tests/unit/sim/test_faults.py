"""Faults are on for as long as asked and concern what was named."""

import pytest

from bot.sim.faults import KINDS, Faults


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_ends_by_itself(kind):
    faults = Faults()
    faults.start(kind, 1000, 2.5)
    assert faults.active(kind, 1000) is not None
    assert faults.active(kind, 3499) is not None
    assert faults.active(kind, 3500) is None
    assert faults.listed(3500) == []


def test_a_named_fault_leaves_other_names_alone():
    faults = Faults()
    faults.start("silence", 0, 10, "!markPrice@arr@1s")
    assert faults.active("silence", 1, "!markPrice@arr@1s")
    assert faults.active("silence", 1, "!miniTicker@arr") is None
    assert faults.active("garbage", 1, "!markPrice@arr@1s") is None


def test_a_kind_of_stream_is_named_by_its_end():
    faults = Faults()
    faults.start("silence", 0, 10, "@kline_1m")
    assert faults.active("silence", 1, "btcusdt@kline_1m")
    assert faults.active("silence", 1, "!forceOrder@arr") is None


def test_stop_ends_everything():
    faults = Faults()
    for kind in KINDS:
        faults.start(kind, 0, 10)
    faults.stop()
    assert all(faults.active(kind, 1) is None for kind in KINDS)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected one of silence"):
        Faults().start("earthquake", 0, 1)
