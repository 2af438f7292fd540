"""Kill the real process at random instants and see what arrived: the loop behind promises P1 to P4.

The venue makes coins jump, the bot fires, escalates and ends, and tells a Telegram chat and a Discord webhook through a
network that breaks. Each run of the bot ends by SIGKILL: at a random instant, or while the other side has taken a message
and holds its answer back, so that the bot dies between the two. The last run is left in peace until nothing is open.
Then what people saw is compared with the database, and the database with a replay of the journals.
"""

import asyncio
import contextlib
import json
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.clock import SystemClock
from bot.history import journal
from bot.history.replay import replay_journal
from bot.model.alert import State, short_id
from bot.rules.loader import load_folder
from bot.sim import chat_faults as faults
from bot.sim.chat_discord import WEBHOOK_ID
from bot.sim.chatserver import ChatServer
from tests.support.arrivals import Pair, Verdict, committed, judge
from tests.support.harness import Harness, Process, eventually
from tests.support.proxy import Proxy

OWNER = 4711
SPEED = 5.0
RULES = """version: 1
defaults: {cooldown: 0s}
rules:
  - {id: jump, when: 'pct(price, 5s) >= 4%', clear: 'pct(price, 5s) < 1%', escalate: 2%}
"""
COINS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "BNBUSDT", "ADAUSDT", "LINKUSDT")
DESTINATIONS = {("telegram", str(OWNER)): "telegram", ("discord", WEBHOOK_ID): "discord"}
AMBIGUOUS = (faults.dropped(accepted=True), faults.broken_json())
"""The message is there, and the bot cannot know."""
PLAIN = (
    faults.too_many_requests(1),
    faults.server_error(),
    faults.bad_gateway(),
    faults.dropped(accepted=False),
)


@dataclass
class Report:
    """What a loop did and what came of it."""

    n_kills: int = 0
    n_held: int = 0
    """Kills between the answer's being due and its arrival."""
    n_ambiguous: int = 0
    """Firings in messages whose outcome the bot could not know: kills during an attempt, lost answers, cut connections."""
    n_delayed: int = 0
    """Runs in which the disk was too slow, so that alerts may have been told from memory."""
    unknown: set[Pair] = field(default_factory=set)
    verdict: Verdict | None = None
    n_fired: int = 0
    not_recomputed: frozenset[str] = frozenset()
    """Committed, and not in the replay of the journals."""
    not_committed: frozenset[str] = frozenset()
    """In the replay, not committed, and not of the last tick before a kill."""

    def __str__(self) -> str:
        return (
            f"{self.n_kills} kills ({self.n_held} while an answer was held), {self.n_fired} firings; {self.verdict}; "
            f"ambiguous {self.n_ambiguous}; not recomputed {len(self.not_recomputed)}, "
            f"not committed {len(self.not_committed)}"
        )


class Market:
    """Makes coins jump, one after the other, until it is stopped."""

    def __init__(self, rest_url: str, clock: SystemClock, *, every_s: float, together: int) -> None:
        self._url = f"{rest_url}/sim/move"
        self._clock = clock
        self._every_s = every_s
        self._together = together
        self.n_moves = 0

    async def run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                for _ in range(self._together):
                    await self.jump(session, COINS[self.n_moves % len(COINS)])
                await self._clock.sleep(self._every_s)

    async def jump(
        self, session: aiohttp.ClientSession, symbol: str, *, change: float = 0.09, seconds: float = 4
    ) -> None:
        """Up within two seconds, back after `seconds` more."""
        body = {"symbol": symbol, "price_change": change, "seconds": seconds}
        async with session.post(self._url, json=body) as response:
            assert response.status == 200, await response.text()
        self.n_moves += 1


