"""What `oibot check` looks at. Each finding says what is so and, where it is wrong, what to do about it.

Nothing is changed and nothing is told to anybody. Reachability is tried once, briefly.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from bot.app.asking import patience_s
from bot.app.data_dir import DataDir
from bot.app.destination_checks import check_destinations
from bot.app.destinations import Plan, plan_of
from bot.app.findings import Finding, Level
from bot.app.loading import load_rules
from bot.app.machine_checks import check_charts, check_data_dir, check_database, check_proxies, check_secrets
from bot.app.ownership import with_owner
from bot.clock import Clock, SystemClock
from bot.errors import ConfigError, PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.protocol import Protocol, stream_url
from bot.feeds.stream import probe
from bot.feeds.transport import Answer, Http, trouble_of
from bot.feeds.trouble import TroubleKind
from bot.market.universe import Universe
from bot.model.instrument import Instrument
from bot.rules.surroundings import Surroundings
from bot.settings import Settings, unknown_in_environment

MAX_SKEW_MS: Final = 1_000
VENUE: Final = "binance"
NO_OWNER: Final = "a Telegram token but no owner: no chat command will be answered"
NO_CHAT: Final = "a Telegram token but neither owner nor chat: no alert and no answer goes to Telegram"
BECOME_OWNER: Final = "`oibot claim` prints a link that makes you the owner"


async def check_all(read: Settings, *, is_offline: bool = False) -> list[Finding]:
    """All checks, in the order in which a start needs them. `is_offline`: nothing that needs a network."""
    clock = SystemClock(speed=read.clock.speed, epoch_ms=read.clock.epoch_ms)
    settings = with_owner(read)
    plan = plan_of(settings)
    venue, instruments = ([], None) if is_offline else await ask_venue(settings, clock)
    findings = [_settings(settings, plan), *_unknown(), *_file(plan), *_rules(settings, plan, instruments)]
    findings += [*check_data_dir(settings), await asyncio.to_thread(check_database, settings)]
    findings += [*check_secrets(Path()), *check_charts(settings)]
    findings += [_running(settings), *await check_proxies(_urls(settings), clock, is_offline=is_offline), *venue]
    if is_offline:
        return findings
    findings.append(await _binance_stream(settings, clock))
    asks_who_polls = not _is_running(settings)
    return [*findings, *await check_destinations(settings, plan, clock, asks_who_polls=asks_who_polls)]


async def check_quickly(settings: Settings, plan: Plan) -> list[Finding]:
    """What each start looks at: nothing that asks a network or reads the whole database, which the start checks itself."""
    clock = SystemClock(speed=settings.clock.speed)
    proxies = await check_proxies(_urls(settings), clock, is_offline=True)
    return [_settings(settings, plan), *_unknown(), *check_data_dir(settings), *check_secrets(Path()), *proxies]


def _urls(settings: Settings) -> dict[str, str]:
    urls = {"binance rest": settings.binance.rest_url, "binance stream": settings.binance.stream_url}
    return urls | ({"telegram": settings.telegram.api_url} if settings.telegram.token is not None else {})


def _is_running(settings: Settings) -> bool:
    return DataDir(settings.data_dir).is_held()


def _running(settings: Settings) -> Finding:
    text = (
        "one runs on this data folder; `oibot status` asks it"
        if _is_running(settings)
        else "none runs on this data folder"
    )
    return Finding(Level.OK, "bot", text)


def _settings(settings: Settings, plan: Plan) -> Finding:
    telegram = settings.telegram
    if telegram.token is not None and telegram.owner_id is None:
        return Finding(
            Level.WARN,
            "settings",
            NO_OWNER if telegram.chat_id is not None else NO_CHAT,
            BECOME_OWNER,
            "no-owner",
        )
    if plan.file is None and telegram.token is None and settings.discord.webhook_url is None:
        return Finding(Level.OK, "settings", "no Telegram and no Discord: alerts are printed to the terminal")
    return Finding(Level.OK, "settings", "read")


def _unknown() -> list[Finding]:
    names = unknown_in_environment()
    text = f"no such setting: {', '.join(names)}"
    return [Finding(Level.WARN, "environment", text, "compare with .env.example", "unknown-setting")] if names else []


def _file(plan: Plan) -> list[Finding]:
    if plan.file is None:
        return []
    text = f"{len(plan.described)} described, {len(plan.file.errors)} errors"
    if not plan.file.errors:
        return [Finding(Level.OK, "destinations", text)]
    first = plan.file.errors[0]
    at = f"{first.file}:{first.line}:{first.column}"
    advice = f"{at}: {first.message}; `oibot lint` shows all"
    return [Finding(Level.FAIL, "destinations", text, advice, "destinations-wrong")]


def _rules(settings: Settings, plan: Plan, instruments: Sequence[Instrument] | None) -> list[Finding]:
    try:
        found = load_rules(settings, plan, surroundings=Surroundings(instruments=instruments))
    except ConfigError as error:
        return [Finding(Level.FAIL, "rules", str(error), "`oibot init` writes the shipped ones there", "rules-missing")]
    text = f"{len(found.rules)} rules, {len(found.errors)} errors, {len(found.warnings)} warnings"
    if found.errors:
        first = found.errors[0]
        at = f"{first.file}:{first.line}:{first.column}"
        return [Finding(Level.FAIL, "rules", text, f"{at}: {first.message}; `oibot lint` shows all", "rules-wrong")]
    if not found.rules:
        return [Finding(Level.WARN, "rules", text, "`oibot init` writes the shipped ones there", "rules-missing")]
    if found.warnings:
        return [Finding(Level.WARN, "rules", text, "`oibot lint --live` shows them", "rules-doubtful")]
    return [Finding(Level.OK, "rules", text)]


async def ask_venue(settings: Settings, clock: Clock) -> tuple[list[Finding], list[Instrument] | None]:
    """How the venue answers, and what it lists; None where it did not say."""
    subject = "binance rest"
    universe = Universe()
    http = Http(base_url=settings.binance.rest_url, connections=1, speed=clock.speed)
    await http.open()
    try:
        async with clock.timeout(patience_s(clock)):
            asked_ms = clock.monotonic_ms()
            answer = await http.get(rest.server_time().target)
            took_ms = clock.monotonic_ms() - asked_ms
            if answer.status != 200:
                return [_refused(subject, answer)], None
            skew_ms = clock.wall_ms() - took_ms / 2 - rest.parse_server_time(answer.body)
            listed = await http.get(rest.exchange_info().target)
            if listed.status != 200:
                return [_refused(subject, listed)], None
            universe.apply_list(VENUE, rest.parse_instruments(listed.body))
    except PayloadError as error:
        return [Finding(Level.FAIL, subject, str(error), "check OIBOT_BINANCE__REST_URL", "unreadable")], None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        trouble = trouble_of(error, urlsplit(settings.binance.rest_url).hostname or settings.binance.rest_url)
        advice = "check the network, DNS and firewall of this machine, HTTPS_PROXY, or OIBOT_BINANCE__REST_URL"
        return [Finding(Level.FAIL, subject, trouble.text, advice, "unreachable")], None
    finally:
        await http.close()
    used = rest.parse_used_weight(answer.headers)
    weight = "" if used is None else f", weight used {used} of 2400"
    findings = [Finding(Level.OK, subject, f"{took_ms:.0f} ms, {len(universe)} contracts trading{weight}")]
    if abs(skew_ms) > MAX_SKEW_MS:
        text = f"this machine is {abs(skew_ms) / 1000:.1f} s {'ahead of' if skew_ms > 0 else 'behind'} the venue"
        advice = "switch on time synchronisation: timedatectl set-ntp true"
        findings.append(Finding(Level.WARN, "clock", text, advice, "clock-off"))
    else:
        findings.append(Finding(Level.OK, "clock", f"{skew_ms:+.0f} ms against the venue"))
    return findings, [instrument for _, instrument in universe.items()]


def _refused(subject: str, answer: Answer) -> Finding:
    error = rest.classify_error(answer.status, answer.headers, answer.body)
    advice, cause = _REFUSALS.get(error.kind, ("try again in a minute", "unreachable"))
    text = error.text if str(answer.status) in error.text else f"HTTP {answer.status}: {error.text}"
    if error.until_ms is not None:
        text = f"banned until {datetime.fromtimestamp(error.until_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    return Finding(Level.FAIL, subject, text, advice, cause)


_ELSEWHERE: Final = (
    "run the bot on a machine elsewhere, set HTTPS_PROXY to a proxy elsewhere, or OIBOT_BINANCE__REST_URL and "
    "OIBOT_BINANCE__STREAM_URL to addresses that serve you"
)
_REFUSALS: Final = {
    "region": (f"Binance does not serve this machine's country; {_ELSEWHERE}", "region-block"),
    "firewall": (
        f"Binance's firewall refuses this address, or its country; wait an hour, or {_ELSEWHERE}",
        "region-block",
    ),
    "ban": ("this address is banned for asking too often; stop whatever else asks from it and wait", "banned"),
    "limit": ("this address asks too often; stop whatever else asks from it", "rate-limited"),
}
"""By what the venue said: what to do, and the cause."""


async def _binance_stream(settings: Settings, clock: Clock) -> Finding:
    subject = "binance stream"
    started_ms = clock.monotonic_ms()
    trouble = await probe(
        url=stream_url(settings.binance.stream_url),
        protocol=Protocol(Universe().venue(VENUE)),
        clock=clock,
        timeout_s=patience_s(clock),
    )
    if trouble is None:
        return Finding(Level.OK, subject, f"first data after {clock.monotonic_ms() - started_ms:.0f} ms")
    if trouble.kind in {TroubleKind.REGION, TroubleKind.FORBIDDEN}:
        return Finding(Level.FAIL, subject, trouble.text, _ELSEWHERE, "region-block")
    advice = "check OIBOT_BINANCE__STREAM_URL (wss://fstream.binance.com), HTTPS_PROXY and the firewall of this machine"
    return Finding(Level.FAIL, subject, trouble.text, advice, "unreachable")
