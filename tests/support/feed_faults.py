"""A venue that misbehaves and a bot that lives through it: one process, one fault after the other.

`Station` starts both and a chat of the owner. Times are seconds of the common clock. What the bot noticed and when is read
from its log lines as they come, so each figure is late by up to a twentieth of a real second, times the speed.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.sim.chatserver import ChatServer
from tests.support.harness import Harness, Process, eventually

OWNER = 4711
PATIENCE_S = 30.0
"""Real seconds for which a busy machine may keep everybody waiting."""
RULES = """version: 1
defaults: {cooldown: 1h, notify: [main]}
rules:
  - {id: up, when: 'price > 0', scope: {symbols: [BTCUSDT, ETHUSDT]}}
  - {id: held, when: 'oi > 0', scope: {symbols: [BTCUSDT]}}
  - {id: flow, when: 'sum(volume, 5m) >= 0', scope: {symbols: [BTCUSDT]}}
  - {id: spike, when: 'abs(pct(price, 1m)) >= 20% or abs(pct(oi, 1m)) >= 30%'}
  - {id: lower, when: 'price < 0 or oi < 0'}
"""
FEEDS = ("mark price", "ticker", "liquidations", "klines", "open interest")
STANDING = frozenset({("up", "BTCUSDT"), ("up", "ETHUSDT"), ("held", "BTCUSDT"), ("flow", "BTCUSDT")})
"""What fires from the start, and must neither end nor be joined by anything, whatever the venue does."""


@dataclass
class Outcome:
    """What came of one fault."""

    row: str
    fault: str
    noticed_s: float | None = None
    """From its beginning until the bot said that the feed is lost; None where nothing is lost."""
    recovered_s: float | None = None
    """From its end until the feed was live again."""
    n_calls: int | None = None
    """REST calls while it lasted, or attempts to connect."""
    n_told: int = 0
    """Messages that said that data is lost."""
    n_back: int = 0
    note: str = ""
    problems: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        def seconds(value: float | None) -> str:
            return "-" if value is None else f"{value:.1f} s"

        calls = "-" if self.n_calls is None else str(self.n_calls)
        told = "-" if not self.n_told else f"{self.n_told} and {self.n_back}"
        return self.fault, seconds(self.noticed_s), seconds(self.recovered_s), calls, told, self.note


HEAD = (
    "| fault | noticed after | back after | calls | told | remark |",
    "|---|---:|---:|---:|---|---|",
)
MARKS = (
    "<!-- figures: OIBOT_WRITE_DOCS=1 make test ARGS=tests/acceptance/test_feed_faults.py -->",
    "<!-- end of figures -->",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """The figures as docs/reliability.md shows them, one table for each row of the catalogue."""
    lines: list[str] = []
    row = ""
    for out in outcomes:
        if out.row != row:
            row = out.row
            lines += ["", f"**{row}**", "", *HEAD]
        lines.append(f"| {' | '.join(out.cells())} |")
    return "\n".join(lines).strip() + "\n"


def write_docs(page: Path, text: str) -> None:
    """Put figures where the page keeps them."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}", encoding="utf-8")


