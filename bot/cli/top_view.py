"""One frame of `oibot top`: what is wrong, feeds, movers, alerts, queue. Colour only adds to what the text says."""

from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from bot.chat.commands import clean
from bot.chat.status_pages import losses
from bot.model import numbers
from bot.model.cards import BotStatus
from bot.model.instrument import MARKET
from bot.model.overview import Burning, Mover, Overview

SIDE_BY_SIDE: Final = 88
"""Columns from which on the two lists of movers stand beside each other."""
BAR: Final = 20
OVERHEAD_LINES: Final = 13
"""What a frame needs besides the rows of its lists."""
WARN_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Frame:
    """One look, fitted into the height of a screen; None: as long as it is."""

    seen: Overview
    now_ms: int
    """Wall time, for what the venue has banned until when."""
    height: int | None = None

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        seen, status = self.seen, self.seen.status
        is_wide = options.max_width >= SIDE_BY_SIDE
        rows = self._rows(is_wide=is_wide)
        yield _head(seen)
        for text in (*losses(status, now_ms=self.now_ms), *status.troubles):
            yield Text(f"! {clean(text)}", style="yellow")
        if status.warming:
            yield Text(f"… warming up: {clean(status.warming)}", style="yellow")
        yield _feeds(status)
        yield _data(status)
        yield _weight(status)
        yield Text()
        window = numbers.window(seen.window_ms).replace("1d", "24h")
        lists = [
            _movers(f"Open interest · {window}", seen.by_oi[:rows], of_price=False),
            _movers(f"Price · {window}", seen.by_price[:rows], of_price=True),
        ]
        if is_wide:
            grid = Table.grid(padding=(0, 3), expand=False)
            grid.add_row(*lists)
            yield grid
        else:
            yield Group(*lists)
        yield Text()
        yield _firing(seen, rows)
        yield Text()
        yield _queue(seen)

    def _rows(self, *, is_wide: bool) -> int:
        if self.height is None:
            return 100
        return max(3, (self.height - OVERHEAD_LINES) // (2 if is_wide else 3))


def _head(seen: Overview) -> Text:
    status = seen.status
    at = numbers.clock_time(seen.at_ms, seconds=True) if seen.at_ms else "no prices yet"
    return Text.assemble(
        ("oibot ", "bold"),
        f"{status.version} · up {numbers.duration(status.uptime_s * 1000)} · {at} · {status.n_rules} rules · "
        f"{status.rss_mb:.0f} MB · disk {status.disk_free_gb:.1f} GB free",
    )


def _feeds(status: BotStatus) -> Text:
    text = Text.assemble(("Feeds   ", "bold"))
    for feed in status.feeds:
        text.append("● " if feed.live else "○ ", style="green" if feed.live else "red")
        text.append(clean(feed.feed) + ("" if feed.live else " down") + "  ", style=None if feed.live else "red")
    return text


def _data(status: BotStatus) -> Text:
    n = status.n_instruments
    age = numbers.UNKNOWN if status.price_age_ms is None else f"{status.price_age_ms / 1000:.1f} s"
    slowest = numbers.duration(status.oi_slowest_ms)
    return Text.assemble(
        ("Data    ", "bold"),
        f"{status.n_price_fresh}/{n} prices, {age} old · {status.n_oi_fresh}/{n} open interest, slowest {slowest}",
    )


def _weight(status: BotStatus) -> Text:
    share = status.weight_share
    text = Text.assemble(("Weight  ", "bold"))
    if share is None:
        return text.append(numbers.UNKNOWN)
    full = min(BAR, round(share * BAR))
    text.append("█" * full, style="yellow" if share >= WARN_SHARE else "green")
    text.append("░" * (BAR - full), style="dim")
    return text.append(f" {numbers.percent(share, sign=False, digits=0)} of the venue's limit")


def _signed(change: float | None) -> Text:
    style = "" if not change else "green" if change > 0 else "red"
    return Text(numbers.percent(change), style=style)


def _table(title: str) -> Table:
    return Table(
        title=Text(title, style="bold"), title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )


def _movers(title: str, found: tuple[Mover, ...], *, of_price: bool) -> Table:
    table = _table(title)
    table.add_column("symbol", no_wrap=True, max_width=18)
    first, second = ("price", "OI") if of_price else ("OI", "price")
    table.add_column(first, justify="right")
    table.add_column(second, justify="right")
    table.add_column("OI in $", justify="right")
    for one in found:
        moved = (one.price_change, one.oi_change) if of_price else (one.oi_change, one.price_change)
        table.add_row(Text(clean(one.symbol)), *(_signed(change) for change in moved), numbers.usd(one.oi_usd))
    if not found:
        table.add_row(Text("nothing known yet", style="dim"))
    return table


def _firing(seen: Overview, rows: int) -> Table:
    n = seen.status.n_firing
    more = f", {seen.status.n_pending} pending" if seen.status.n_pending else ""
    table = _table(f"Alerts · {n} firing{more} · {seen.status.n_alerts_today} today")
    for name in ("for", "symbol", "rule", "at firing", "id"):
        table.add_column(name, justify="right" if name in {"for", "at firing"} else "left", no_wrap=True)
    shown = seen.firing[: max(3, rows - 2)]
    for one in shown:
        table.add_row(*_burning(one, seen.at_ms))
    if not shown:
        table.add_row(Text("none", style="dim"))
    elif n > len(shown):
        table.add_row("", Text(f"and {n - len(shown)} more", style="dim"))
    return table


def _burning(one: Burning, at_ms: int) -> tuple[str | Text, ...]:
    symbol = "whole market" if one.symbol == MARKET else clean(one.symbol)
    value = numbers.quantity(one.value, one.unit)
    age = numbers.duration(max(0, at_ms - one.since_ms))
    return age, Text(symbol, style="bold"), Text(clean(one.title)), value, f"#{one.short_id}"


def _queue(seen: Overview) -> Text:
    status = seen.status
    text = Text.assemble(("Queue   ", "bold"), f"{status.n_outbox} waiting to be sent")
    if status.n_kept:
        text.append(f" · {status.n_kept} kept quiet")
    for lane in seen.lanes:
        text.append(f" · {clean(lane.name)} {lane.delivered} sent")
        if lane.buried:
            text.append(f", {lane.buried} given up", style="red")
        if lane.dead_reason:
            text.append(f", dead: {clean(lane.dead_reason)}", style="red")
        elif lane.paused_s > 0:
            text.append(f", paused {lane.paused_s:.0f} s", style="yellow")
    return text
