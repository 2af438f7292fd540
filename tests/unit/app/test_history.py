"""The history of a running bot: minutes reach the disk off the loop, a bad disk costs history and nothing else, logs become parts."""

import os
import subprocess
import sys
import threading

import msgspec
import numpy as np
import pytest
import structlog

from bot.app import history as module
from bot.app.history import LiveHistory, Order, Report
from bot.app.history_store import open_store
from bot.app.history_worker import work
from bot.clock import SystemClock
from bot.history import bar_log
from tests.support.bars import DAY_MS, rows_of
from tests.unit.engine.conftest import T0, Feed

RULES = "- {id: a, when: 'pct(price, 5m) > 5%'}\n"
HOUR = 3_600_000


class SetClock(SystemClock):
    """Wall time that is set."""

    now_ms = T0

    def wall_ms(self):
        return self.now_ms


class World:
    def __init__(self, folder, rules, instruments):
        self.folder = folder
        self.feed = Feed(rules, instruments)
        self.feed.now += 1_000
        self.hangs = False
        self.clock = SetClock()
        self.history = self.made()

    def made(self, keep_days=30):
        made = LiveHistory(self.feed.engine, self.folder, self.clock, keep_days=keep_days)
        self.n_put = self.n_refused = 0
        if made.is_on:
            put = made._writer.put

            def counted(minute):
                is_taken = put(minute)
                self.n_put += is_taken
                self.n_refused += not is_taken
                return is_taken

            made._writer.put = counted
        return made

    def run(self, seconds, step=1):
        for _ in range(0, seconds, step):
            self.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
            self.feed.oi("AUSDT", 7.0)
            self.clock.now_ms = self.feed.now
            self.feed.tick(seconds=step)
            self.history.ticked(self.feed.now - 1_000 * step)
            if self.history.is_on and not self.hangs:
                self.settle()

    def settle(self):
        """Wait for the thread, whatever the machine does meanwhile."""
        counts, deadline = self.history.counts, threading.Event()
        for _ in range(60_000):
            if counts.n_minutes + counts.n_dropped == self.n_put + self.n_refused:
                return
            deadline.wait(0.001)
        raise AssertionError("the thread does not come to an end")

    def rows(self):
        with open_store(self.folder) as store:
            grid = store.grid(None, T0 - DAY_MS, T0 + DAY_MS, ["close", "oi"])
            return {
                i.symbol: int(np.isfinite(grid.columns["close"][:, k]).sum()) for k, i in enumerate(grid.instruments)
            }

    def work(self, keep_days=30):
        return work(Order(str(self.folder), keep_days, self.clock.now_ms))


@pytest.fixture
def world(tmp_path, rules_of, perpetual):
    return World(tmp_path / "history", rules_of(RULES), [perpetual("A"), perpetual("B")])


@pytest.fixture
def told():
    with structlog.testing.capture_logs() as lines:
        yield lambda: [line["event"] for line in lines]


def test_each_minute_is_on_the_disk_once_it_is_over(world, told):
    world.run(190)
    world.settle()
    assert world.history.counts.n_minutes == 3
    assert world.rows() == {"AUSDT": 3, "BUSDT": 3}
    assert world.history.troubles() == ()
    assert world.history.n_bytes == sum(p.stat().st_size for p in bar_log.files(world.folder))
    assert "30 days are kept" in world.history.text()
    assert told() == []


def test_each_hour_has_a_log_of_its_own_and_the_process_makes_parts_of_those_that_ended(world):
    world.run(2 * 3_600 + 300, step=10)
    world.settle()
    logs = bar_log.files(world.folder)
    assert len(logs) == 3
    n_minutes = world.history.counts.n_minutes
    before = world.rows()
    assert before == {"AUSDT": n_minutes, "BUSDT": n_minutes}
    report = world.work()
    assert (report.n_logs, report.n_rows, report.n_cut_bytes, report.error) == (2, 2 * 120, 0, "")
    assert report.first_ms == T0 + 60_000
    assert bar_log.files(world.folder) == [logs[-1]]
    assert world.rows() == before
    assert world.work().n_logs == 0


def test_a_log_that_holds_no_bars_stands_in_nobodys_way(world, told):
    odd = bar_log.BarLog(world.folder, 1)
    odd.append(world.feed.instruments, [rows_of({("binance:AUSDT", T0 + 1): {"close": 1.0}})])
    odd.close()
    empty = bar_log.BarLog(world.folder, 2)
    empty.close()
    world.run(130)
    world.history._writer._end()
    assert world.work().n_logs == 1
    assert "history.log_set_aside" in told()
    assert bar_log.files(world.folder) == []
    assert [path.name for path in (world.folder / "log").iterdir()] == [odd.path.name + ".bad"]


