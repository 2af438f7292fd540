"""Rows 15, 16 and 19: the size of the process, and how long a start takes that finds its history, or very many alerts, on disk.

All look from outside. The real bot (`oibot run`) watches the simulated exchange with the shipped rules and one more,
which is true as soon as 23 hours of a price are known. When it has fired for nearly all instruments the day is filled,
and the process is weighed. For row 16 it starts on a folder in which a bot that was stopped seconds ago left a day of
all instruments (`restart.prepare`). The first evaluation with history is when half of them have fired. For row 19 that folder holds a million alerts of chats as
well (`million.prepare`); the process is weighed a minute after they are loaded.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench import million, restart
from tests.bench.harness import Context, Group, Result
from tests.bench.memory import SHIPPED, status_mb
from tests.bench.reference import DAY_S, HOUR_S

ROOT = Path(__file__).parents[2]
N_INSTRUMENTS, N_QUICK_INSTRUMENTS = 950, 120
FILLED_SHARE, FIRST_SHARE = 0.8, 0.5
"""Of all instruments; a tenth of the exchange's are outside the default scope."""
FILL_LIMIT_S, START_LIMIT_S = 900.0, 120.0
QUICK_LIMIT_S = 180.0
N_ALERTS, N_QUICK_ALERTS = 1_000_000, 50_000
SETTLE_S, QUICK_SETTLE_S = 60.0, 5.0
"""How long after the alerts are loaded the process is weighed."""
_RULE = "version: 1\nrules:\n- {id: day_known, when: 'avg(price, 23h) > 0', cooldown: 0s, severity: info}\n"


