"""Backtests for chats, in processes of their own: one at a time, bounded, and none of them can harm the bot."""

import asyncio
import contextlib
import json
import sys

import numpy as np
import pytest

from bot.app.backtests import CANCELLED, MAX_WAITING, STOPPED, Backtests
from bot.app.history_store import open_store
from bot.clock import SystemClock
from bot.model.backtests import BacktestAnswer, BacktestAsked
from bot.model.history import BAR_MS, BarRows

pytestmark = pytest.mark.integration

DAY_MS = 86_400_000
START_MS = 1_769_904_000_000
RULES = """\
version: 1
rules:
  - {id: spike, scope: {symbols: ["*"]}, when: 'pct(price, 5m) >= 2%', clear: 'pct(price, 5m) < 1%'}
"""
ASKED = BacktestAsked("spike", "Spike", 30.0)
ANSWER = {"from_ms": 0, "to_ms": DAY_MS, "asked_days": 1.0, "condition": "price > 1"}
ANSWERS = (
    f"import json; print(json.dumps({{'share': 0.5}}), flush=True); print({json.dumps(json.dumps({'answer': ANSWER}))})"
)
HANGS = "import time; print('{\"share\": 0.25}', flush=True); time.sleep(600)"


@contextlib.asynccontextmanager
async def desk(tmp_path, code=None, **more):
    command = None if code is None else (sys.executable, "-c", code)
    made = Backtests(
        clock=SystemClock(), history=tmp_path / "history", rules_dir=tmp_path / "rules", command=command, **more
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def ended(run):
    async with asyncio.timeout(120):
        while run.found is None:
            await run.wait(1.0)
    return run.found


async def running(run, share):
    async with asyncio.timeout(60):
        while run.share < share:
            await asyncio.sleep(0.01)


async def test_a_rule_over_what_the_bot_has_recorded(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text(RULES)
    minutes = np.arange(1, 2 * 1_440 + 1, dtype=np.int64)
    close = np.full(len(minutes), 100.0)
    close[[400, 1_500]] = 103.0
    rows = BarRows(("binance:AUSDT",), np.zeros(len(minutes), np.int32), START_MS + minutes * BAR_MS, {"close": close})
    with open_store(tmp_path / "history") as store:
        store.add(rows, source="live")
    async with desk(tmp_path) as backtests:
        found = await ended(backtests.start("telegram:1", ASKED))
        assert isinstance(found, BacktestAnswer), found
        assert found.facts[0] == "2 firings on 1 of 1 contracts, 1.0 a day"
        assert found.to_ms - found.from_ms == 2 * DAY_MS
        assert found.chart is not None
        assert len(found.chart.fired_ms) == 2
        harder = BacktestAsked("spike", "Spike", 30.0, number=0.05)
        found = await ended(backtests.start("telegram:1", harder))
        assert isinstance(found, BacktestAnswer), found
        assert found.facts == ("never fired on 1 contract",)
        assert found.condition == "pct(price, 5m) >= 5%"


async def test_without_history_it_is_said_how_to_get_some(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text(RULES)
    async with desk(tmp_path) as backtests:
        found = await ended(backtests.start("telegram:1", ASKED))
    assert isinstance(found, str)
    assert found.startswith("the history is empty; fill it with")


async def test_answers_come_with_how_far_it_was(tmp_path):
    async with desk(tmp_path, ANSWERS) as backtests:
        run = backtests.start("telegram:1", ASKED)
        found = await ended(run)
        assert isinstance(found, BacktestAnswer)
        assert found.condition == "price > 1"
        assert run.share == 0.5
        assert backtests.last("telegram:1") is run


async def test_one_for_each_chat_and_the_others_wait_in_a_line(tmp_path):
    async with desk(tmp_path, HANGS) as backtests:
        first = backtests.start("telegram:1", ASKED)
        await running(first, 0.25)
        assert backtests.start("telegram:1", ASKED) == "one is running here already"
        second, third = (backtests.start(f"telegram:{n}", ASKED) for n in (2, 3))
        assert (first.n_before, second.n_before, third.n_before) == (0, 1, 2)
        for n in range(4, 2 + MAX_WAITING):
            assert not isinstance(backtests.start(f"telegram:{n}", ASKED), str)
        refused = backtests.start("telegram:99", ASKED)
        assert refused == "too many wait already; try again in a few minutes"
        # Cancelled while it waits, and while it runs: the next begins.
        assert backtests.cancel("telegram:2")
        assert await ended(second) == CANCELLED
        assert third.n_before == 1
        assert backtests.cancel("telegram:1")
        assert not backtests.cancel("telegram:1")
        await running(third, 0.25)
        assert first.found == CANCELLED
    assert third.found == STOPPED, "the bot stops, and nobody waits for ever"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (HANGS, "it took longer than 1 s; ask for fewer days or name contracts"),
        ("import os; os._exit(9)", "its process ended before it had an answer"),
        ("print('no json')", "its process ended (DecodeError)"),
        ('print(\'{"error": "the bars hold no oi"}\')', "the bars hold no oi"),
        ("print('x' * 5_000_000)", "its process ended (ValueError)"),
    ],
)
async def test_a_process_that_fails_costs_its_own_answer_alone(tmp_path, code, reason):
    async with desk(tmp_path, code, work_s=1.0 if code == HANGS else 60.0) as backtests:
        assert await ended(backtests.start("telegram:1", ASKED)) == reason
        run = backtests.start("telegram:1", ASKED)
        assert not isinstance(run, str), "the next may run"


async def test_memory_is_bounded(tmp_path, monkeypatch):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yaml").write_text(RULES)
    # Less than the libraries take that it needs.
    code = (
        "import sys; sys.argv[1:2] = [str(__import__('os').getppid())]; import bot.app.backtest_worker as w; "
        "w.LOOK_S = 0.01; w.work = lambda order, tell: __import__('time').sleep(600); w.main()"
    )
    monkeypatch.setattr("bot.app.backtests.MEMORY_MB", 10)
    async with desk(tmp_path, code) as backtests:
        found = await ended(backtests.start("telegram:1", ASKED))
    assert found == "it would take more than 10 MB of memory; ask for fewer days or name contracts"
