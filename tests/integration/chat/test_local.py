"""The local front on a real socket: who may ask, what is bounded, what is left behind."""

import asyncio
import contextlib
import json
import os
import socket
import stat

import pytest

from bot.chat import local
from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.local import LocalChat, bind
from bot.chat.local_asking import Answer, Request, answers, ask, socket_address
from bot.chat.reply import Button, Reply, bold, line
from bot.chat.wire import Words, unpack
from bot.clock import SystemClock
from bot.model.cards import BotStatus
from bot.model.explanation import AlertSeen, Explanation, Node, RuleName, UnitsThen
from bot.model.instrument import Instrument
from bot.model.overview import Overview
from bot.model.reload import ReloadReport

pytestmark = pytest.mark.integration

ANSWER = Explanation(
    "oi_surge", "OI surge", False, "binance", "BTCUSDT", 5, "false", Node("a > 1", "false"), Node("b"), True, (), "a", 0.5,
    "ratio", UnitsThen("ratio", "ratio"), AlertSeen("inactive"),
)  # fmt: skip

STATUS = BotStatus(
    version="1", uptime_s=1.0, n_instruments=1, n_price_fresh=1, price_age_ms=None, n_oi_fresh=1, oi_slowest_ms=None,
    weight_share=None, banned_until_ms=None, feeds=(), n_rules=1, n_firing=0, n_pending=0, n_alerts_today=0, n_outbox=0,
    rss_mb=1.0, disk_free_gb=1.0, warming="",
)  # fmt: skip


class World:
    def __init__(self) -> None:
        self.asked = []
        self.error: Exception | None = None
        self.hold: asyncio.Event | None = None

    def instruments(self):
        return [Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")]

    def rules(self):
        return [RuleName("oi_surge", "OI surge"), RuleName("off", "off", is_on=False), RuleName("each", "each")]

    async def status(self):
        return STATUS

    async def overview(self, window_ms, n):
        self.asked.append((window_ms, n))
        return Overview(5, window_ms, STATUS, (), (), (), ())

    async def explain(self, rule_id, instrument):
        self.asked.append((rule_id, instrument))
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        return None if rule_id == "each" else ANSWER


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def served(world, tmp_path):
    path = tmp_path / "control.sock"
    chat = LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock())
    task = asyncio.create_task(chat.run())
    while not path.exists():
        await asyncio.sleep(0.005)
    yield path
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reload_is_asked_for_and_says_what_came_of_it(world, tmp_path):
    class Reloads:
        report = ReloadReport(True, ("Rules were reloaded: +1 ~0 -0 rules.",))

        async def reload(self):
            return self.report

    reloads, path = Reloads(), tmp_path / "control.sock"
    chat = LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock(), reloads=reloads)
    task = asyncio.create_task(chat.run())
    while not path.exists():
        await asyncio.sleep(0.005)
    taken = await put(path, verb="reload")
    reloads.report = ReloadReport(False, ("Rules on disk were not taken.", "    4 | x"))
    refused = await put(path, verb="reload")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert (taken.ok, taken.lines) == (True, ("Rules were reloaded: +1 ~0 -0 rules.",))
    assert (refused.ok, refused.lines) == (False, ("Rules on disk were not taken.", "    4 | x"))


async def test_where_nothing_reloads_that_is_said(served):
    assert (await put(served, verb="reload")).error == "the rules of this bot are fixed"


async def put(path, rule="oi_surge", symbol="BTC", verb="explain") -> Answer:
    return await asyncio.to_thread(ask, path, Request(verb, rule, symbol))


async def raw(path, data: bytes, *, ends: bool = True) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(data)
        await writer.drain()
        if ends:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""  # closed before it had read everything
    finally:
        writer.close()


async def test_a_question_is_answered_with_the_explanation(served, world):
    answer = await put(served)
    assert answer == Answer(ok=True, explanation=ANSWER)
    assert world.asked == [("oi_surge", "binance:BTCUSDT")]


