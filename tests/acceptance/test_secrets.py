"""Secrets appear nowhere: one of every kind, a run at DEBUG through everything that fails, and a search of all that came out."""

import asyncio
import contextlib
import importlib.util
import re
from urllib.parse import quote

import pytest
from aiohttp import web

from bot.history import journal
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer
from tests.support.harness import ROOT
from tests.support.secrets import Canary, canary, leaks

pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P15")]

OWNER = 4711
RULES = """version: 1
defaults: {cooldown: 5s}
rules:
  - id: wave
    scope: {symbols: [BTCUSDT, ETHUSDT, SOLUSDT, XRPUSDT]}
    when: price > avg(price, 30s)
    clear: price < avg(price, 30s)
  - {id: up, when: 'price > 0', for: 20s, scope: {symbols: [BTCUSDT]}}
"""
DESTINATIONS = """version: 1
destinations:
  chat: {kind: telegram, chat: 4711, default: true}
  other: {kind: telegram, chat: 4712, token: secret:other_token, min_severity: info}
  disc: {kind: discord, webhook: secret:disc, min_severity: info}
  gone: {kind: discord, webhook: env:GONE_WEBHOOK, min_severity: info}
  pager: {kind: webhook, url: secret:pager_url, secret: secret:pager_key, min_severity: info}
  lost: {kind: webhook, url: secret:lost_url, secret: secret:pager_key, min_severity: info}
"""
SERVICE = "  service: {kind: apprise, url: secret:service_url, min_severity: info}\n"
# What the libraries below us might do one day: raise something that nobody foresaw, with the address in its text. Every third
# call, before any of our code runs; a task of its own dies of one as well, and one is warned of.
UNFORESEEN = """
import sys

if "run" in sys.orig_argv:
    import asyncio, logging, warnings
    import aiohttp, httpx

    calls = [0]

    def broken(inner, address):
        async def call(self, *args, **kwargs):
            calls[0] += 1
            where = address(args)
            if calls[0] % 7 == 3 and "fapi" not in where and "futures" not in where:
                logging.getLogger("somebody.else").error("cannot handle %s", where, extra={"url": where})
                raise RuntimeError(f"cannot handle {where}") from ValueError(f"because of {where}")
            if calls[0] % 7 == 5:
                async def alone():
                    raise LookupError(f"nobody looks at {where}")
                asyncio.get_running_loop().create_task(alone())
            return await inner(self, *args, **kwargs)
        return call

    aiohttp.ClientSession._request = broken(aiohttp.ClientSession._request, lambda args: str(args[1]))
    httpx.AsyncClient.send = broken(httpx.AsyncClient.send, lambda args: str(args[0].url))
"""


@pytest.fixture
async def receiver():
    """Takes whatever is posted, and answers from a list; else 200. Keeps bodies and headers by path."""
    got, statuses = [], []

    async def handle(request):
        got.append((request.path, dict(request.headers), await request.read()))
        status = statuses.pop(0) if statuses else 200
        return web.Response(status=status, text=f"cannot take {request.url}" if status >= 300 else "")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handle.port, handle.got, handle.statuses = runner.addresses[0][1], got, statuses
    yield handle
    await runner.cleanup()


