"""The real process under a service manager: the test is the manager, over the datagram socket of the protocol."""

import asyncio
import re
import signal
import socket
import time

import pytest

from tests.support.harness import ROOT

pytestmark = pytest.mark.acceptance

WATCHDOG_S = 4.0
STUCK = """
import os, time
from bot.engine.engine import Engine
tick = Engine.tick
def stuck(self, now_ms):
    while os.path.exists({file!r}):
        time.sleep(0.1)
    return tick(self, now_ms)
Engine.tick = stuck
"""


class Manager:
    """Hears a service and keeps what it said, with the time of the machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.said: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def _hear(self) -> None:
        now_s = time.monotonic()
        self.said += [(now_s, line) for line in self._socket.recv(4096).decode().split("\n")]

    def lines(self, prefix: str = "") -> list[str]:
        return [line for _, line in self.said if line.startswith(prefix)]

    def silent_s(self) -> float:
        """Since the watchdog was fed last."""
        return time.monotonic() - max((at_s for at_s, line in self.said if line == "WATCHDOG=1"), default=0.0)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def environment(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}


@pytest.fixture
async def manager(tmp_path):
    made = Manager(f"@oibot-{tmp_path.name}-{time.monotonic_ns()}")
    yield made
    made.close()


async def test_it_says_when_it_is_up_how_it_fares_that_it_is_stuck_and_that_it_stops(harness, manager, until):
    venue = await harness.venue(instruments=20)
    stuck, patches = harness.folder / "stuck", harness.folder / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(STUCK.format(file=str(stuck)), encoding="utf-8")
    env = {**harness.env(venue), **manager.environment()}
    bot = await harness.start("run", env={**env, "PYTHONPATH": f"{patches}:{ROOT}"})

    await until(lambda: "READY=1" in manager.lines(), within_s=60, why=lambda: bot.output)
    before = manager.lines()[: manager.lines().index("READY=1")]
    assert "EXTEND_TIMEOUT_USEC=60000000" in before
    assert any(line.startswith("STATUS=waiting for ") for line in before)
    figures = re.compile(r"STATUS=\d+ symbols, OI \d+ s, \d+ alerts? today")
    await until(
        lambda: [line for line in manager.lines("STATUS=") if figures.fullmatch(line)],
        within_s=60,
        why=lambda: str(manager.lines("STATUS=")),
    )

    fed = len(manager.lines("WATCHDOG=1"))
    await until(lambda: len(manager.lines("WATCHDOG=1")) >= fed + 5, within_s=60, why=lambda: bot.output)
    stuck.touch()
    await until(lambda: manager.silent_s() > WATCHDOG_S, within_s=60)
    bot.signal(signal.SIGABRT)
    assert await bot.exit_code() == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in bot.output
    assert "sitecustomize.py" in bot.output, "the log says where it hung"

    stuck.unlink()
    manager.said.clear()
    bot = await harness.start("run", env=env)
    await until(lambda: "READY=1" in manager.lines(), within_s=60, why=lambda: bot.output)
    assert "STOPPING=1" not in manager.lines()
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    await until(lambda: "STOPPING=1" in manager.lines(), within_s=5)
    assert manager.lines("READY") == ["READY=1"]


async def test_an_exchange_that_does_not_answer_is_waited_for_and_named(harness, manager, until):
    env = {**harness.env(("http://127.0.0.1:9", "ws://127.0.0.1:9")), **manager.environment()}
    bot = await harness.start("run", env=env)

    await until(
        lambda: [s for s in manager.lines("STATUS=waiting for prices and open interest") if "refused" in s],
        within_s=60,
        why=lambda: bot.output,
    )
    n = len(manager.lines("EXTEND_TIMEOUT_USEC="))
    await until(lambda: len(manager.lines("EXTEND_TIMEOUT_USEC=")) > n + 2, within_s=60)
    assert "READY=1" not in manager.lines()
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"OIBOT_RULES_DIR": "nowhere"}, "OIBOT_RULES_DIR"),
        ({"OIBOT_LOG__LEVEL": "LOUD"}, "OIBOT_LOG__LEVEL"),
        ({"OIBOT_TELEGRAM__TOKEN_FILE": "nowhere"}, "token_file"),
    ],
)
async def test_what_only_a_person_can_mend_is_not_tried_again(harness, env, says):
    bot = await harness.start("run", env={**harness.env(("http://127.0.0.1:9", "ws://127.0.0.1:9")), **env})
    assert await bot.exit_code(30) == 78, "RestartPreventExitStatus of the unit"
    assert says in bot.output
    assert "Traceback" not in bot.output
