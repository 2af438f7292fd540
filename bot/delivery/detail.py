"""The lines of a message that only some messages have: what is folded away, and the market as a whole. Pure.

Unknown values are left out, never shown as zero.
"""

from collections.abc import Sequence
from typing import Final

from bot.delivery.text import Line, Span, clean, line
from bot.model import numbers
from bot.model.view import AlertView, Breadth, Move
from bot.texts import say

MUCH_FUNDING: Final = 0.0005
"""Per eight hours; beyond it one side pays a lot."""
_DAY_MS: Final = 86_400_000
MUCH_VOLUME: Final = 4.0
"""Times the usual."""


def reading_text(view: AlertView) -> str:
    """`Price up + OI up: new longs are opening. Longs pay a lot.`; empty where nothing can be read."""
    price, oi = (move.change if move is not None else None for move in (view.price, view.oi))
    reading = numbers.reading(price, oi, usual_range=view.price_usual_range)
    return " ".join(x for x in (reading or "", _qualifiers(view)) if x) if reading else ""


def _qualifiers(view: AlertView) -> str:
    found = []
    if view.funding is not None and view.funding_interval_h:
        per_8h = view.funding * 8 / view.funding_interval_h
        if abs(per_8h) >= MUCH_FUNDING:
            found.append(say("Longs pay a lot.") if per_8h > 0 else say("Shorts pay a lot."))
    if view.volume_ratio is not None and view.volume_ratio >= MUCH_VOLUME:
        found.append(say("On heavy volume."))
    return " ".join(found)


def window_lines(view: AlertView) -> tuple[Line, ...]:
    """`OI +6.1% 15m · +6.4% 1h · +7.9% 24h`, and the same of the price."""
    found = []
    for name, own, others in ((say("OI"), view.oi, view.oi_moves), (say("Price"), view.price, view.price_moves)):
        if others:
            found.append(line(f"{name} {windows_text(own, others)}"))
    return tuple(found)


def windows_text(own: Move | None, others: Sequence[Move]) -> str:
    """`+6.1% 15m · +6.4% 1h`; empty where no other window is known."""
    if not others:
        return ""
    moves = [move for move in (own, *others) if move is not None and move.change is not None]
    moves.sort(key=lambda move: move.window_ms)
    return " · ".join(f"{numbers.percent(m.change, digits=1)} {_window(m.window_ms)}" for m in moves)


def _window(window_ms: int) -> str:
    return "24h" if window_ms == _DAY_MS else numbers.window(window_ms)


def volume_text(view: AlertView) -> str:
    """`2.5× the usual in 15m · 24h $21.3B`; empty when unknown."""
    parts = []
    if view.volume_ratio is not None:
        window = say(" in {window}", window=numbers.window(view.volume_window_ms)) if view.volume_window_ms else ""
        parts.append(say("{times}× the usual{window}", times=numbers.amount(view.volume_ratio), window=window))
    if view.volume_24h is not None:
        parts.append(say("24h {volume}", volume=numbers.usd(view.volume_24h)))
    return " · ".join(parts)


def risk_lines(view: AlertView) -> tuple[Line, ...]:
    """Where a stop could stand and what size follows, for whoever set what they may lose."""
    return tuple(line(clean(text, 300)) for text in view.risk)


def rank_text(view: AlertView) -> str:
    """`#1 of 532 by size · #3 by 15m change`; empty when unknown."""
    if view.oi_rank is None or not view.n_ranked:
        return ""
    text = say("#{rank} of {n} by size", rank=view.oi_rank, n=view.n_ranked)
    if view.oi_change_rank is not None:
        text += say(
            " · #{rank} by {window} change",
            rank=view.oi_change_rank,
            window=numbers.window(view.window_ms),
        )
    return text


def unusual_text(view: AlertView) -> str:
    """`OI larger than 97% of 15m moves in 24h · price 61%`; empty when unknown."""
    shares = [
        (name, x) for name, x in ((say("OI"), view.oi_unusual), (say("price"), view.price_unusual)) if x is not None
    ]
    if not shares:
        return ""
    (name, share), *others = shares
    first = say(
        "{name} larger than {share} of {window} moves in 24h",
        name=name,
        share=share_text(share),
        window=_window(view.window_ms),
    )
    return " · ".join([first, *(f"{other} {share_text(x)}" for other, x in others)])


def share_text(share: float | None) -> str:
    """`97%`."""
    if share is None:
        return numbers.UNKNOWN
    # Of 287 moves none was larger: that is not 100 % of all.
    return f"{min(99, int(share * 100))}%"


def opened_text(usd: float | None) -> str:
    """`+$1.2B`."""
    text = numbers.usd(usd)
    return f"+{text}" if usd is not None and usd > 0 else text


def breadth_lines(view: AlertView) -> tuple[Line, ...]:
    """Breadth, medians and totals of the members of a market-wide rule."""
    b = view.breadth
    if b is None:
        return ()
    return (_breadth(b), _medians(b, view.window_ms), *_totals(b))


def _breadth(b: Breadth) -> Line:
    return line(
        say(
            "OI up in {n_up}, down in {n_down} of {n}",
            n_up=b.n_oi_up,
            n_down=b.n_oi_down,
            n=b.n_known,
        )
    )


def _medians(b: Breadth, window_ms: int) -> Line:
    window = say(" in {window}", window=numbers.window(window_ms)) if window_ms else ""
    oi, price = numbers.percent(b.oi_median, digits=2), numbers.percent(b.price_median, digits=2)
    return line(say("Median OI {oi}, price {price}{window}", oi=oi, price=price, window=window))


def _totals(b: Breadth) -> tuple[Line, ...]:
    found = []
    if b.opened_usd is not None:
        share = f" ({numbers.percent(b.opened_share, digits=2)})" if b.opened_share is not None else ""
        what = say("Opened") if b.opened_usd >= 0 else say("Closed")
        found.append(
            line(f"{what} ", Span(opened_text(b.opened_usd), "bold"), say("{share} at today's prices", share=share))
        )
    if b.oi_usd_change is not None and b.oi_usd is not None:
        found.append(
            line(
                say(
                    "OI in dollars {change} to {now}",
                    change=opened_text(b.oi_usd_change),
                    now=numbers.usd(b.oi_usd),
                )
            )
        )
    return tuple(found)
