"""What was started is stopped, in the order that loses nothing."""

import asyncio

import pytest

from bot.app.running import Component, Running, components
from bot.app.supervisor import Policy, Supervisor
from bot.clock import ManualClock


class Parts:
    """Stands in for all parts of a bot: notes what is asked of it, runs until cancelled."""

    def __init__(self):
        self.heard = []

    def runs(self, name):
        async def run():
            self.heard.append(f"+{name}")
            try:
                await asyncio.Event().wait()
            finally:
                self.heard.append(f"-{name}")

        return run

    def part(self, name):
        return type(name, (), {"run": staticmethod(self.runs(name)), "__getattr__": self._method_of(name)})()

    def _method_of(self, name):
        def found(_, method):
            async def later(*_):
                self.heard.append(f"{name}.{method}")

            return (
                later if method in {"store", "drain", "written"} else lambda *_: self.heard.append(f"{name}.{method}")
            )

        return found


@pytest.mark.parametrize("tells", [True, False])
async def test_what_feeds_stops_before_what_decides_and_that_before_what_stores_and_tells(tells):
    parts = Parts()
    running = Running(
        supervisor=Supervisor(ManualClock()),
        database=parts.part("database"),
        committer=parts.part("committer"),
        live=parts.part("live"),
        snapshots=parts.part("snapshots"),
        lanes=parts.part("lanes") if tells else None,
        around=[*components({"feed": parts.runs("feed")}), Component("control", parts.runs("control"), Policy.DEGRADE)],
    )
    told = ["lanes"] if tells else []

    async with asyncio.TaskGroup() as group:
        running.start(group)
        await asyncio.sleep(0)
        assert parts.heard == [f"+{name}" for name in ("committer", "live", *told, "feed", "control")]
        parts.heard.clear()
        await running.stop()

    assert parts.heard == [
        "database.hurry",
        "-feed",
        "-control",
        "-live",
        "live.closing",
        "live.store",
        "snapshots.finish",
        "committer.drain",
        *[f"{name}.drain" for name in told],
        "snapshots.written",
        *[f"-{name}" for name in told],
        "-committer",
    ]