async def test_it_is_one_json_line_each_way(served):
    out = await raw(
        served, b'{"ask":"explain","rule":"OI-Surge","symbol":"btc/usdt"}\nmore that nobody reads', ends=False
    )
    assert out.endswith(b"\n")
    assert out.count(b"\n") == 1
    assert json.loads(out)["explanation"]["when"] == json.loads(
        '{"text":"a > 1","verdict":"false","value":null,"unit":"number","threshold":null,"why":"","window":null,'
        '"sample":null,"distance":null,"scope":null,"crossing":null,"parts":[]}'
    )


async def test_only_the_owner_can_open_it(served):
    mode = served.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_the_umask_is_restored(tmp_path):
    os.umask(before := os.umask(0o022))
    bind(tmp_path / "s").close()
    os.umask(after := os.umask(0o022))
    assert after == before


async def test_another_users_process_gets_nothing(served, monkeypatch, world):
    monkeypatch.setattr(local, "peer_uid", lambda _: os.getuid() + 1)
    assert await raw(served, b'{"ask":"explain","rule":"oi_surge","symbol":"BTC"}\n') == b""
    assert world.asked == []


async def test_the_kernel_tells_whose_process_asks(tmp_path):
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert local.peer_uid(one) == os.getuid()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"hello\n", "no JSON object"),
        (b"\n", "no JSON object"),
        (b"", "no JSON object"),
        (b'{"ask":"explain"', "no JSON object"),
        (b'{"ask":"explain","rule":7}\n', "no JSON object"),
        (b'{"ask":"explain","surprise":7}\n', "no JSON object"),
        (b'["explain"]\n', "no JSON object"),
        (b"\xff\xfe\n", "no JSON object"),
        (b'{"ask":"shutdown"}\n', "expected to be asked for explain, status, overview, reload, chart, say or words, found 'shutdown'"),
        (b"x" * 5_000 + b"\n", "longer than 4096 bytes"),
    ],
)  # fmt: skip
async def test_what_is_no_question_is_refused_in_words(served, data, error):
    answer = json.loads(await raw(served, data))
    assert answer["ok"] is False
    assert error in answer["error"]
    assert (await put(served)).ok


@pytest.mark.parametrize(
    ("rule", "symbol", "error", "near"),
    [
        ("oi_srge", "BTC", "there is no rule 'oi_srge'", ("oi_surge",)),
        ("oi_surge", "BTCUSD", "there is no symbol 'BTCUSD'", ("BTCUSDT",)),
        ("off", "BTC", "the rule 'off' is switched off: its file says `enabled: false`", ()),
        ("each", "", "the rule 'each' looks at each contract: name one", ()),
        ("each", "BTC", "the rules have not been evaluated yet; try again in a few seconds", ()),
    ],
)
async def test_names_that_lead_nowhere_come_back_with_what_was_meant(served, rule, symbol, error, near):
    assert await put(served, rule, symbol) == Answer(ok=False, error=error, near=near)


async def test_a_failure_is_told_and_the_next_question_is_answered(served, world):
    world.error = RuntimeError("boom")
    assert "something went wrong" in (await put(served)).error
    world.error = None
    assert (await put(served)).ok


async def test_whoever_says_nothing_is_dropped(world, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "DEADLINE_S", 0.2)
    path = tmp_path / "s"
    task = asyncio.create_task(
        LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock(speed=0.5)).run()
    )
    while not path.exists():
        await asyncio.sleep(0.005)
    try:
        # Two clock seconds at least: four real ones at this speed would be too slow a test.
        assert await raw(path, b'{"ask"', ends=False) == b""
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_too_many_at_a_time_are_turned_away_and_later_ones_answered(served, world):
    world.hold = asyncio.Event()
    question = b'{"ask":"explain","rule":"oi_surge","symbol":"BTC"}\n'
    waiting = [asyncio.create_task(raw(served, question)) for _ in range(local.MAX_OPEN)]
    async with asyncio.timeout(5):
        while len(world.asked) < local.MAX_OPEN:
            await asyncio.sleep(0.01)
    assert await raw(served, b"{}\n") == b""
    world.hold.set()
    assert all(json.loads(line)["ok"] for line in await asyncio.gather(*waiting))
    assert (await put(served)).ok


