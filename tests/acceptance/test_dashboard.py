"""The dashboard of the real process: its link from another process, its pages, and one answer to "why" everywhere."""

import html
import json
import re
import signal

import aiohttp
import pytest

from bot.chat import why_pages, why_text
from bot.chat.terminal_text import to_text
from bot.cli.past import PastWhy
from bot.history import journal
from bot.history.journal import Tick
from bot.history.recorded_rules import rules_of
from bot.history.replay import engine_at

pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P19")]

RULE, SYMBOL = "oi_surge", "BTCUSDT"


class Recording:
    """What the process wrote while it ran."""

    def __init__(self, files) -> None:
        self.files = files
        header, entries = journal.read_all(files)
        self.ticks = [entry.now_ms for entry in entries if isinstance(entry, Tick)]
        self.rules = rules_of(header.rule_files, header.destinations)

    async def at(self, now_ms: int):
        """The explanation of then, with its history."""
        header, entries = journal.read_all(self.files)
        engine, transitions = engine_at(header, entries, self.rules, until_ms=now_ms)
        found = await PastWhy(engine, transitions, self.rules).explain(RULE, f"binance:{SYMBOL}")
        assert found is not None
        return found

    async def of_second(self, clock: str):
        """All that could be meant by a second that was shown."""
        found = [now_ms for now_ms in self.ticks if why_text.clock(now_ms) == clock]
        assert found, f"nothing was evaluated at {clock}"
        return [await self.at(now_ms) for now_ms in found]


def shown(page: str) -> str:
    """What a reader sees of a page, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def words(found) -> list[str]:
    """Of an explanation, in the order in which a page has them."""
    said = [why_text.heading(found), why_text.alert_text(found.alert, found.unit, found.at_ms)]
    for one in why_text.tree(found.when):
        said += [one.text, *one.details]
    return [*said, found.clear.text, *(why_text.transition_text(t, found.unit, found.at_ms) for t in found.history)]


def stand_in_order(said: list[str], page: str) -> bool:
    at = 0
    for text in said:
        at = page.find(" ".join(text.split()), at)
        if at < 0:
            return False
    return True


async def run(harness, env, *arguments: str) -> tuple[int, str]:
    asked = await harness.start(*arguments, env=env)
    return await asked.exit_code(60), asked.output


async def test_chat_terminal_and_page_say_why_as_the_journal_has_it(harness, until):
    venue = await harness.venue(instruments=40)
    env = harness.env(venue, OIBOT_WEB__ENABLED="true", OIBOT_WEB__PORT="0", OIBOT_RECORD__ENABLED="true")
    bot = await harness.start("run", env=env)
    await until(lambda: "alert.firing" in bot.output, within_s=90, why=lambda: bot.output)

    code, text = await run(harness, env, "dashboard")
    assert code == 0, text
    link, counts = text.splitlines()
    assert counts == "It opens once, within 5 minutes."
    base, _, ticket = link.partition("/enter?t=")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        assert (await browser.get(base)).status == 401
        entered = await browser.post(f"{base}/enter", data={"ticket": ticket})
        assert entered.status == 200
        n = int(re.search(r"(\d+) contracts", await entered.text())[1])
        assert n > 30
        for path in ("/symbol/BTCUSDT", "/alerts", "/rules", "/system", "/symbol/BTCUSDT/data?span=1h"):
            assert (await browser.get(f"{base}{path}")).status == 200
        page = shown(await (await browser.get(f"{base}/why/{RULE}/{SYMBOL}")).text())
        told = shown(await (await browser.get(f"{base}/alerts/list")).text())
        async with browser.get(f"{base}/events") as events:
            async for line in events.content:
                if line.startswith(b"data: "):
                    assert len(json.loads(line[6:])["columns"]["price"]) == n
                    break
    fired = [json.loads(line) for line in bot.lines if '"alert.firing"' in line]
    assert any(f"#{one['id']}" in told for one in fired)

    code, in_chat = await run(harness, env, "ask", f"/why {SYMBOL} {RULE}")
    assert code == 0, in_chat
    code, text = await run(harness, env, "explain", RULE, SYMBOL, "--json")
    assert code == 0, text
    in_terminal = json.loads(text)

    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    assert "Traceback" not in bot.output, next(x for x in bot.lines if "Traceback" in x)
    assert ticket not in bot.output

    files = sorted((harness.folder / "data" / "journal").glob("*.oij"))
    recording = Recording(files)
    recorded = [part for file in files for part in ("--journal", str(file))]
    then = ("--at", str(in_terminal["at_ms"]), "--json")
    code, text = await run(harness, env, "explain", RULE, SYMBOL, *recorded, *then)
    assert code == 0, text
    assert json.loads(text) == in_terminal

    second = re.search(r"as of (\d\d:\d\d:\d\d) UTC", page)[1]
    assert any(stand_in_order(words(one), page) for one in await recording.of_second(second)), page

    second = re.search(r"as of (\d\d:\d\d:\d\d) UTC", in_chat)[1]
    replies = [str(to_text(why_pages.one_rule(one, SYMBOL))).strip() for one in await recording.of_second(second)]
    assert in_chat.strip() in replies, in_chat
