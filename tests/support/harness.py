"""The real process, its venue and its chats, on fast time.

Everything runs on loopback. The venue is a process of its own; chat servers live in the test. All clocks run `SPEED`
times as fast from one common epoch, so a minute of alerts takes seconds.
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.clock import SystemClock
from tests.support.secrets import leaks_in

ROOT = Path(__file__).parent.parent.parent
SPEED = 8.0


def python(module: str = "bot") -> list[str]:
    return [sys.executable, "-m", module]


@dataclass
class Process:
    """A child process whose output is kept."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    readers: list[asyncio.Task] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        return self.process.pid

    async def exit_code(self, within_s: float = 15.0) -> int:
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            await asyncio.gather(*self.readers)
        return code

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)


class Harness:
    """Starts processes with a clean environment and their log at DEBUG; ends what is left, and sees that no secret came out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epoch_ms = int(time.time() * 1000)
        self.speed = SPEED
        self.children: list[Process] = []

    async def start(
        self, *arguments: str, env: dict[str, str] | None = None, stdin=None, stdout=None, module: str = "bot"
    ) -> Process:
        return await self.spawn([*python(module), *arguments], env=env, stdin=stdin, stdout=stdout)

    async def spawn(
        self,
        command: Sequence[str],
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdin=None,
        stdout=None,
    ) -> Process:
        """Any program, in the harness's folder unless told. `stdout`: a file descriptor that gets the output, which is then
        not kept.
        """
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OIBOT_")}
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd or self.folder,
            env={**clean, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), **(env or {})},
            stdin=stdin if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=stdout if stdout is not None else asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        child = Process(process)
        if stdout is None:
            child.readers.append(asyncio.create_task(self._read(child)))
        self.children.append(child)
        return child

    @staticmethod
    async def _read(child: Process) -> None:
        assert child.process.stdout is not None
        async for raw in child.process.stdout:
            child.lines.append(raw.decode(errors="replace").rstrip("\n"))

    async def venue(self, *, instruments: int = 60, seed: int = 1, script: bool = True) -> tuple[str, str]:
        """Base URLs of a fresh simulated venue; without `script` little happens in it but what is asked for."""
        child = await self.start(
            "sim",
            "--instruments", str(instruments),
            "--seed", str(seed),
            "--speed", str(self.speed),
            "--epoch-ms", str(self.epoch_ms),
            "--script" if script else "--no-script",
        )  # fmt: skip
        await eventually(lambda: len(child.lines) >= 2, within_s=30, why=lambda: child.output)
        urls = dict(line.split(maxsplit=1) for line in child.lines[:2])
        return urls["rest"], urls["stream"]

    def clock(self) -> SystemClock:
        """The time that all processes share; its monotonic part begins now."""
        return SystemClock(speed=self.speed, epoch_ms=self.epoch_ms)

    def rules(self, text: str) -> Path:
        """A folder with these rules."""
        folder = self.folder / "rules"
        folder.mkdir(exist_ok=True)
        (folder / "rules.yaml").write_text(text, encoding="utf-8")
        return folder

    @property
    def database(self) -> Path:
        return self.folder / "data" / "oibot.db"

    def env(self, venue: tuple[str, str], **more: str) -> dict[str, str]:
        """The environment of a bot on that venue."""
        return {
            "OIBOT_BINANCE__REST_URL": venue[0],
            "OIBOT_BINANCE__STREAM_URL": venue[1],
            "OIBOT_DATA_DIR": str(self.folder / "data"),
            "OIBOT_RULES_DIR": str(ROOT / "rules"),
            "OIBOT_CLOCK__SPEED": str(self.speed),
            "OIBOT_CLOCK__EPOCH_MS": str(self.epoch_ms),
            "OIBOT_LOG__FORMAT": "json",
            "OIBOT_LOG__LEVEL": "DEBUG",
            "OIBOT_LOG__COLLAPSE": "false",
            **more,
        }

    def rows(self, sql: str) -> list[tuple]:
        """Read the bot's database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    async def close(self) -> None:
        for child in reversed(self.children):
            if child.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.signal(signal.SIGKILL)
            await child.process.wait()
            await asyncio.gather(*child.readers, return_exceptions=True)
            # The transport closes with the loop otherwise, and says so.
            child.process._transport.close()
        leaked = [found for child in self.children if (found := leaks_in(child.output))]
        assert leaked == [], "a secret in the output of a process"


async def eventually(condition: Callable[[], object], *, within_s: float, why: Callable[[], str] = lambda: "") -> None:
    """Wait until something holds; real seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {within_s} s\n{why()[-4000:]}")
        await asyncio.sleep(0.05)
