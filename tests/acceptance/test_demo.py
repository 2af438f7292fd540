"""What a newcomer sees first: the demo, started and stopped in every way."""

import asyncio
import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance


def children_of(pid: int) -> list[int]:
    """Processes that name `pid` as their parent."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(x) for x in found.stdout.split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_without_a_terminal_it_ends_by_itself_with_a_summary(harness):
    demo = await harness.start("demo", "--for", "15s", "--instruments", "40")

    assert await demo.exit_code(60) == 0, demo.output
    assert "evaluations" in demo.output
    assert "0 × 429, 0 × 418" in demo.output
    assert "Traceback" not in demo.output


@pytest.mark.parametrize("after_s", [0.7, 2.0, 6.0])
async def test_ctrl_c_ends_it_cleanly_at_any_moment(harness, until, after_s):
    demo = await harness.start("demo", "--instruments", "40")
    await asyncio.sleep(after_s)
    exchange = children_of(demo.pid)
    demo.signal(signal.SIGINT)

    code = await demo.exit_code(30)

    # Before Python runs its first line of ours, the signal itself ends it.
    assert code in {0, 130, -signal.SIGINT}, demo.output
    assert "Traceback" not in demo.output, demo.output
    await until(lambda: not any(is_alive(p) for p in exchange), within_s=10)


async def test_it_keeps_its_folder_only_when_asked(harness, tmp_path):
    kept = tmp_path / "kept"
    demo = await harness.start("demo", "--for", "5s", "--instruments", "20", "--data-dir", str(kept))

    assert await demo.exit_code(60) == 0, demo.output
    assert (kept / "oibot.db").exists()


async def test_a_users_own_settings_do_not_reach_the_demo(harness):
    """A token in the environment must not make a demo alert a real chat."""
    env = {
        "OIBOT_TELEGRAM__TOKEN": "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "OIBOT_TELEGRAM__API_URL": "http://127.0.0.1:9",
        "OIBOT_TELEGRAM__OWNER_ID": "1",
    }
    demo = await harness.start("demo", "--for", "5s", "--instruments", "20", env=env)

    assert await demo.exit_code(60) == 0
    assert "telegram" not in demo.output.lower()


async def test_on_a_terminal_it_answers_what_is_typed(harness, until):
    master, slave = pty.openpty()
    raw = bytearray()

    def seen() -> str:
        """What was printed, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw.decode(errors="replace"))

    process = await asyncio.create_subprocess_exec(
        "env", "TERM=xterm-256color", "COLUMNS=110",
        sys.executable, "-m", "bot", "demo", "--instruments", "40",
        stdin=slave, stdout=slave, stderr=slave, cwd=harness.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    loop = asyncio.get_running_loop()
    os.set_blocking(master, False)

    def read() -> None:
        with contextlib.suppress(OSError):
            raw.extend(os.read(master, 65536))

    loop.add_reader(master, read)
    try:
        await until(lambda: "oibot demo" in seen(), within_s=20, why=seen)
        await asyncio.sleep(8)
        os.write(master, b"/oi BTC\n")
        await until(lambda: "BTCUSDT open interest" in seen(), within_s=20, why=seen)
        folder = re.search(r"OIBOT_DATA_DIR=(\S+) \S*oibot chat", seen())[1]
        asked = await harness.start("ask", "/price ETH", env={"OIBOT_DATA_DIR": folder})
        assert await asked.exit_code(30) == 0, asked.output
        assert "ETHUSDT" in asked.output
        os.write(master, b"/status\n")
        await until(lambda: "Prices" in seen(), within_s=20, why=seen)
        os.write(master, b"/quit\n")
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        loop.remove_reader(master)
        os.close(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
        process._transport.close()
    assert b"\x1b[1" in raw, "no colour on a terminal"
    assert "Traceback" not in seen()