async def test_a_file_of_a_bot_that_is_gone_is_replaced_and_the_own_one_removed(world, tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    task = asyncio.create_task(LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock()).run())
    await asyncio.sleep(0.05)
    assert (await put(path)).ok

    world.hold = asyncio.Event()
    hanging = asyncio.create_task(raw(path, b'{"ask":"explain","rule":"oi_surge","symbol":"BTC"}\n'))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await hanging == b""
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        await put(path)


async def test_a_file_that_is_no_socket_is_left_alone(world, tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("mine")
    await LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock()).run()
    assert path.read_text() == "mine"


async def test_a_folder_deeper_than_a_socket_address_works_too(world, tmp_path):
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    with socket_address(path) as address:
        assert len(address) < 100 < len(str(path))
    task = asyncio.create_task(LocalChat(path=path, market=world, why=world, overview=world, clock=SystemClock()).run())
    while not path.exists():
        await asyncio.sleep(0.005)
    try:
        assert (await put(path)).ok
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not path.exists()


async def test_status_and_overview_are_answered_too(served, world):
    assert (await asyncio.to_thread(ask, served, Request("status"))).status == STATUS
    asked = Request("overview", window_ms=900_000, n=7)
    found = (await asyncio.to_thread(ask, served, asked)).overview
    assert found == Overview(5, 900_000, STATUS, (), (), (), ())
    await asyncio.to_thread(ask, served, Request("overview", n=10**9))
    assert world.asked == [(900_000, 7), (900_000, 100)]
    refused = await asyncio.to_thread(ask, served, Request("overview", window_ms=7))
    assert not refused.ok
    assert "expected a window_ms of 300000" in refused.error


@pytest.fixture
async def talking(world, tmp_path):
    """A front that carries out commands, and what they were asked by."""
    askers = []

    async def show(command, asker):
        askers.append(asker)
        if world.error is not None:
            raise world.error
        return Reply((line("shown ", bold(command.words[0])),), ((Button("Again", "/oi BTC"),),))

    async def words():
        return Words(("BTCUSDT",), ("oi_surge",), ("a-7q4m",))

    path = tmp_path / "control.sock"
    chat = LocalChat(
        path=path,
        market=world,
        why=world,
        overview=world,
        clock=SystemClock(),
        actions=Actions({"oi": show}),
        words=words,
    )
    task = asyncio.create_task(chat.run())
    while not path.exists():
        await asyncio.sleep(0.005)
    yield path, askers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def say(path, text: str) -> Answer:
    return await asyncio.to_thread(ask, path, Request("say", text=text))


async def test_a_command_is_carried_out_as_the_owner_in_the_terminal(talking):
    path, askers = talking
    answer = await say(path, "oi btc")
    assert answer.ok
    assert unpack(answer.reply) == Reply((line("shown ", bold("btc")),), ((Button("Again", "/oi BTC"),),))
    assert askers == [AT_TERMINAL]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/nonsense", "I don't know /nonsense"),
        ("/price BTC", "I cannot do that here"),
        ("hello", "I read commands"),
        ("/oi " + "x" * 1_001, "too long"),
    ],
)
async def test_what_is_not_done_is_a_refusal(talking, text, said):
    answer = await say(talking[0], text)
    assert not answer.ok
    assert said in str(unpack(answer.reply).blocks)


