"""kill -9 at random instants: no committed alert is lost, none is invented, and twice comes only what had to."""

import pytest

from tests.support.kills import Loop

pytestmark = pytest.mark.acceptance


@pytest.mark.promise("P1")
@pytest.mark.promise("P2")
@pytest.mark.promise("P3")
@pytest.mark.promise("P4")
async def test_over_kills_and_a_network_that_breaks_nothing_is_lost_nor_invented(harness):
    report = await Loop(harness, seed=7).run(25)
    print(report)
    verdict = report.verdict
    assert report.n_kills == 25
    assert report.n_held >= 3, "too few kills between answer and mark"
    assert verdict.n_wanted >= 40, "the market had too few events: the test proves little"
    assert not verdict.lost
    assert not verdict.unexpected
    assert verdict.n_duplicates <= report.n_ambiguous
    assert not verdict.disorder
    assert not report.not_recomputed
    assert not report.not_committed


@pytest.mark.promise("P3")
async def test_with_sound_chats_and_kills_at_idle_nothing_comes_twice(harness):
    report = await Loop(harness, seed=8, breaks=False, idle=True).run(5)
    print(report)
    assert report.verdict.n_wanted >= 10
    assert not report.verdict.lost
    assert not report.verdict.unexpected
    assert not report.verdict.disorder
    assert report.n_ambiguous == 0
    assert report.verdict.n_duplicates == 0
