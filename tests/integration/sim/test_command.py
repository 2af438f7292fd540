"""`oibot sim` as a process: its two lines, its ends."""

import contextlib
import signal
import subprocess
import sys
import urllib.request

import pytest

pytestmark = pytest.mark.integration

CODE = "import typer; from bot.cli.sim import sim; typer.run(sim)"


@pytest.fixture
def started():
    running = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "--instruments", "8", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process, dict(process.stdout.readline().split() for _ in range(2))

    yield start
    for process in running:
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_with_zero_on_a_signal(started, number):
    process, urls = started()
    assert urls["stream"] == urls["rest"].replace("http", "ws")
    with urllib.request.urlopen(f"{urls['rest']}/fapi/v1/ping", timeout=10) as answer:
        assert answer.read() == b"{}"
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert process.stdout.read() == ""


def test_it_ends_when_its_parent_lets_go_of_its_input(started):
    process, _ = started("--until-stdin-closes", "--speed", "60")
    process.stdin.close()
    assert process.wait(timeout=10) == 0
