"""Health over a real socket: what is answered, to whom, and where it listens."""

import asyncio
import json

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.model.readiness import Readiness, Reason
from bot.settings import load
from bot.web import server as module
from bot.web.server import Server

pytestmark = pytest.mark.integration


class Bot:
    def __init__(self, *, port: int = 0, hosts=()) -> None:
        self.state = Readiness()
        self.accepted: list[str] = []
        self.server = Server(
            host="127.0.0.1",
            port=port,
            hosts=hosts,
            readiness=lambda: self.state,
            metrics=self._metrics,
            clock=SystemClock(),
        )

    async def _metrics(self, accept: str) -> tuple[bytes, str]:
        self.accepted.append(accept)
        return b"x 1\n", "text/plain; version=0.0.4; charset=utf-8"

    async def __aenter__(self):
        self.task = asyncio.create_task(self.server.run())
        async with asyncio.timeout(10):
            while self.server.port is None:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def ask(self, path: str, *, host: str | None = None, method: str = "GET"):
        headers = {"Accept": "text/plain"} | ({"Host": host} if host else {})
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers


async def test_health_is_a_word_and_readiness_has_reasons():
    async with Bot() as bot:
        assert (await bot.ask("/healthz"))[:2] == (200, "ok\n")
        status, text, _ = await bot.ask("/readyz")
        assert (status, json.loads(text)) == (200, {"ready": True, "reasons": [], "notes": []})
        bot.state = Readiness((Reason("price", "the newest prices are 42 s old"),), ("a note",))
        status, text, headers = await bot.ask("/readyz")
        assert status == 503
        assert json.loads(text) == {
            "ready": False,
            "reasons": [{"code": "price", "text": "the newest prices are 42 s old"}],
            "notes": ["a note"],
        }
        assert headers["Content-Type"].startswith("application/json")
        assert (await bot.ask("/healthz"))[0] == 200


async def test_metrics_are_given_as_they_are_made():
    async with Bot() as bot:
        status, text, headers = await bot.ask("/metrics")
        assert (status, text) == (200, "x 1\n")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert bot.accepted == ["text/plain"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8310", "127.0.0.1.evil.example", "[::2]:80", "localhost.", " "]
)
async def test_unknown_host_names_are_refused(host):
    async with Bot() as bot:
        for path in ("/metrics", "/readyz", "/healthz", "/nothing"):
            status, text, headers = await bot.ask(path, host=host)
            assert status == 421
            assert "x 1" not in text
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Server"] == "oibot"
        assert bot.accepted == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:8310", "127.0.0.1", "oibot.lan", "OIBOT.lan:80"])
async def test_known_ones_are_answered(host):
    async with Bot(hosts=["Oibot.lan"]) as bot:
        assert (await bot.ask("/metrics", host=host))[0] == 200


async def test_nothing_else_is_there_and_nothing_can_be_changed():
    async with Bot() as bot:
        assert (await bot.ask("/"))[0] == 404
        assert (await bot.ask("/metrics/../../etc/passwd"))[0] == 404
        assert (await bot.ask("/readyz", method="POST"))[0] == 405
        assert (await bot.ask("/readyz", method="HEAD"))[0] == 200


async def test_an_address_that_is_taken_is_tried_again(monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    async with Bot() as first:
        second = Bot(port=first.server.port)
        task = asyncio.create_task(second.server.run())
        await asyncio.sleep(0.2)
        assert not task.done()
        assert second.server.port is None
    async with asyncio.timeout(10):
        while second.server.port is None:
            await asyncio.sleep(0.01)
    assert (await second.ask("/healthz"))[0] == 200
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_a_public_address_needs_a_word(host, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_WEB__HOST", host)
    with pytest.raises(ConfigError, match="OIBOT_WEB__PUBLIC=true"):
        load()
    monkeypatch.setenv("OIBOT_WEB__PUBLIC", "true")
    assert load().web.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_address_does_not(host, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_WEB__HOST", host)
    assert load().web.host == host