@pytest.fixture
async def proxy():
    """A proxy that refuses, and repeats in its refusal whatever it was told."""

    async def handle(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            asked = await reader.readuntil(b"\r\n\r\n")
            body = b"<html>407 " + asked + b"</html>"
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


class World:
    """Everything that holds a secret, and everything that came out."""

    def __init__(self, harness, chats, receiver):
        self.harness, self.chats, self.receiver = harness, chats, receiver
        self.canaries: list[Canary] = []
        self.outputs: list[tuple[str, str]] = []
        self.env: dict[str, str] = {}

    def secret(self, name, **how):
        made = canary(name, seed=1, **how)
        self.canaries.append(made)
        return made.value

    def open(self, venue):
        chats, port = self.chats, self.receiver.port
        chats.telegram.token = f"1234567890:{self.secret('bot token')}"
        hook, gone = chats.discord.add(), chats.discord.add()
        hook.token, gone.token, gone.is_deleted = self.secret("webhook"), self.secret("deleted webhook"), True
        where = f"{chats.telegram_url}/api/webhooks"
        folder = self.harness.rules(RULES)
        has_apprise = importlib.util.find_spec("apprise") is not None
        (folder / "destinations.yaml").write_text(DESTINATIONS + SERVICE * has_apprise, encoding="utf-8")
        key = self.secret("key in an address", extra="+/=")
        self.env = self.harness.env(
            venue,
            OIBOT_RULES_DIR=str(folder),
            OIBOT_LOG__LEVEL="DEBUG",
            OIBOT_RECORD__ENABLED="true",
            OIBOT_TELEGRAM__TOKEN=chats.telegram.token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_SECRETS__OTHER_TOKEN=f"987654321:{self.secret('refused token')}",
            OIBOT_SECRETS__DISC=f"{where}/{hook.id}/{hook.token}",
            GONE_WEBHOOK=f"{where}/{gone.id}/{gone.token}",
            OIBOT_SECRETS__PAGER_URL=f"http://127.0.0.1:{port}/pager?key={quote(key, safe='')}",
            OIBOT_SECRETS__PAGER_KEY=self.secret("signing secret"),
            OIBOT_SECRETS__LOST_URL=f"http://127.0.0.1:9/{self.secret('path of an address')}",
            OIBOT_SECRETS__SERVICE_URL=f"json://user:{self.secret('password')}@127.0.0.1:{port}/apprise",
        )

    async def run(self, *arguments, env=None):
        child = await self.harness.start(*arguments, env={**self.env, **(env or {})})
        await child.exit_code(60)
        self.outputs.append((f"oibot {' '.join(arguments)}", child.output))
        return child

    def search(self):
        """Every leak. Requests carry each secret to its own service only in the address, which is not searched."""
        found = []
        for where, text in self.outputs:
            found += leaks(self.canaries, where, text)
        for message in self.chats.messages():
            found += leaks(self.canaries, "a chat", "\n".join((message.text, *message.edits)))
        for request in self.chats.received:
            found += leaks(self.canaries, f"a request to {request.service}", repr((request.params, request.headers)))
        for path, headers, body in self.receiver.got:
            own = [c for c in self.canaries if not (path == "/apprise" and c.name == "password")]
            found += leaks(own, f"a request to {path}", repr(headers).encode() + body)
        for file in sorted(self.harness.folder.rglob("*")):
            if file.is_file():
                name = file.relative_to(self.harness.folder).as_posix()
                found += leaks(self.canaries, name, file.read_bytes())
                if file.suffix == ".oij":
                    header, entries = journal.read(file)
                    found += leaks(self.canaries, name, repr((header, list(entries))))
        return found


@pytest.fixture
async def world(harness, receiver):
    venue = await harness.venue(instruments=20)
    async with ChatServer(clock=harness.clock()) as chats:
        made = World(harness, chats, receiver)
        made.open(venue)
        yield made


def telegram_faults(chats):
    """Errors of every kind, some of which repeat the address."""
    url = f"{chats.telegram_url}/bot{chats.telegram.token}/sendMessage"
    page = f"<html><h1>502</h1>{url}</html>".encode()
    return [
        faults.Fault(status=502, body=page, headers={"Content-Type": "text/html"}),
        faults.bad_request(f"can't parse entities at {url}"),
        faults.telegram_error(500, f"Internal Server Error: {url}"),
        faults.too_many_requests(1),
        faults.broken_json(),
        faults.dropped(accepted=True),
        faults.dropped(accepted=False),
        faults.Fault(status=200, body=f"{url} is not json".encode()),
        faults.telegram_error(409, f"Conflict: {url}"),
        faults.telegram_error(403, f"Forbidden: bot was blocked by the user {url}"),
    ]


async def test_no_secret_comes_out_of_a_run_in_which_everything_fails(world, until):
    harness, chats, receiver = world.harness, world.chats, world.receiver
    site = harness.folder.parent / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(UNFORESEEN, encoding="utf-8")
    for n, fault in enumerate(telegram_faults(chats)):
        chats.telegram.fail(fault, skip=2 * n)
        chats.telegram.fail(fault, method="getUpdates", skip=3 * n)
    hook = world.env["OIBOT_SECRETS__DISC"]
    for n, fault in enumerate(
        (faults.discord_error(400, 50035, f"Invalid Form Body {hook}"), faults.bad_gateway(), faults.discord_too_many(1),
         faults.discord_error(404, 10015, f"Unknown Webhook {hook}"))
    ):  # fmt: skip
        chats.discord.fail(fault, skip=3 * n, method="POST")
    receiver.statuses += [500, 413, 429, 503, 200, 500, 302]
    bot = await harness.start("run", env={**world.env, "PYTHONPATH": f"{site}:{ROOT}"})
    await until(lambda: "feed.live" in bot.output, within_s=60, why=lambda: bot.output)
    await until(lambda: len(chats.messages(OWNER)) >= 4, within_s=60, why=lambda: bot.output)
    for command in (
        "/status",
        "/alerts",
        "/deadletters",
        "/why BTC wave",
        "/why BTC",
        "/alert BTC oi > 5% 15m",
        "/help",
    ):
        chats.telegram.say(command, chat_id=OWNER)
    await world.run("explain", "wave", "BTCUSDT")
    await world.run("outbox", "list", "--state", "all", "--json")
    await world.run("outbox", "list", "--state", "all")
    await world.run("backup")
    await world.run("check")
    await world.run("lint")
    said = iter(range(10**6))

    def all_happened():
        """The last of them ends the chat, which the person's next words begin again."""
        if next(said) % 40 == 0:
            chats.telegram.say("/deadletters", chat_id=OWNER)
        return not chats.telegram.faults.n_waiting and not receiver.statuses and not chats.discord.faults.n_waiting

    await until(all_happened, within_s=90, why=lambda: bot.output)
    await until(lambda: "nobody looks at" in bot.output, within_s=60, why=lambda: bot.output)
    await until(lambda: "cannot handle" in bot.output, within_s=60, why=lambda: bot.output)
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    world.outputs.append(("oibot run", bot.output))
    await world.run("send-test")
    await world.run("health")
    assert "Traceback" in bot.output, "nothing unforeseen happened"
    assert len(re.findall(r'"level": "debug"', bot.output)) > 5
    assert world.search() == []


async def test_no_secret_comes_out_where_a_proxy_with_a_password_refuses(world, proxy, until):
    """The proxy repeats what it was sent. Everything goes by it but webhooks."""
    password = world.secret("proxy password", extra="@:/")
    url = f"http://user:{quote(password, safe='')}@127.0.0.1:{proxy}"
    env = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "http_proxy": url, "https_proxy": url, "NO_PROXY": "", "no_proxy": ""}
    bot = await world.harness.start("run", env={**world.env, **env})
    await until(lambda: "rest.paused" in bot.output or "proxy" in bot.output, within_s=60, why=lambda: bot.output)
    checked = await world.run("check", env=env)
    assert checked.process.returncode == 1, checked.output
    await world.run("send-test", env=env)
    await world.run("lint", "--live", env=env)
    await until(lambda: "poll.failed" in bot.output, within_s=60, why=lambda: bot.output)
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    world.outputs.append(("oibot run", bot.output))
    assert world.search() == []


