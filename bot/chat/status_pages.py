"""How the bot is, in plain words: what people lose first, then figures."""

from typing import Final

from bot.chat.reply import BLANK, Button, Reply, bold, line
from bot.model import numbers
from bot.model.cards import BotStatus, FeedHealth

ENOUGH_FRESH: Final = 0.9
"""Share of instruments; a few contracts are always settling."""


def _is_enough(n_fresh: int, n: int) -> bool:
    return n_fresh >= ENOUGH_FRESH * n


def losses(status: BotStatus, *, now_ms: int) -> tuple[str, ...]:
    """What people lose right now, worst first; empty when all is well."""
    n = status.n_instruments
    prices_ok = n > 0 and _is_enough(status.n_price_fresh, n)
    rest = " Price alerts work." if prices_ok else ""
    found = []
    if status.banned_until_ms is not None and status.banned_until_ms > now_ms:
        left = numbers.duration(status.banned_until_ms - now_ms)
        until = numbers.clock_time(status.banned_until_ms)
        found.append(f"The venue has banned this address until {until} ({left}): OI alerts are paused.{rest}")
    found += [f"{feed.feed} is down: {feed.reason or 'no reason known'}." for feed in status.feeds if not feed.live]
    if status.warming:
        return tuple(found)
    if n == 0:
        found.append("No symbols are known: nothing is watched.")
    elif not prices_ok:
        if status.n_price_fresh == 0:
            age = "missing" if status.price_age_ms is None else f"{numbers.duration(status.price_age_ms)} old"
            found.append(f"Price data is {age}: alerts are paused.")
        else:
            found.append(f"Prices are fresh for {status.n_price_fresh} of {n} symbols: the others' alerts are paused.")
    if n > 0 and not _is_enough(status.n_oi_fresh, n):
        if status.n_oi_fresh == 0:
            age = "missing" if status.oi_slowest_ms is None else f"{numbers.duration(status.oi_slowest_ms)} old"
            found.append(f"OI data is {age}: OI alerts are paused.{rest}")
        else:
            found.append(f"OI is fresh for {status.n_oi_fresh} of {n} symbols: the others' OI alerts are paused.")
    return tuple(found)


def _behind(age_ms: int | None) -> str:
    if age_ms is None:
        return numbers.UNKNOWN
    return f"{age_ms / 1000:.1f} s" if age_ms < 10_000 else numbers.duration(age_ms)


def _quiet(status: BotStatus) -> str:
    """What is muted now; empty where nothing is."""
    n = status.n_silences
    parts = [f"{n} silence{'' if n == 1 else 's'}"] if n else []
    parts += [f"quiet hours at {', '.join(status.quiet)}"] if status.quiet else []
    parts += [f"{status.n_kept} alert{'' if status.n_kept == 1 else 's'} kept"] if status.n_kept else []
    return " · ".join(parts)


def status_page(status: BotStatus, *, now_ms: int) -> Reply:
    """First what people lose, in plain words; then figures."""
    up = f"up {numbers.duration(status.uptime_s * 1000)} · v{status.version}"
    lost = losses(status, now_ms=now_ms)
    lost = (*lost, *(f"Nothing can be sent to {dead}" for dead in status.dead_destinations), *status.troubles)
    warnings = [line(f"⚠️ {text}") for text in lost]
    if status.warming:
        warnings.append(line(f"⏳ Warming up: {status.warming}. Rules that need more history wait for it."))
    head = [*warnings, line(up[0].upper() + up[1:])] if warnings else [line(f"✅ All good · {up}")]
    n = status.n_instruments
    waiting = f" · {status.n_outbox} waiting to be sent" if status.n_outbox else ""
    n_asked = status.n_chat_alerts
    asked = f" · {n_asked} alert{'' if n_asked == 1 else 's'} of chats" if n_asked else ""
    figures: tuple[tuple[str, str], ...] = (
        ("Prices", f"{status.n_price_fresh} of {n} symbols, {_behind(status.price_age_ms)} behind"),
        ("OI", f"{status.n_oi_fresh} of {n} symbols, slowest {numbers.duration(status.oi_slowest_ms)}"),
        ("Weight", f"{numbers.percent(status.weight_share, sign=False, digits=0)} of the venue's limit"),
        ("Alerts", f"{status.n_alerts_today} today · {status.n_firing} firing · {status.n_pending} pending{waiting}"),
        *([("Quiet", quiet)] if (quiet := _quiet(status)) else []),
        ("Rules", f"{status.n_rules} loaded{asked}"),
        ("Memory", f"{status.rss_mb:.0f} MB · disk {status.disk_free_gb:.1f} GB free"),
    )
    if status.backup:
        figures = (*figures, ("Backup", status.backup))
    if status.history:
        figures = (*figures, ("History", status.history))
    blocks = (*head, BLANK, *(line(bold(name), f" {text}") for name, text in figures))
    return Reply(blocks, ((Button("↻ Refresh", "/status"), Button("Details", "/status details")),))


def details_page(status: BotStatus, *, now_ms: int) -> Reply:
    """Feed by feed, below what people lose."""
    lost = losses(status, now_ms=now_ms)
    blocks = [line(f"⚠️ {text}") for text in lost] or [line("✅ All good")]
    blocks += [BLANK, line(bold("Feeds"))]
    blocks += [line(f"{'✓' if feed.live else '✗'} {feed.feed}{_reason(feed)}") for feed in status.feeds]
    if not status.feeds:
        blocks.append(line("None has said anything yet."))
    blocks += [BLANK, line(bold("Data"))]
    blocks.append(
        line(f"Prices {status.n_price_fresh} of {status.n_instruments} fresh, {_behind(status.price_age_ms)} behind")
    )
    oldest = numbers.duration(status.oi_slowest_ms)
    blocks.append(line(f"OI {status.n_oi_fresh} of {status.n_instruments} fresh, the oldest {oldest} old"))
    if status.banned_until_ms is not None and status.banned_until_ms > now_ms:
        blocks.append(line(f"Banned until {numbers.clock_time(status.banned_until_ms)}"))
    if status.dead_destinations:
        blocks += [BLANK, line(bold("Cannot be reached")), *(line(text) for text in status.dead_destinations)]
    if status.troubles:
        blocks += [BLANK, line(bold("Troubles")), *(line(text) for text in status.troubles)]
    return Reply(tuple(blocks), ((Button("↻ Refresh", "/status details"), Button("‹ Back", "/status")),))


def _reason(feed: FeedHealth) -> str:
    return f": {feed.reason}" if feed.reason and not feed.live else ""