class Station:
    """One bot on one venue."""

    def __init__(
        self, harness: Harness, chats: ChatServer, venue: tuple[str, str], session: aiohttp.ClientSession
    ) -> None:
        self.harness = harness
        self.chats = chats
        self.rest_url, self.stream_url = venue
        self.sim = harness.children[0]
        self.feeds = FEEDS
        """What has to be live when all is well."""
        self.standing = STANDING
        self.clock = harness.clock()
        self.bot: Process
        self.late_s = 0.0
        """Real seconds for which this test did not get its turn: as late were others on this machine."""
        self._session = session

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, harness: Harness, *, flows: bool = True) -> AsyncIterator["Station"]:
        """Without `flows` nothing needs bars of volume, the first of which takes up to a minute of the clock."""
        venue = await harness.venue(instruments=20, script=False)
        harness.rules(
            RULES if flows else "".join(line for line in RULES.splitlines(keepends=True) if "flow" not in line)
        )
        async with ChatServer(clock=harness.clock()) as chats, aiohttp.ClientSession() as session:
            station = cls(harness, chats, venue, session)
            if not flows:
                station.feeds = tuple(feed for feed in FEEDS if feed != "klines")
                station.standing = frozenset(alert for alert in STANDING if alert[0] != "flow")
            watch = asyncio.create_task(station.watch_the_machine())
            try:
                yield station
            finally:
                watch.cancel()

    async def start(self, **env: str) -> None:
        """A bot, with what was stored before."""
        settings = {
            "OIBOT_RULES_DIR": str(self.harness.folder / "rules"),
            "OIBOT_TELEGRAM__TOKEN": self.chats.telegram_token,
            "OIBOT_TELEGRAM__API_URL": self.chats.telegram_url,
            "OIBOT_TELEGRAM__OWNER_ID": str(OWNER),
            "OIBOT_TELEGRAM__CHAT_ID": str(OWNER),
        }
        env = {**self.harness.env((self.rest_url, self.stream_url)), **settings, **env}
        self.bot = await self.harness.start("run", env=env)

    async def stop(self) -> None:
        self.bot.terminate()
        assert await self.bot.exit_code() == 0, self.bot.output
        assert "Traceback" not in self.bot.output, self.bot.output

    async def watch_the_machine(self) -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(0.02)
            self.late_s += max(0.0, time.monotonic() - began_s - 0.03)

    # What the venue does and knows

    async def ask(self, what: str, **body: object) -> None:
        async with self._session.post(f"{self.rest_url}/sim/{what}", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def fault(self, kind: str, seconds: float, **body: object) -> None:
        await self.ask("fault", kind=kind, seconds=seconds, **body)

    async def stats(self) -> dict:
        async with self._session.get(f"{self.rest_url}/sim/stats") as answer:
            return await answer.json()

    async def n_requests(self) -> int:
        return sum((await self.stats())["requests"].values())

    # What the bot says

    def now_s(self) -> float:
        return self.clock.monotonic_ms() / 1000.0

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def until(self, condition: Callable[[], object], seconds: float) -> float:
        """Wait for it; returns how long that took. `seconds` are of the clock; the machine gets time on top."""
        began_s = self.now_s()
        within_s = seconds / self.harness.speed + PATIENCE_S
        await eventually(condition, within_s=within_s, why=lambda: self.bot.output)
        return self.now_s() - began_s

    def events(self, event: str, since: int = 0, **fields: object) -> list[dict]:
        """Log lines of that event with these fields, from line `since` on."""
        found = []
        for line in self.bot.lines[since:]:
            if line.startswith("{") and f'"event": "{event}"' in line:
                entry = json.loads(line)
                if all(entry.get(key) == value for key, value in fields.items()):
                    found.append(entry)
        return found

    def is_live(self, feed: str) -> bool:
        said = [e for e in self.events_of_feeds() if e["feed"] == feed]
        return bool(said) and said[-1]["event"] == "feed.live"

    def events_of_feeds(self) -> list[dict]:
        found = []
        for line in self.bot.lines:
            if line.startswith("{") and '"component": "engine"' in line and '"event": "feed.' in line:
                found.append(json.loads(line))
        return found

    def n_lines(self) -> int:
        return len(self.bot.lines)

    def told(self, words: str) -> int:
        """Messages to the owner that say so."""
        return sum(words in m.text for m in self.chats.messages(OWNER))

    def transitions(self) -> set[tuple[str, str, str]]:
        return set(self.harness.rows("SELECT rule_id, symbol, state FROM transitions WHERE state <> 'pending'"))

    def alert_problems(self) -> list[str]:
        """What changed of the alerts that must stand as they are."""
        wanted = {(*alert, "firing") for alert in self.standing}
        found = self.transitions()
        return [f"unwanted alert: {t}" for t in found - wanted] + [f"missing alert: {t}" for t in wanted - found]
