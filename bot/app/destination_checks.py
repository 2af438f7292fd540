"""Whether destinations can be reached: asked without telling anybody anything, or tried with one test message each."""

import contextlib
from collections.abc import Collection
from typing import Final

from rich.console import Console

from bot.app.asking import ask
from bot.app.destinations import Builder, Plan, Secrets
from bot.app.findings import Finding, Level
from bot.app.telegram_checks import TelegramBot
from bot.clock import Clock
from bot.delivery.destination import Answer, Destination, Order, TargetGone, Unlayable
from bot.delivery.webhook import Guard
from bot.model import addresses
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.destinations import (
    AppriseTarget,
    ConsoleTarget,
    Described,
    DiscordTarget,
    Secret,
    TelegramTarget,
    WebhookTarget,
)
from bot.model.outbox import Delivered, OutboxRow, Rejected, RetryLater, row_id
from bot.model.view import AlertView
from bot.settings import Settings

SEND_S: Final = 60.0
TEST: Final = "test"
"""`kind` of a test message, for programs that read it."""
_DISCORD_HOSTS: Final = frozenset({"discord.com", "canary.discord.com", "ptb.discord.com", "discordapp.com"})


async def check_destinations(
    settings: Settings, plan: Plan, clock: Clock, *, asks_who_polls: bool = False
) -> list[Finding]:
    """One finding for each bot and each destination; nothing is posted. `asks_who_polls` disturbs another who polls."""
    secrets = Secrets(settings)
    tokens: dict[Secret | None, list[tuple[str, TelegramTarget]]] = {}
    if settings.telegram.token is not None:
        tokens[None] = [(name, TelegramTarget(chat)) for name, chat in plan.chats.items()]
    for described in plan.described:
        if isinstance(described.target, TelegramTarget):
            tokens.setdefault(described.target.token, []).append((described.name, described.target))
    findings = []
    for secret, targets in tokens.items():
        is_asked = asks_who_polls and secret is None
        findings += await _bot(settings, secrets.value(secret, "bot token"), targets, clock, asks_who_polls=is_asked)
    for described in plan.described:
        if not isinstance(described.target, TelegramTarget):
            findings.append(await _other(described, secrets, clock))
    return findings


async def _bot(
    settings: Settings,
    token: str | None,
    targets: list[tuple[str, TelegramTarget]],
    clock: Clock,
    *,
    asks_who_polls: bool,
) -> list[Finding]:
    """Who the bot is, whether anybody else polls it, and whether it sees its chats."""
    if token is None:
        return [Finding(Level.FAIL, name, "its bot token is not set", cause="secret-missing") for name, _ in targets]
    bot = TelegramBot(token, api_url=settings.telegram.api_url, clock=clock)
    findings = [await bot.check()]
    if findings[0].level is Level.FAIL:
        return findings
    if asks_who_polls:
        findings.append(await bot.check_polling())
    return [*findings, *[await bot.check_chat(name, target) for name, target in targets]]


async def _other(described: Described, secrets: Secrets, clock: Clock) -> Finding:
    name = described.name
    match described.target:
        case DiscordTarget(webhook):
            url = secrets.value(webhook, "Discord webhook")
            return await check_discord(name, url, clock)
        case WebhookTarget(address, secret, private):
            url = address if isinstance(address, str) else secrets.value(address, "webhook address")
            if url is None or secrets.value(secret, "signing secret") is None:
                return Finding(Level.FAIL, name, "its secret is not set", cause="secret-missing")
            return await _webhook(name, url, clock, private=private)
        case AppriseTarget(address):
            fault = secrets.fault(address, "Apprise address")
            text = fault or f"known to Apprise (nothing was posted; `oibot send-test {name}` does)"
            return Finding(Level.FAIL if fault else Level.OK, name, text)
        case _:
            return Finding(Level.OK, name, "alerts are printed to the terminal")


