"""`oibot ask` and `oibot chat` with jobs: what takes the place of an answer belongs to it."""

import asyncio
import json

import pytest
import typer
from typer.testing import CliRunner

from bot.app.data_dir import DataDir
from bot.chat.actions import Actions
from bot.chat.local import LocalChat
from bot.chat.reply import Reply, line
from bot.cli.ask import ask
from bot.cli.chat import chat
from bot.clock import SystemClock

pytestmark = pytest.mark.integration

app = typer.Typer()
app.command()(ask)
app.command()(chat)


class Jobs:
    """Commands whose first answer is that they begin."""

    def __init__(self) -> None:
        self.hold: asyncio.Event | None = None
        self.then: list[Reply] = []
        self.first = Reply((line("begun"),), is_interim=True)

    async def start(self, command, asker):
        async def later():
            for reply in self.then:
                if self.hold is not None:
                    await self.hold.wait()
                yield reply

        return Reply(self.first.blocks, is_interim=self.first.is_interim, later=later)


@pytest.fixture
def jobs():
    return Jobs()


@pytest.fixture
async def said(jobs, tmp_path, monkeypatch):
    """What a command of ours prints, on both outputs, and its exit code."""
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path))
    path = DataDir(tmp_path).control
    front = LocalChat(
        path=path, market=None, why=None, overview=None, clock=SystemClock(), actions=Actions({"backtest": jobs.start})
    )
    task = asyncio.create_task(front.run())
    while not path.exists():
        await asyncio.sleep(0.005)

    async def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        result = await asyncio.to_thread(CliRunner().invoke, app, words, input=typed)
        return result.exit_code, result.stdout, result.stderr

    yield run
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_script_gets_what_came_of_it_and_nothing_of_before(said, jobs):
    jobs.then = [Reply((line("half"),), is_interim=True), Reply((line("12 firings"),))]
    assert await said("ask", "/backtest oi_surge") == (0, "12 firings\n", "")
    code, out, _ = await said("ask", "--json", "/backtest oi_surge")
    assert (code, len(out.splitlines())) == (0, 1)
    assert json.loads(out) == {"ok": True, "reply": {"blocks": [{"kind": "line", "spans": [["12 firings", "plain"]]}], "buttons": []}}  # fmt: skip


async def test_a_job_that_failed_is_a_refusal(said, jobs):
    jobs.then = [Reply((line("no bars"),), is_refusal=True)]
    assert await said("ask", "/backtest oi_surge") == (1, "", "oibot: no bars\n")


async def test_an_answer_that_grows_later_is_printed_once_and_whole(said, jobs):
    jobs.first = Reply((line("made"),))
    jobs.then = [Reply((line("made, 12 times in 30d"),))]
    assert await said("ask", "/backtest oi_surge") == (0, "made, 12 times in 30d\n", "")
    jobs.then = []
    assert await said("ask", "/backtest oi_surge") == (0, "made\n", "")


async def test_waiting_ends_and_says_so(said, jobs):
    jobs.hold = asyncio.Event()
    jobs.then = [Reply((line("never"),))]
    code, out, err = await said("ask", "--wait", "0.2", "/backtest oi_surge")
    assert (code, out) == (1, "begun\n")
    assert "has not ended" in err
    assert await said("ask", "--wait", "0", "/backtest oi_surge") == (0, "begun\n", "")


async def test_a_person_sees_that_it_began_and_what_came_of_it(said, jobs):
    jobs.then = [Reply((line("half"),), is_interim=True), Reply((line("12 firings"),))]
    assert await said("chat", typed="/backtest oi_surge\n/quit\n") == (0, "begun\n12 firings\n", "")