async def test_no_secret_comes_out_where_settings_are_wrong(world):
    """Secrets in the wrong place: as a path, in the wrong variable, in a file that cannot be read, in destinations.yaml."""
    env, secrets = world.env, world.harness.folder.parent / "secrets"
    secrets.mkdir()
    (secrets / "telegram__token").write_bytes(env["OIBOT_TELEGRAM__TOKEN"].encode() + b"\xff\xfe")
    token, hook, key = env["OIBOT_TELEGRAM__TOKEN"], env["OIBOT_SECRETS__DISC"], env["OIBOT_SECRETS__PAGER_KEY"]
    wrong = [
        {
            "OIBOT_TELEGRAM__TOKEN": f"bot{token}",
            "OIBOT_TELEGRAM__OWNER_ID": token,
            "OIBOT_DISCORD__WEBHOOK_URL": hook.replace("/webhooks/", "/webhook/"),
            "OIBOT_TELEGRAM__API_URL": f"ftp://user:{key}@127.0.0.1",
            "OIBOT_BINANCE__REST_URL": f"http://user:{key}@[bad",
        },
        {"OIBOT_TELEGRAM__TOKEN_FILE": token, "OIBOT_TELEGRAM__TOKEN": ""},
        {"OIBOT_SECRETS__PAGER_KEY": key[:12], "OIBOT_SECRETS__DISC": key},
        {"OIBOT_SECRETS": key},
        {"OIBOT_TELEGRAM": f'{{"token": "{key}"'},
        {"OIBOT_SECRETS_DIR": str(secrets), "OIBOT_TELEGRAM__TOKEN": ""},
    ]
    commands = ("check", "run")
    for n, changes in enumerate(wrong):
        child = await world.run(commands[n % 2], env=changes)
        assert child.process.returncode, (changes, child.output)
    (world.harness.folder / "rules" / "destinations.yaml").write_text(
        DESTINATIONS.replace("secret:disc", hook).replace("secret:pager_key", key).replace("secret:other_token", token),
        encoding="utf-8",
    )
    (world.harness.folder / "rules" / "a.yaml").write_text(f"rules:\n  - {{id: a, when: oi > 1, notify: [{key}]}}\n")
    await asyncio.gather(*(world.run(command) for command in ("run", "check", "lint")))
    for file in (world.harness.folder / "rules").iterdir():
        file.unlink()
    assert world.search() == []
