"""A reloader over a folder, an engine without a market, and a clock that the test moves."""

import asyncio
import itertools
import os
import threading

from bot.app.extra_rules import ExtraRules
from bot.app.loading import load
from bot.app.reloading import Reloader
from bot.app.sending import Switch
from bot.clock import ManualClock
from bot.delivery.notices import said
from bot.engine.engine import Engine
from bot.settings import Settings

T0 = 1_767_225_600_000
GOOD = """version: 1
rules:
- {id: high, when: price >= 100}
- {id: low, when: price <= 10}
"""
READING = {"rules folder", "rules"}
"""Threads of the reloader."""
_changes = itertools.count(1)


class Places:
    """Stands in for what sends: notes what it is asked."""

    def __init__(self):
        self.plans = []
        self.fails = None

    async def prepare(self, plan, settings):
        if self.fails is not None:
            raise self.fails
        self.plans.append(plan)
        return Switch((), (), {}, plan, ())

    def switch(self, switch):
        pass


class Loop:
    """Stands in for the main loop: an engine without a market."""

    def __init__(self, rules):
        self.engine = Engine(rules)
        self.routes = None
        self.changes = []

    def consume(self, item):
        self.changes.append(item)
        self.engine.consume(item)


async def routes_of(plan):
    return plan.routes


class World:
    def __init__(self, folder):
        self.folder = folder
        self.settings = Settings(rules_dir=folder, _env_file=None)
        self.clock = ManualClock(wall_ms=T0)
        loaded = load(self.settings)
        self.live = Loop(loaded.rules.rules)
        self.extra = ExtraRules(loaded)
        self.extra.connect(self.live.consume, lambda: None)
        self.places = Places()
        self.told = []
        self.taken = []
        self.reloader = Reloader(
            loaded=loaded,
            folder=folder,
            settings=lambda: self.settings,
            fixed=None,
            extra=self.extra,
            live=self.live,
            sending=self.places,
            settle=routes_of,
            clock=self.clock,
            delivers=True,
            tell=lambda words: self.told.append(said(words)),
            on_taken=self.taken.append,
        )

    @property
    def ids(self):
        return [rule.id for rule in self.live.engine.rules]

    def write(self, text, name="rules.yaml"):
        path = self.folder / name
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, encoding="utf-8")
        self.age(path)

    def age(self, path):
        """Every change is seen, however coarse the file system's clock is."""
        at_ns = next(_changes) * 10**9
        os.utime(path, ns=(at_ns, at_ns))

    async def pass_time(self, seconds):
        """Let time pass, and the threads that look do their work."""
        end = self.clock.monotonic_ms() + seconds * 1_000
        while self.clock.monotonic_ms() < end:
            await self.clock.advance(0.25)
            await self.settled()

    async def settled(self):
        """Until nothing is read any more, however long that takes: the clock stands still meanwhile."""
        n_quiet = 0
        while n_quiet < 3:
            await asyncio.sleep(0.001)
            n_quiet = 0 if any(thread.name in READING for thread in threading.enumerate()) else n_quiet + 1

    async def until(self, condition):
        """Until something holds, whatever the machine is busy with."""
        async with asyncio.timeout(30):
            while not condition():
                await self.clock.advance(0.25)
                await self.settled()

    async def reload(self):
        task = asyncio.create_task(self.reloader.reload())
        await self.until(task.done)
        return task.result()