@contextlib.asynccontextmanager
async def going(task: "asyncio.Future | asyncio.Task") -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Loop:
    """One kill loop."""

    def __init__(self, harness: Harness, *, seed: int, breaks: bool = True, idle: bool = False) -> None:
        """`breaks`: the chats and the network misbehave. `idle`: kill only when everything is told."""
        self._harness = harness
        self._rng = random.Random(seed)
        self._breaks = breaks
        self._idle = idle
        self._runs: list[list[Path]] = []
        self._doubtful: faults.FaultPlan | None = None
        """Holds a fault that hides what became of a message."""
        self.report = Report()
        self.chats: ChatServer
        self.proxy: Proxy

    async def run(self, n_kills: int, *, on_kill: Callable[[Report], None] = lambda _: None) -> Report:
        harness = self._harness
        # Not faster: two seconds of the clock are all that the bot waits for its disk before it tells from memory.
        harness.speed = SPEED
        venue = await harness.venue(instruments=20, script=False)
        harness.rules(RULES)
        clock = harness.clock()
        async with ChatServer(clock=clock, enforce_limits=True) as self.chats:
            port = int(self.chats.telegram_url.rsplit(":", 1)[1])
            async with Proxy("127.0.0.1", port) as self.proxy:
                market = Market(venue[0], clock, every_s=4, together=2)
                env = self._env(venue)
                async with contextlib.AsyncExitStack() as stack:
                    if not self._idle:
                        await stack.enter_async_context(going(asyncio.create_task(market.run())))
                    for _ in range(n_kills):
                        await self._one_life(env, market)
                        on_kill(self.report)
                await self._last_life(env)
        self._judge()
        return self.report

    def _env(self, venue: tuple[str, str]) -> dict[str, str]:
        webhook = self.chats.discord_webhook_url.replace(self.chats.telegram_url, self.proxy.url)
        return self._harness.env(
            venue,
            OIBOT_RULES_DIR=str(self._harness.folder / "rules"),
            OIBOT_TELEGRAM__TOKEN=self.chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=self.proxy.url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
            OIBOT_DISCORD__WEBHOOK_URL=webhook,
            OIBOT_RECORD__ENABLED="true",
        )

    async def _one_life(self, env: dict[str, str], market: "Market") -> None:
        bot = await self._start(env)
        holding = self._plan()
        if self._idle:
            await self._told_one(market, bot)
        elif holding is None:
            await asyncio.sleep(self._rng.uniform(0.0, 2.0))
        else:
            # Nothing may come within reach; then it is a random instant too.
            with contextlib.suppress(AssertionError):
                await eventually(lambda: holding.n_waiting == 0, within_s=2.5)
                self.report.n_held += 1
        bot.signal(signal.SIGKILL)
        await bot.exit_code()
        self.report.n_kills += 1
        self._after_death(bot)

    async def _told_one(self, market: "Market", bot: Process) -> None:
        """One alert from its firing to its end, all of it told."""
        n = self._harness.rows("SELECT count(*) FROM transitions WHERE state = 'resolved'")[0][0]
        async with aiohttp.ClientSession() as session:
            await asyncio.sleep(8 / self._harness.speed)
            await market.jump(session, COINS[market.n_moves % len(COINS)])

        def is_told() -> bool:
            ended = self._harness.rows("SELECT count(*) FROM transitions WHERE state = 'resolved'")[0][0]
            return ended > n and self._is_quiet()

        await eventually(is_told, within_s=20, why=lambda: bot.output)

    def _is_quiet(self) -> bool:
        open_rows = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
        firing = "SELECT count(*) FROM alerts WHERE state = 'firing'"
        return self._harness.rows(open_rows)[0][0] == 0 and self._harness.rows(firing)[0][0] == 0

    def _plan(self) -> faults.FaultPlan | None:
        """Faults for this life; the plan to wait for when it is to die while an answer is held."""
        chance, server = self._rng.random(), self._rng.choice((self.chats.telegram, self.chats.discord))
        how = {"method": "POST"} if server is self.chats.discord else {}
        self._settle()
        if not self._breaks:
            return None
        if chance < 0.35:
            server.fail(faults.held(600), **how)
            return server.faults
        if chance < 0.55:
            server.fail(self._rng.choice(AMBIGUOUS), **how)
            self._doubtful = server.faults
        elif chance < 0.75:
            server.fail(self._rng.choice(PLAIN), times=self._rng.randint(1, 3), **how)
        elif chance < 0.9:
            self.proxy.set(cut_after=self._rng.randint(0, 1_500), resets=True)
        return None

    def _settle(self) -> None:
        """Mend what broke in the last life."""
        self.proxy.n_cut = 0
        self._doubtful = None
        self.proxy.set()
        for plan in (self.chats.telegram.faults, self.chats.discord.faults):
            plan.clear()

    async def _start(self, env: dict[str, str]) -> Process:
        known = self._journals()
        bot = await self._harness.start("run", env=env)
        await eventually(lambda: "feed.live" in bot.output, within_s=40, why=lambda: bot.output)
        self._runs.append(sorted(self._journals() - known))
        return bot

    def _journals(self) -> set[Path]:
        return set((self._harness.folder / "data" / "journal").glob("*.oij"))

    def _after_death(self, bot: Process) -> None:
        self.report.n_delayed += "commit.delayed" in bot.output
        self.report.n_ambiguous += self._n_in_doubt(bot)
        open_fires = self._harness.rows("SELECT key, destination FROM outbox WHERE state = 'sending' AND kind = 'fire'")
        self.report.unknown |= {(where, short_id(key)) for key, where in open_fires}
        # Alerts, not messages: a message that is sent again repeats all that it carries.
        self.report.n_ambiguous += len(open_fires)

    def _n_in_doubt(self, bot: Process) -> int:
        """Alerts in the messages that this life's broken answers left in doubt: the fullest, one for each injected fault."""
        n_faults = self.proxy.n_cut + (self._doubtful is not None and self._doubtful.n_waiting == 0)
        events = [json.loads(text) for text in bot.lines if '"message.postponed"' in text and text.startswith("{")]
        sizes = sorted((event["rows"] for event in events if event["ambiguous"]), reverse=True)
        return sum(sizes[:n_faults])

    async def _last_life(self, env: dict[str, str]) -> None:
        self._settle()
        bot = await self._start(env)
        await eventually(self._is_quiet, within_s=90, why=lambda: bot.output)
        bot.signal(signal.SIGTERM)
        assert await bot.exit_code() == 0, bot.output
        assert "Traceback" not in bot.output, bot.output

    def _judge(self) -> None:
        wanted = committed(self._harness.database)
        self.report.n_fired = len(wanted.fired)
        self.report.verdict = judge(wanted, self.chats.happenings, DESTINATIONS, unknown=self.report.unknown)
        again, at_the_end = self._recompute()
        self.report.not_recomputed = wanted.fired - again
        self.report.not_committed = again - wanted.fired - at_the_end

    def _recompute(self) -> tuple[frozenset[str], frozenset[str]]:
        """Ids that fired in a replay of the journals, and those of them at the last tick of a run."""
        fired: set[str] = set()
        last: set[str] = set()
        for files in self._runs:
            header, entries = journal.read_all(files)
            entries = list(entries)
            ticks = [entry.now_ms for entry in entries if isinstance(entry, journal.Tick)]
            with tempfile.TemporaryDirectory() as folder:
                for name, text in header.rule_files.items():
                    (Path(folder) / Path(name).name).write_text(text, encoding="utf-8")
                rules = load_folder(Path(folder), destinations=header.destinations).rules
            for transition in replay_journal(header, iter(entries), rules):
                if transition.state is State.FIRING:
                    fired.add(transition.id)
                    if transition.at_ms == ticks[-1]:
                        last.add(transition.id)
        return frozenset(fired), frozenset(last)