def test_the_bot_itself_never_loads_what_reads_and_writes_files_of_bars():
    code = "import sys, bot.cli.main as m, bot.app.bot; m.app_of(); sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_day_is_put_together_after_its_end_and_thrown_away_when_it_is_old(world):
    world.run(7_300, step=10)
    world.settle()
    world.work()
    world.clock.now_ms = T0 + DAY_MS + 2 * HOUR
    assert world.work().n_put_together >= 2
    assert world.work().n_put_together == 0
    world.clock.now_ms = T0 + 4 * DAY_MS
    assert world.work(keep_days=3).n_removed == 1
    with open_store(world.folder) as store:
        assert [h.kind for h in store.status().holdings] == []


def test_the_same_minutes_written_anew_after_a_crash_are_there_once(world):
    world.run(190)
    world.settle()
    # As after a kill between the part and the end of its log.
    (path,) = bar_log.files(world.folder)
    raw = path.read_bytes()
    world.history._writer._end()
    world.work()
    path.write_bytes(raw)
    report = world.work()
    assert report.n_logs == 1
    with open_store(world.folder) as store:
        (held,) = store.status().holdings
        assert (held.n_parts, held.n_rows) == (1, 6)


def test_a_full_disk_is_told_once_and_minutes_go_on_when_there_is_room(world, told):
    def full(*_):
        raise OSError(28, "No space left on device")

    world.run(70)
    write, world.history._writer._write = world.history._writer._write, full
    world.run(180)
    assert told() == ["history.not_written"]
    assert world.history.counts.n_dropped == 3
    assert world.history.troubles() == ("History is not written: No space left on device.",)
    world.history._writer._write = write
    world.run(125)
    world.run(60)
    assert told() == ["history.not_written", "history.recovered"]
    assert world.history.troubles() == ()


def test_a_log_that_cannot_be_repaired_is_ended_and_another_begun(world):
    world.run(70)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, world.history._writer._log._file.fileno())
    os.close(full)
    world.run(120)
    assert (world.history.counts.n_minutes, world.history.counts.n_dropped) == (2, 1)
    assert len(bar_log.files(world.folder)) == 2
    assert world.rows() == {"AUSDT": 2, "BUSDT": 2}


def test_a_disk_that_hangs_costs_minutes_and_never_a_tick(world, told):
    go_on = threading.Event()
    world.hangs = True
    write = world.history._writer._write
    world.history._writer._write = lambda *minute: (go_on.wait(60), write(*minute))
    world.run(60 * (module.MAX_WAITING + 6), step=5)
    assert world.history.counts.n_dropped >= 3
    assert world.history.troubles() == ("History is not written: the disk takes long.",)
    assert told() == ["history.not_written"]
    go_on.set()
    world.history._writer._write = write
    world.settle()
    world.hangs = False
    world.run(125)
    assert told() == ["history.not_written", "history.recovered"]


def test_nothing_is_kept_where_nothing_is_to_be_kept(world):
    world.history = world.made(keep_days=0)
    world.run(130)
    assert not world.folder.exists()
    assert world.history.components == {}
    assert (world.history.text(), world.history.troubles()) == ("", ())


async def test_the_process_works_on_its_own_and_answers_with_a_report(world):
    world.run(130)
    world.settle()
    world.history._writer._end()
    report = await world.history._work()
    assert report.error == ""
    assert (report.n_logs, report.n_rows) == (1, 4)
    assert 20 < report.peak_mb < 400
    world.history._take(report)
    assert world.history.n_bytes == report.n_bytes > 0


@pytest.mark.parametrize("answer", ["print('no report')", "raise SystemExit(1)"])
async def test_a_process_that_fails_is_said_and_tried_again_later(world, told, answer):
    world.history._command = (world.history._command[0], "-c", answer)
    report = await world.history._work()
    assert report.error.startswith("the process ended")
    world.history._take(report)
    assert told() == ["history.not_tidied"]
    assert world.history.troubles()[0].startswith("History is not tidied up: the process ended")
    world.history._take(Report())
    assert world.history.troubles() == ()


def test_an_order_and_a_report_travel_as_text():
    order = Order("/x", 30, T0)
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
