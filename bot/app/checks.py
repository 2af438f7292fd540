"""What `oibot check` looks at. Each finding says what is so and, where it is wrong, what to do about it.

Nothing is changed and nothing is told to anybody. Reachability is tried once, briefly.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from bot.app.bot import load_rules
from bot.app.destination_checks import check_destinations
from bot.app.destinations import Plan, plan_of
from bot.app.findings import Finding, Level
from bot.clock import Clock, SystemClock
from bot.errors import ConfigError, PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.protocol import Protocol, stream_url
from bot.feeds.stream import probe
from bot.feeds.transport import Answer, Http, trouble_of
from bot.market.universe import Universe
from bot.model.instrument import Instrument
from bot.rules.surroundings import Surroundings
from bot.settings import Settings, unknown_in_environment

WAIT_S: Final = 12.0
MAX_SKEW_MS: Final = 1_000
MIN_FREE_BYTES: Final = 500_000_000
VENUE: Final = "binance"
NO_OWNER: Final = "a Telegram token but no owner: no chat command will be answered"
NO_CHAT: Final = "a Telegram token but neither owner nor chat: no alert and no answer goes to Telegram"
BECOME_OWNER: Final = "`oibot claim` prints a link that makes you the owner"


async def check_all(settings: Settings) -> list[Finding]:
    """All checks, in the order in which a start needs them."""
    clock = SystemClock(speed=settings.clock.speed, epoch_ms=settings.clock.epoch_ms)
    plan = plan_of(settings)
    venue, instruments = await ask_venue(settings, clock)
    findings = [_settings(settings, plan), *_unknown(), *_file(plan), *_rules(settings, plan, instruments)]
    findings += [*_data_dir(settings), *venue, await _binance_stream(settings, clock)]
    return [*findings, *await check_destinations(settings, plan, clock)]


def _settings(settings: Settings, plan: Plan) -> Finding:
    telegram = settings.telegram
    if telegram.token is not None and telegram.owner_id is None:
        return Finding(
            Level.WARN,
            "settings",
            NO_OWNER if telegram.chat_id is not None else NO_CHAT,
            BECOME_OWNER,
        )
    if plan.file is None and telegram.token is None and settings.discord.webhook_url is None:
        return Finding(Level.OK, "settings", "no Telegram and no Discord: alerts are printed to the terminal")
    return Finding(Level.OK, "settings", "read")


def _unknown() -> list[Finding]:
    names = unknown_in_environment()
    text = f"no such setting: {', '.join(names)}"
    return [Finding(Level.WARN, "environment", text, "compare with .env.example")] if names else []


def _file(plan: Plan) -> list[Finding]:
    if plan.file is None:
        return []
    text = f"{len(plan.described)} described, {len(plan.file.errors)} errors"
    if not plan.file.errors:
        return [Finding(Level.OK, "destinations", text)]
    first = plan.file.errors[0]
    at = f"{first.file}:{first.line}:{first.column}"
    return [Finding(Level.FAIL, "destinations", text, f"{at}: {first.message}; `oibot lint` shows all")]


def _rules(settings: Settings, plan: Plan, instruments: Sequence[Instrument] | None) -> list[Finding]:
    try:
        found = load_rules(settings, plan, surroundings=Surroundings(instruments=instruments))
    except ConfigError as error:
        return [Finding(Level.FAIL, "rules", str(error), "point OIBOT_RULES_DIR at a folder with rule files")]
    text = f"{len(found.rules)} rules, {len(found.errors)} errors, {len(found.warnings)} warnings"
    if found.errors:
        first = found.errors[0]
        at = f"{first.file}:{first.line}:{first.column}"
        return [Finding(Level.FAIL, "rules", text, f"{at}: {first.message}; `oibot lint` shows all")]
    level = Level.WARN if found.warnings or not found.rules else Level.OK
    return [Finding(level, "rules", text, "`oibot lint --live` shows them" if found.warnings else "")]


def _data_dir(settings: Settings) -> list[Finding]:
    folder = settings.data_dir
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        advice = f"make {existing} writable for this user, or set OIBOT_DATA_DIR"
        return [Finding(Level.FAIL, "data folder", f"cannot write in {folder}", advice)]
    free = shutil.disk_usage(existing).free
    text = f"{folder}, {free / 1e9:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return [Finding(Level.FAIL, "disk", text, "free at least 0.5 GB: alerts are stored before they are sent")]
    return [Finding(Level.OK, "data folder", text)]


async def ask_venue(settings: Settings, clock: Clock) -> tuple[list[Finding], list[Instrument] | None]:
    """How the venue answers, and what it lists; None where it did not say."""
    subject = "binance rest"
    universe = Universe()
    http = Http(base_url=settings.binance.rest_url, connections=1, speed=clock.speed)
    await http.open()
    try:
        async with clock.timeout(WAIT_S):
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
        return [Finding(Level.FAIL, subject, str(error), "check OIBOT_BINANCE__REST_URL")], None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        trouble = trouble_of(error, urlsplit(settings.binance.rest_url).hostname or settings.binance.rest_url)
        advice = "check the network, DNS and firewall of this machine, or OIBOT_BINANCE__REST_URL"
        return [Finding(Level.FAIL, subject, trouble.text, advice)], None
    finally:
        await http.close()
    used = rest.parse_used_weight(answer.headers)
    weight = "" if used is None else f", weight used {used} of 2400"
    findings = [Finding(Level.OK, subject, f"{took_ms:.0f} ms, {len(universe)} contracts trading{weight}")]
    if abs(skew_ms) > MAX_SKEW_MS:
        text = f"this machine is {abs(skew_ms) / 1000:.1f} s {'ahead of' if skew_ms > 0 else 'behind'} the venue"
        findings.append(Finding(Level.WARN, "clock", text, "switch on time synchronisation: timedatectl set-ntp true"))
    else:
        findings.append(Finding(Level.OK, "clock", f"{skew_ms:+.0f} ms against the venue"))
    return findings, [instrument for _, instrument in universe.items()]


def _refused(subject: str, answer: Answer) -> Finding:
    error = rest.classify_error(answer.status, answer.headers, answer.body)
    advice = {
        "region": "Binance does not serve this machine's country; run the bot elsewhere or set OIBOT_BINANCE__REST_URL",
        "firewall": "Binance's firewall refuses this address; wait an hour, or use another machine",
        "ban": "this address is banned for asking too often; stop whatever else asks from it and wait",
        "limit": "this address asks too often; stop whatever else asks from it",
    }.get(error.kind, "try again in a minute")
    text = error.text if str(answer.status) in error.text else f"HTTP {answer.status}: {error.text}"
    if error.until_ms is not None:
        text = f"banned until {datetime.fromtimestamp(error.until_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    return Finding(Level.FAIL, subject, text, advice)


async def _binance_stream(settings: Settings, clock: Clock) -> Finding:
    subject = "binance stream"
    started_ms = clock.monotonic_ms()
    trouble = await probe(
        url=stream_url(settings.binance.stream_url),
        protocol=Protocol(Universe().venue(VENUE)),
        clock=clock,
        timeout_s=WAIT_S,
    )
    if trouble is None:
        return Finding(Level.OK, subject, f"first data after {clock.monotonic_ms() - started_ms:.0f} ms")
    advice = "check OIBOT_BINANCE__STREAM_URL (wss://fstream.binance.com) and the firewall of this machine"
    return Finding(Level.FAIL, subject, trouble.text, advice)
