"""How the bot is, in plain words: what people lose first, then figures."""

from collections.abc import Iterator
from typing import Final

from bot.chat.reply import BLANK, Button, Reply, bold, line
from bot.model import numbers
from bot.model.cards import BotStatus, FeedHealth
from bot.texts import say, say_n

ENOUGH_FRESH: Final = 0.9
"""Share of instruments; a few contracts are always settling."""


def _is_enough(n_fresh: int, n: int) -> bool:
    return n_fresh >= ENOUGH_FRESH * n


def losses(status: BotStatus, *, now_ms: int) -> tuple[str, ...]:
    """What people lose right now, worst first; empty when all is well."""
    n = status.n_instruments
    prices_ok = n > 0 and _is_enough(status.n_price_fresh, n)
    rest = say(" Price alerts work.") if prices_ok else ""
    found = []
    if status.banned_until_ms is not None and status.banned_until_ms > now_ms:
        left = numbers.duration(status.banned_until_ms - now_ms)
        until = numbers.clock_time(status.banned_until_ms)
        found.append(
            say(
                "The venue has banned this address until {until} ({left}): OI alerts are paused.{rest}",
                until=until,
                left=left,
                rest=rest,
            )
        )
    found += [
        say("{feed} is down: {reason}.", feed=feed.feed, reason=feed.reason or say("no reason known"))
        for feed in status.feeds
        if not feed.live
    ]
    if status.warming:
        return tuple(found)
    if n == 0:
        found.append(say("No symbols are known: nothing is watched."))
    elif not prices_ok:
        if status.n_price_fresh == 0:
            found.append(say("Price data is {age}: alerts are paused.", age=_age(status.price_age_ms)))
        else:
            found.append(
                say(
                    "Prices are fresh for {n_fresh} of {n} symbols: the others' alerts are paused.",
                    n_fresh=status.n_price_fresh,
                    n=n,
                )
            )
    if n > 0 and not _is_enough(status.n_oi_fresh, n):
        if status.n_oi_fresh == 0:
            age = _age(status.oi_slowest_ms)
            found.append(say("OI data is {age}: OI alerts are paused.{rest}", age=age, rest=rest))
        else:
            found.append(
                say(
                    "OI is fresh for {n_fresh} of {n} symbols: the others' OI alerts are paused.",
                    n_fresh=status.n_oi_fresh,
                    n=n,
                )
            )
    return tuple(found)


def _age(age_ms: int | None) -> str:
    return say("missing") if age_ms is None else say("{duration} old", duration=numbers.duration(age_ms))


def _behind(age_ms: int | None) -> str:
    if age_ms is None:
        return numbers.UNKNOWN
    return f"{age_ms / 1000:.1f} s" if age_ms < 10_000 else numbers.duration(age_ms)


def _quiet(status: BotStatus) -> str:
    """What is muted now; empty where nothing is."""
    n = status.n_silences
    parts = [say_n("{n} silence", "{n} silences", n)] if n else []
    parts += [say("quiet hours at {places}", places=", ".join(status.quiet))] if status.quiet else []
    parts += [say_n("{n} alert kept", "{n} alerts kept", status.n_kept)] if status.n_kept else []
    return " · ".join(parts)


def status_page(status: BotStatus, *, now_ms: int) -> Reply:
    """First what people lose, in plain words; then figures."""
    up = say("up {duration} · v{version}", duration=numbers.duration(status.uptime_s * 1000), version=status.version)
    lost = losses(status, now_ms=now_ms)
    lost = (
        *lost,
        *(say("Nothing can be sent to {destination}", destination=dead) for dead in status.dead_destinations),
        *status.troubles,
    )
    warnings = [line(f"⚠️ {text}") for text in lost]
    if status.warming:
        warnings.append(
            line(say("⏳ Warming up: {warming}. Rules that need more history wait for it.", warming=status.warming))
        )
    head = [*warnings, line(up[0].upper() + up[1:])] if warnings else [line(say("✅ All good · {up}", up=up))]
    blocks = (*head, BLANK, *(line(bold(name), f" {text}") for name, text in _figures(status)))
    return Reply(blocks, ((Button(say("↻ Refresh"), "/status"), Button(say("Details"), "/status details")),))