def engine_size(context: Context) -> list[Result]:
    context.say("an engine alone")
    arguments = [str(DAY_S + 900), str(300 if context.is_quick else HOUR_S)]
    command = [sys.executable, "-m", "tests.bench.memory", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    note = "arrays of the market: `Market.nbytes`"
    if found["after"]:
        note += (
            f"; that process has {found['after']['VmRSS']:.0f} MB, {found['before']['VmRSS']:.0f} MB before the engine"
        )
    return [Result("15", "engine: shipped rules, 950 instruments, 24 h", found["engine_mb"], 90.0, "MB", note=note)]


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OIBOT_")}
    return {**clean, "PYTHONPATH": str(ROOT), **more}


@contextlib.contextmanager
def venue(n_instruments: int) -> Iterator[tuple[str, str]]:
    """Base URLs of a simulated exchange of its own process."""
    command = [sys.executable, "-m", "bot", "sim", "--instruments", str(n_instruments), "--until-stdin-closes"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        urls = dict(process.stdout.readline().split(maxsplit=1) for _ in range(2))
        yield urls["rest"].strip(), urls["stream"].strip()
    finally:
        process.stdin.close()
        process.wait(10)


class Bot:
    """The real process; its log is read as a file."""

    def __init__(self, folder: Path, urls: tuple[str, str], name: str, **more: str) -> None:
        self.started_s = time.monotonic()
        self._log = folder / f"{name}.log"
        settings = {
            "OIBOT_BINANCE__REST_URL": urls[0],
            "OIBOT_BINANCE__STREAM_URL": urls[1],
            "OIBOT_DATA_DIR": str(folder / "data"),
            "OIBOT_RULES_DIR": str(folder / "rules"),
            "OIBOT_LOG__FORMAT": "json",
            **more,
        }
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot", "run"],
                cwd=folder,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def n_known(self) -> int:
        """Instruments whose day is known."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return sum('"alert.firing"' in line and '"day_known"' in line for line in text.splitlines())

    def wait_known(self, n: int, limit_s: float, step: Callable[[float], None]) -> float | None:
        """Seconds from the start until so many are known; None where that takes too long."""
        while (spent := time.monotonic() - self.started_s) < limit_s and self.process.poll() is None:
            known = self.n_known()
            step(known / n)
            if known >= n:
                return spent
            time.sleep(0.1 if spent < 20 else 1.0)
        return None

    def wait_logged(self, what: str, limit_s: float) -> None:
        """Until its log holds a text. Raises `RuntimeError` where it does not in time."""
        deadline_s = time.monotonic() + limit_s
        while what not in self._log.read_text(encoding="utf-8", errors="replace"):
            if time.monotonic() > deadline_s or self.process.poll() is not None:
                raise RuntimeError(f"expected {what} in the log of the bot, found {self.tail()}")
            time.sleep(0.1)

    def loaded(self) -> dict[str, int] | None:
        """What it logs once all alerts of chats are loaded."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        found = [json.loads(line) for line in text.splitlines() if '"chat_alerts.loaded"' in line]
        return found[0] if found else None

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def whole_process(context: Context) -> list[Result]:
    n = N_QUICK_INSTRUMENTS if context.is_quick else N_INSTRUMENTS
    limit_s = QUICK_LIMIT_S if context.is_quick else FILL_LIMIT_S
    with tempfile.TemporaryDirectory() as name, venue(n) as urls:
        first, filled_s, weight = watch(context, Path(name), urls, int(FILLED_SHARE * n), limit_s)
    known = f"{first} of {n} instruments had their day" + (f" after {filled_s:.0f} s" if filled_s else "")
    note = f"`oibot run` on the simulated exchange; {known}" + (
        f"; at most {weight['VmHWM']:.0f} MB" if weight else "not measured: the kernel does not tell"
    )
    name = f"process: shipped rules, {n} instruments, 24 h"
    return [Result("15", name, weight.get("VmRSS"), 220.0, "MB", note=note)]


def restart_with_a_day(context: Context) -> list[Result]:
    n = N_QUICK_INSTRUMENTS if context.is_quick else N_INSTRUMENTS
    with tempfile.TemporaryDirectory() as name, venue(n) as urls:
        folder = Path(name)
        write_rules(folder)
        context.say("a day on disk")
        listed = restart.instruments_of(urls[0])
        n_bytes = restart.prepare(folder / "data", folder / "rules", listed)
        again, start_s, _ = watch(context, folder, urls, int(FIRST_SHARE * n), START_LIMIT_S)
    note = f"{again} of {n} instruments had their day; {n_bytes / 1e6:.1f} MB on disk"
    if start_s is None:
        note += f"; fewer than {FIRST_SHARE:.0%} within {START_LIMIT_S:.0f} s"
    name = "start with 24 h on disk to the first evaluation over them"
    return [Result("16", name, start_s, 5.0, "s", note=note)]


def very_many_alerts(context: Context) -> list[Result]:
    n = N_QUICK_INSTRUMENTS if context.is_quick else N_INSTRUMENTS
    n_alerts = N_QUICK_ALERTS if context.is_quick else N_ALERTS
    with tempfile.TemporaryDirectory() as name, venue(n) as urls:
        folder = Path(name)
        write_rules(folder)
        context.say(f"{n_alerts:,} alerts on disk")
        listed = restart.instruments_of(urls[0])
        n_bytes = million.prepare(folder / "data" / "oibot.db", listed, n_alerts, now_ms=int(time.time() * 1_000))
        sizes = million.sizes(folder / "data" / "oibot.db", listed)
        # The day has to lead to the prices of now, else all alerts fire at once.
        levels = restart.levels_of(urls[0], listed)
        restart.prepare(folder / "data", folder / "rules", listed, levels=levels)
        context.say("the bot loads them")
        bot = Bot(folder, urls, "bot")
        try:
            bot.wait_known(int(FIRST_SHARE * n), START_LIMIT_S, context.step)
            if (loaded := bot.loaded()) is None:
                raise RuntimeError(f"no alerts were loaded: {bot.tail()}")
            time.sleep(QUICK_SETTLE_S if context.is_quick else SETTLE_S)
            weight = status_mb(bot.process.pid)
        finally:
            bot.stop()
    what = f"{loaded['n']:,} alerts of chats"
    note = f"{n_bytes / 1e6:.0f} MB on disk, each with a stored life"
    columns = f"with all instruments listed; columns beside it {sizes['columns'] / 2**20:.1f} MB; texts and owners stay on disk"
    size = f"{n} instruments with 24 h, shipped rules; at most {weight['VmHWM']:.0f} MB" if weight else "not measured"
    return [
        Result("19", f"load {what}", loaded["ms"] / 1_000, 10.0, "s", note=note),
        Result("19", f"index of {what}", sizes["index"] / 2**20, 32.0, "MB", note=columns),
        Result("19", f"process with {what}", weight.get("VmRSS"), 260.0, "MB", note=size),
    ]


def write_rules(folder: Path) -> None:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "default.yaml").write_bytes(SHIPPED.read_bytes())
    (folder / "rules" / "bench.yaml").write_text(_RULE, encoding="utf-8")


def watch(
    context: Context, folder: Path, urls: tuple[str, str], n: int, limit_s: float
) -> tuple[int, float | None, dict[str, float]]:
    """Run the bot until n instruments are known: how many were, after how long, and its memory then."""
    context.say(f"the bot on the simulated exchange, until {n} instruments have their day")
    write_rules(folder)
    bot = Bot(folder, urls, "bot")
    try:
        spent_s = bot.wait_known(n, limit_s, context.step)
        if bot.process.poll() is not None:
            raise RuntimeError(f"the bot ended: {bot.tail()}")
        return bot.n_known(), spent_s, status_mb(bot.process.pid)
    finally:
        bot.stop()


def run(context: Context) -> Sequence[Result]:
    results = [*engine_size(context), *whole_process(context)] if context.wants("15") else []
    results += restart_with_a_day(context) if context.wants("16") else []
    return [*results, *very_many_alerts(context)] if context.wants("19") else results


GROUPS = (Group(("15", "16", "19"), run),)
