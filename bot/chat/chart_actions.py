"""`/chart`: from what people type to the data of a chart, and what stands under it. Fronts draw it as they can."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.chat import pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, find, shorten
from bot.chat.reply import Button, Line, Reply, bold, code, line, rows_of
from bot.chat.symbols import NotFound, SymbolBook
from bot.model import numbers
from bot.model.chart_ports import ChartReader
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, ChartData, NoPicture, Usual, change
from bot.model.instrument import Instrument
from bot.model.ports import MarketReader
from bot.texts import say, say_n

DEFAULT_SPAN_MS: Final = 4 * HOUR_MS
MIN_SPAN_MS: Final = 15 * MINUTE_MS
YEAR_MS: Final = 365 * DAY_MS
MAX_SPAN_MS: Final = 5 * YEAR_MS
"""As far back as there is open interest, and no further."""
SPANS: Final = (
    ("1h", HOUR_MS),
    ("4h", 4 * HOUR_MS),
    ("24h", DAY_MS),
    ("7d", 7 * DAY_MS),
    ("30d", 30 * DAY_MS),
    ("1y", YEAR_MS),
)
"""One button each."""
LONG_SPANS: Final = (("90d", 90 * DAY_MS), ("180d", 180 * DAY_MS), ("2y", 2 * YEAR_MS), ("max", MAX_SPAN_MS))
"""One button more each, below a chart by days."""
MAX_WORDS: Final = frozenset({"max", "ever"})

_SPAN = re.compile(r"([0-9]{1,5})(m|min|h|d|w|y)", re.ASCII)
_UNITS: Final = {"m": MINUTE_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS, "y": YEAR_MS}
_FULL_SIZE: Final = frozenset({"full", "file"})
_SHOWN: Final = frozenset({"oi", "price", "volume", "open", "interest"})
"""In each chart anyway."""
_PANELS: Final = {
    "funding": frozenset({"funding"}),
    "ratio": frozenset({"long_short"}),
    "longshort": frozenset({"long_short"}),
    "long_short": frozenset({"long_short"}),
    "all": frozenset({"funding", "long_short"}),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a chart is wanted of."""

    symbol: str
    span_ms: int
    panels: frozenset[str]
    others: tuple[str, ...] = ()
    """Keys of more instruments, of a list: one button each."""
    is_full_size: bool = False
    """As a file, which nobody shrinks."""


def read_span(word: str) -> int | None:
    """`15m`, `4h`, `7d`, `2w`, `1y`, `max` -> ms; None for what is no span."""
    if word.casefold() in MAX_WORDS:
        return MAX_SPAN_MS
    found = _SPAN.fullmatch(word.casefold())
    return int(found[1]) * _UNITS[found[2]] if found else None


def _is_option(word: str) -> bool:
    return read_span(word) is not None or word.casefold() in {*_PANELS, *_FULL_SIZE, *_SHOWN}


def read(words: tuple[str, ...]) -> Asked | str:
    """Words in any order; the first that is neither a span nor a panel is the symbol. Else what is wrong."""
    if words and _is_option(words[0]) and (first := next((w for w in words if not _is_option(w)), None)) is not None:
        words = (first, *(word for word in words if word != first))
    symbol, span_ms, panels = "", None, frozenset[str]()
    others, is_full_size = list[str](), False
    for word in words:
        if (span := read_span(word)) is not None and symbol:
            span_ms = span
        elif word.casefold() in _PANELS and symbol:
            panels |= _PANELS[word.casefold()]
        elif word.casefold() in _FULL_SIZE and symbol:
            is_full_size = True
        elif not symbol:
            symbol = word
        elif word.casefold() in _SHOWN:
            continue
        elif ":" in word:
            others.append(word)
        else:
            return say(
                'I read {symbol}, but not "{word}". Write a span such as 4h, or funding, ratio, all, full.',
                symbol=shorten(symbol),
                word=shorten(word),
            )
    span_ms = DEFAULT_SPAN_MS if span_ms is None else span_ms
    if not MIN_SPAN_MS <= span_ms <= MAX_SPAN_MS:
        return say("A chart spans 15m to 5y.")
    return Asked(symbol, span_ms, panels, tuple(others), is_full_size)


def _with_keys(words: tuple[str, ...], book: SymbolBook) -> tuple[str, ...]:
    """Symbols behind the first as keys, as those of a list are."""
    named = [word for word in words if not _is_option(word)]
    keys = {word: one.key for word in named[1:] if isinstance(one := book.resolve(word), Instrument)}
    return tuple(keys.get(word, word) for word in words)


def span_text(span_ms: int) -> str:
    """`24h` rather than `1d`: as people say it."""
    return next((name for name, ms in (*SPANS, *LONG_SPANS) if ms == span_ms), numbers.window(span_ms))