async def check_discord(name: str, url: str | None, clock: Clock) -> Finding:
    """Look the webhook up without posting; its URL is a secret."""
    if url is None:
        return Finding(Level.FAIL, name, "its webhook is not set", cause="secret-missing")
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    if not (host in _DISCORD_HOSTS or addresses.is_loopback(host)) or "/webhooks/" not in url:
        advice = "copy it from Discord: channel settings, Integrations, Webhooks"
        return Finding(Level.FAIL, name, "its address is no Discord webhook address", advice, "address-wrong")
    said = await ask("GET", url, clock)
    if said.status == 200:
        return Finding(Level.OK, name, f"webhook {str(said.body.get('name', ''))[:40]!r} (nothing was posted)")
    if said.status in {401, 404}:
        advice = "make a new one in the channel"
        return Finding(Level.FAIL, name, "the webhook does not exist any more", advice, "webhook-gone")
    text = said.trouble or f"HTTP {said.status}"
    return Finding(Level.FAIL, name, text, "check the network of this machine", "unreachable")


async def _webhook(name: str, url: str, clock: Clock, *, private: bool) -> Finding:
    """Whether anything answers there; what it does with a message only a message can show."""
    fault = addresses.fault_of(url, private=private)
    if fault is not None:
        return Finding(Level.FAIL, name, f"its address: {fault}", cause="address-wrong")
    if (await ask("HEAD", url, clock, guard=Guard(private=private))).status is None:
        advice = "check the address, its certificate and the network; private: true for one in a private network"
        return Finding(Level.FAIL, name, "cannot be reached", advice, "unreachable")
    return Finding(Level.OK, name, f"answers (nothing was posted; `oibot send-test {name}` does)")


def sample_row(name: str, *, now_ms: int) -> OutboxRow:
    """What a test message says: an alert that nobody can take for a real one."""
    key = alert_key(TEST, "*", now_ms)
    view = AlertView(
        rule_id=TEST,
        title=f"a test message to {name}, nothing happened",
        symbol="TEST",
        venue="",
        base="TEST",
        severity="info",
        short_id=short_id(key),
        kind=TEST,
        at_ms=now_ms,
        fired_ms=now_ms,
        condition="",
        value_text="",
        value=None,
        value_is_ratio=False,
    )
    return OutboxRow(row_id(key, TellKind.FIRE, 0, name), key, TellKind.FIRE, name, "info", now_ms, view)


async def send_tests(
    settings: Settings, plan: Plan, names: Collection[str], *, console: Console, clock: Clock
) -> list[Finding]:
    """One message to each of these destinations and what came of it; the plan is sound and has them."""
    findings = []
    async with contextlib.AsyncExitStack() as stack:
        builder = Builder(settings, clock=clock, console=console, stack=stack)
        for described in plan.described:
            if described.name in names:
                destination = await builder.one(described)
                findings.append(_told(described, await _send(destination, clock)))
    return findings


async def _send(destination: Destination, clock: Clock) -> Answer:
    order = Order(rows=(sample_row(destination.name, now_ms=clock.wall_ms()),))
    try:
        async with clock.timeout(SEND_S):
            while (wait_s := destination.take_slot(urgent=True)) > 0:
                await clock.sleep(wait_s)
            return await destination.send(order)
    except TimeoutError:
        return RetryLater(0.0, "no answer in time", ambiguous=True)


def _told(described: Described, answer: Answer) -> Finding:
    match answer:
        case Delivered(provider_id):
            said = f"delivered as {provider_id}" if provider_id else "delivered"
            if isinstance(described.target, ConsoleTarget):
                said = "printed"
            return Finding(Level.OK, described.name, said)
        case RetryLater(after_s, reason):
            text = f"not delivered: {reason}"
            return Finding(Level.FAIL, described.name, text, f"a real alert would be sent again after {after_s:.0f} s")
        case Rejected(reason, destination_dead=True):
            advice = "nothing reaches this destination until that is mended"
            return Finding(Level.FAIL, described.name, f"refused: {reason}", advice)
        case Rejected(reason) | TargetGone(reason) | Unlayable(reason):
            return Finding(Level.FAIL, described.name, f"refused: {reason}")