async def test_a_command_that_fails_is_a_refusal_and_the_next_one_works(talking, world):
    path, _ = talking
    world.error = RuntimeError("boom")
    failed = await say(path, "/oi BTC")
    world.error = None
    assert (failed.ok, "Something went wrong" in str(failed.reply)) == (False, True)
    assert (await say(path, "/oi BTC")).ok


async def test_nothing_said_is_told_what_is_expected(talking):
    assert (await say(talking[0], " \u200b")).error == "expected a command, such as /oi BTC"


async def test_what_may_be_typed_is_told(talking):
    answer = await asyncio.to_thread(ask, talking[0], Request("words"))
    assert answer.words == Words(("BTCUSDT",), ("oi_surge",), ("a-7q4m",))


@pytest.fixture
async def working(world, tmp_path):
    """A front whose commands are jobs: the world says what takes the place of the first answer."""

    async def work(command, asker):
        async def later():
            for text, is_interim, is_refusal in world.steps:
                if world.hold is not None:
                    await world.hold.wait()
                if text == "boom":
                    raise RuntimeError(text)
                yield Reply((line(text),), is_interim=is_interim, is_refusal=is_refusal)

        return Reply((line("begun"),), is_interim=True, later=later)

    path = tmp_path / "control.sock"
    chat = LocalChat(
        path=path, market=world, why=world, overview=world, clock=SystemClock(), actions=Actions({"backtest": work})
    )
    task = asyncio.create_task(chat.run())
    while not path.exists():
        await asyncio.sleep(0.005)
    yield path
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def heard(path, wait_s: float) -> list[tuple[str, bool, bool]]:
    found = answers(path, Request("say", text="/backtest oi_surge", wait_s=wait_s))
    return [(unpack(one.reply).blocks[0].spans[0].text, one.is_interim, one.ok) for one in found]


async def test_whoever_waits_hears_what_a_job_says_until_it_has_ended(working, world):
    world.steps = [("half", True, False), ("done", False, False)]
    assert await asyncio.to_thread(heard, working, 30.0) == [
        ("begun", True, True),
        ("half", True, True),
        ("done", False, True),
    ]
    world.steps = [("no bars", False, True)]
    assert (await asyncio.to_thread(heard, working, 30.0))[-1] == ("no bars", False, False)


async def test_whoever_does_not_wait_hears_the_first_answer_alone(working, world):
    world.steps = [("done", False, False)]
    assert await asyncio.to_thread(heard, working, 0.0) == [("begun", True, True)]
    one = await raw(working, b'{"ask":"say","text":"/backtest oi_surge"}\n')
    assert one.count(b"\n") == 1


async def test_waiting_has_an_end(working, world):
    world.hold = asyncio.Event()
    world.steps = [("done", False, False)]
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(heard, working, 0.2) == [("begun", True, True)]


async def test_a_job_that_breaks_ends_the_answer_and_no_more(working, world):
    world.steps = [("half", True, False), ("boom", False, False)]
    assert await asyncio.to_thread(heard, working, 30.0) == [("begun", True, True), ("half", True, True)]
    world.steps = [("done", False, False)]
    assert (await asyncio.to_thread(heard, working, 30.0))[-1] == ("done", False, True)


async def test_those_who_wait_leave_room_for_other_questions(working, world):
    world.hold = asyncio.Event()
    world.steps = [("done", False, False)]
    question = b'{"ask":"say","text":"/backtest oi_surge","wait_s":30}\n'
    waiting = []
    for _ in range(local.MAX_OPEN + 2):
        reader, writer = await asyncio.open_unix_connection(str(working))
        writer.write(question)
        async with asyncio.timeout(5):
            assert b"begun" in await reader.readline()
        waiting.append((reader, writer))
    assert (await asyncio.to_thread(ask, working, Request("status"))).ok

    world.hold.set()
    async with asyncio.timeout(10):
        ends = [await reader.read() for reader, _ in waiting]
    assert sum(b"done" in end for end in ends) == local.MAX_FOLLOWED
    for _, writer in waiting:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