def _figures(status: BotStatus) -> Iterator[tuple[str, str]]:
    """Names and texts."""
    n = status.n_instruments
    waiting = say(" · {n} waiting to be sent", n=status.n_outbox) if status.n_outbox else ""
    n_asked = status.n_chat_alerts
    asked = say_n(" · {n} alert of chats", " · {n} alerts of chats", n_asked) if n_asked else ""
    prices, oldest = _behind(status.price_age_ms), numbers.duration(status.oi_slowest_ms)
    yield say("Prices"), say("{n_fresh} of {n} symbols, {age} behind", n_fresh=status.n_price_fresh, n=n, age=prices)
    yield (
        say("OI"),
        say("{n_fresh} of {n} symbols, slowest {duration}", n_fresh=status.n_oi_fresh, n=n, duration=oldest),
    )
    weight = numbers.percent(status.weight_share, sign=False, digits=0)
    yield say("Weight"), say("{share} of the venue's limit", share=weight)
    alerts = say(
        "{n_today} today · {n_firing} firing · {n_pending} pending{waiting}",
        n_today=status.n_alerts_today,
        n_firing=status.n_firing,
        n_pending=status.n_pending,
        waiting=waiting,
    )
    yield say("Alerts"), alerts
    if quiet := _quiet(status):
        yield say("Quiet"), quiet
    yield say("Rules"), say("{n} loaded{asked}", n=status.n_rules, asked=asked)
    memory = say("{used_mb:.0f} MB · disk {free_gb:.1f} GB free", used_mb=status.rss_mb, free_gb=status.disk_free_gb)
    yield say("Memory"), memory
    if status.backup:
        yield say("Backup"), status.backup
    if status.history:
        yield say("History"), status.history


def details_page(status: BotStatus, *, now_ms: int) -> Reply:
    """Feed by feed, below what people lose."""
    lost = losses(status, now_ms=now_ms)
    blocks = [line(f"⚠️ {text}") for text in lost] or [line(say("✅ All good"))]
    blocks += [BLANK, line(bold(say("Feeds")))]
    blocks += [line(f"{'✓' if feed.live else '✗'} {feed.feed}{_reason(feed)}") for feed in status.feeds]
    if not status.feeds:
        blocks.append(line(say("None has said anything yet.")))
    blocks += [BLANK, line(bold(say("Data")))]
    blocks.append(
        line(
            say(
                "Prices {n_fresh} of {n} fresh, {age} behind",
                n_fresh=status.n_price_fresh,
                n=status.n_instruments,
                age=_behind(status.price_age_ms),
            )
        )
    )
    oldest = numbers.duration(status.oi_slowest_ms)
    blocks.append(
        line(
            say(
                "OI {n_fresh} of {n} fresh, the oldest {oldest} old",
                n_fresh=status.n_oi_fresh,
                n=status.n_instruments,
                oldest=oldest,
            )
        )
    )
    if status.banned_until_ms is not None and status.banned_until_ms > now_ms:
        blocks.append(line(say("Banned until {time}", time=numbers.clock_time(status.banned_until_ms))))
    if status.dead_destinations:
        blocks += [BLANK, line(bold(say("Cannot be reached"))), *(line(text) for text in status.dead_destinations)]
    if status.troubles:
        blocks += [BLANK, line(bold(say("Troubles"))), *(line(text) for text in status.troubles)]
    return Reply(tuple(blocks), ((Button(say("↻ Refresh"), "/status details"), Button(say("‹ Back"), "/status")),))


def _reason(feed: FeedHealth) -> str:
    return f": {feed.reason}" if feed.reason and not feed.live else ""