class ChartActions:
    """Answers `/chart`."""

    def __init__(self, market: MarketReader, charts: ChartReader) -> None:
        self._market = market
        self._charts = charts

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"chart": self.answer}

    async def answer(self, command: Command, _asker: Asker) -> Reply:
        """Carry it out."""
        if not command.words:
            spec = find("chart")
            assert spec is not None
            return pages.help_topic(spec)
        book = SymbolBook(self._market.instruments())
        asked = read(_with_keys(command.words, book))
        if isinstance(asked, str):
            return pages.usage(UsageError(asked, ("/chart BTC 4h",)))
        found = book.resolve(asked.symbol)
        if isinstance(found, NotFound):
            return pages.not_found("chart", found, [(book.ask_for(one), one) for one in found.suggestions])
        name = book.ask_for(found)
        data = await self._charts.chart(found.key, asked.span_ms, extra=asked.panels)
        if isinstance(data, NoPicture):
            return Reply(
                (line(say("No chart of "), code(found.symbol), f": {say(data.reason)}."),), buttons(name, asked)
            )
        lines = caption(data, span_text(_shown_ms(data, asked.span_ms))), *long_lines(data)
        if asked.is_full_size:
            return Reply(lines, chart=data, is_full_size=True)
        others = [book.ask_for(one) for typed in asked.others if isinstance(one := book.resolve(typed), Instrument)]
        return Reply(lines, (*buttons(name, asked), *_of_the_list(others, asked)), chart=data)


def buttons(name: str, asked: Asked) -> tuple[tuple[Button, ...], ...]:
    """Other spans, and where to go from here."""
    words = "".join(f" {word}" for word in _words(asked.panels))

    def row(spans: Sequence[tuple[str, int]]) -> tuple[Button, ...]:
        return tuple(
            Button(f"{label} ✓" if ms == asked.span_ms else label, f"/chart {name} {label}{words}")
            for label, ms in spans
        )

    is_long = asked.span_ms > SPANS[4][1]
    more = "" if asked.panels else " all"
    shown = span_text(asked.span_ms)
    return (
        row(SPANS),
        *((row(LONG_SPANS),) if is_long else ()),
        (
            Button(say("↻ Refresh"), f"/chart {name} {shown}{words}"),
            Button(say("Fewer panels") if asked.panels else say("More panels"), f"/chart {name} {shown}{more}"),
            Button(say("OI"), f"/oi {name}"),
            Button("🔔", f"/new {name}"),
            Button(say("Full size"), f"/chart {name} {shown}{words} full"),
        ),
    )


def _of_the_list(names: Sequence[str], asked: Asked) -> tuple[tuple[Button, ...], ...]:
    """The other symbols, with the same span and panels."""
    words = "".join(f" {word}" for word in (span_text(asked.span_ms), *_words(asked.panels)))
    return rows_of([Button(name, f"/chart {name}{words}") for name in names], 4)


def _words(panels: frozenset[str]) -> tuple[str, ...]:
    if panels == _PANELS["all"]:
        return ("all",)
    return tuple(word for word in ("funding", "ratio") if _PANELS[word] <= panels)


def _shown_ms(data: ChartData, asked_ms: int) -> int:
    """In whole days what there is, where that is less than what was asked for: a young contract, or `max`."""
    return asked_ms if data.span_ms > asked_ms - DAY_MS else max(1, round(data.span_ms / DAY_MS)) * DAY_MS


def caption(data: ChartData, span: str) -> Line:
    """What the picture shows, in words, for whoever cannot see it."""
    parts = []
    for name, curve in ((say("price"), data.price), (say("OI"), data.oi)):
        moved = change(curve, data.from_ms, data.to_ms)
        if moved is not None:
            parts.append(f"{name} {numbers.percent(moved.ratio)}")
    text = ", ".join(parts) or say("too little is known")
    return line(bold(data.symbol), f" · {span} · {text}")


def long_lines(data: ChartData) -> tuple[Line, ...]:
    """Of a chart by days: what came of the tops and bottoms, or why there are none and how to get some."""
    view = data.long_view
    if view is None:
        return ()
    if view.trouble:
        return (line(say("Without the stored history: {reason}.", reason=view.trouble)),)
    if view.oi_from_ms is None:
        told = say(
            "No open interest of {symbol} is stored for this time; Binance tells the last 30 days. On the bot's machine "
            "`oibot history import PATH` takes in the exchange's published files.",
            symbol=data.symbol,
        )
        return (line(told),)
    found = [line(text) for text in turn_texts(data)]
    return (*found, *(line(say("No tops and bottoms: {reason}.", reason=one)) for one in view.missing))


def turn_texts(data: ChartData) -> tuple[str, ...]:
    """Sentences on the marks; none where there is no history."""
    view = data.long_view
    if view is None or view.oi_from_ms is None or view.missing:
        return ()
    n_tops = sum(turn.is_top for turn in view.turns)
    n_bottoms = len(view.turns) - n_tops
    tops, bottoms = say_n("▼ {n} top", "▼ {n} tops", n_tops), say_n("▲ {n} bottom", "▲ {n} bottoms", n_bottoms)
    rows = ((tops, view.tops, n_tops), (bottoms, view.bottoms, n_bottoms), (say("every day"), view.days, 1))
    return tuple(f"{name}: {_after(usual)}" if n else name for name, usual, n in rows)


def _after(usual: Usual) -> str:
    parts = []
    if usual.day is not None:
        parts.append(say("{move} a day later", move=numbers.percent(usual.day, digits=2)))
    if usual.week is not None:
        parts.append(say("{move} a week later", move=numbers.percent(usual.week, digits=2)))
    return ", ".join(parts) or say("what followed is not known yet")
