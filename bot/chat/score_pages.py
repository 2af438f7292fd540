"""How alerts fared, as replies and as the news of a week. Pure. Tables are at most 30 columns wide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, line, refusal, rows_of
from bot.model import numbers
from bot.model.scorecard import Extreme, HorizonTotals, Quadrant, Replies, RuleTotals, Totals, Verdict
from bot.model.view import Offer
from bot.texts import mark, say, say_as, say_n

MAX_RULES: Final = 12
MAX_OFFERS: Final = 5
UNKNOWN: Final = "–"
_MARKS: Final = {Verdict.BETTER: "▲", Verdict.NO_BETTER: "○", Verdict.UNCLEAR: "?"}

_QUADRANTS: Final = {
    Quadrant.UP_UP: mark("price up, OI up"),
    Quadrant.UP_DOWN: mark("price up, OI down"),
    Quadrant.DOWN_UP: mark("price down, OI up"),
    Quadrant.DOWN_DOWN: mark("price down, OI down"),
    Quadrant.FLAT: mark("price or OI flat"),
    Quadrant.UNKNOWN: mark("price or OI unknown"),
}


def _explained() -> Line:
    return line(
        say(
            "% of random moments of the same contracts, within 12h of each alert, that moved less. 50% is chance; size, "
            "not direction."
        )
    )


def _nothing() -> Reply:
    return Reply(
        (line(say("Nothing is scored yet. An alert gets its first score after 15m; it can be compared after 16h.")),)
    )


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.0f}%"


def _times(x: float | None) -> str:
    return UNKNOWN if x is None else f"{x:.1f}×"


def _date(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%d %b %Y}".lstrip("0")


def list_page(rules: Sequence[RuleTotals], replies: tuple[Replies, bool] | None) -> Reply:
    """All rules, the most alerts first."""
    if not rules:
        return _nothing()
    blocks: list[Line | Table] = [
        line(bold(say("How alerts fared"))),
        *(_rule_line(one) for one in rules[:MAX_RULES]),
        BLANK,
    ]
    blocks += [line(say("▲ better than chance, ○ no better, ? too few to tell")), _explained()]
    if len(rules) > MAX_RULES:
        blocks.append(line(say("and {n} rules more: /score RULE", n=len(rules) - MAX_RULES)))
    if replies is not None:
        blocks += [BLANK, line(replies_text(*replies))]
    buttons = [Button(shorten(one.title, 20), f"/score {one.rule_id}") for one in rules[:MAX_RULES]]
    return Reply(tuple(blocks), rows_of(buttons, 2))


def _rule_line(one: RuleTotals) -> Line:
    """`▲ OI surge · 42 alerts · 15m 68% · 1h 57% · 4h –`"""
    n = say_n("{n} alert", "{n} alerts", one.totals.n_alerts)
    shares = (f"{numbers.window(h.horizon_ms)} {_percent(h.more)}" for h in one.totals.horizons)
    return line(f"{_MARKS[one.totals.verdict]} ", bold(shorten(one.title, 40)), " · ", " · ".join((n, *shares)))


def totals_page(name: str, found: Totals, *, rule_id: str = "") -> Reply:
    """One rule, one contract, or both."""
    if not found.n_alerts:
        return Reply((line(say("No alert of {name} was scored yet.", name=shorten(name, 60))),))
    since = _date(found.since_ms)
    n = say_n("{n} alert since {since}", "{n} alerts since {since}", found.n_alerts, since=since)
    blocks: list[Line | Table] = [line(bold(shorten(name, 60)), f" · {n}")]
    blocks += [_table(found.horizons), line(sentence(found)), _explained()]
    blocks += [BLANK, *_extremes(found), *_quadrants(found)]
    buttons = [Button(say("All rules"), "/score")]
    if rule_id:
        buttons.append(Button(say("Stop it here"), f"/rules off {rule_id}"))
    return Reply(tuple(blocks), (tuple(buttons),))


def _table(horizons: Sequence[HorizonTotals]) -> Table:
    def row(label: str, *cells: str) -> tuple[str, ...]:
        return (label, *cells)

    return Table(
        (say("After"), *(numbers.window(h.horizon_ms) for h in horizons)),
        (
            row(say("known"), *(str(h.n_known) for h in horizons)),
            row(say("typical"), *(_times(h.typical_times) for h in horizons)),
            row(say("random"), *(_times(h.random_times) for h in horizons)),
            row(say_as("larger moves", "more"), *(_percent(h.more) for h in horizons)),
            row(say_as("an interval", "from"), *(_percent(h.low) for h in horizons)),
            row(say_as("an interval", "to"), *(_percent(h.high) for h in horizons)),
            row(say("up"), *(_percent(h.up) for h in horizons)),
            row(say("random up"), *(_percent(h.random_up) for h in horizons)),
        ),
    )


def sentence(found: Totals) -> str:
    """The verdict in plain words, with the figures that it rests on."""
    match found.verdict:
        case Verdict.BETTER:
            parts = [
                say(
                    "after {window} in {more} of comparisons ({low} to {high}, {n} episodes)",
                    window=numbers.window(h.horizon_ms),
                    more=_percent(h.more),
                    low=_percent(h.low),
                    high=_percent(h.high),
                    n=h.n_blocks,
                )
                for h in found.horizons
                if h.verdict is Verdict.BETTER
            ]
            return say("Better than chance: prices moved more than at random moments {parts}.", parts=", ".join(parts))
        case Verdict.NO_BETTER:
            most = max((h.high for h in found.horizons if h.high is not None), default=None)
            return say(
                "No better than chance: whatever the horizon, at most {most} of comparisons are larger.",
                most=_percent(most),
            )
    n_blocks = max((h.n_blocks for h in found.horizons), default=0)
    if not n_blocks:
        return say(
            "Too few to tell: no alert can be compared yet. That takes 16h, until its last random moment is over."
        )
    return say_n(
        "Too few to tell: {n} episode can be compared so far, and what fires together counts once.",
        "Too few to tell: {n} episodes can be compared so far, and what fires together counts once.",
        n_blocks,
    )


def _extremes(found: Totals) -> list[Line]:
    """After the longest horizon of which any is known."""
    known = [h for h in found.horizons if h.best is not None]
    if not known:
        return []
    last = known[-1]
    after = numbers.window(last.horizon_ms)
    if last.best == last.worst and last.best is not None:
        return [line(say("The one known {after} after: ", after=after), _extreme(last.best))]
    return [
        line(head, _extreme(one))
        for head, one in (
            (say("Highest {after} after: ", after=after), last.best),
            (say("Lowest {after} after: ", after=after), last.worst),
        )
        if one is not None
    ]


def _extreme(one: Extreme) -> str:
    size = "" if one.times is None else f" ({one.times:.1f}×)"
    return f"{shorten(one.symbol, 24)} {numbers.percent(one.change, digits=2)}{size} #{one.short_id}"


def _quadrants(found: Totals) -> list[Line]:
    """`price up, OI up: 12, up after 1h in 7, down in 5, typically +0.12%`."""
    if not found.quadrants:
        return []
    lines = [line(bold(say("By what price and OI did, after 1h")))]
    lines += [
        line(
            say(
                "{quadrant}: {n}, up in {n_up}, down in {n_down}, middle {typical}",
                quadrant=say(_QUADRANTS[q.quadrant]),
                n=q.n,
                n_up=q.n_up,
                n_down=q.n_down,
                typical=numbers.percent(q.typical, digits=2),
            )
        )
        for q in found.quadrants
    ]
    return lines


# -- replies under alerts ------------------------------------------------------------------------------------------------


def replies_text(replies: Replies, is_own: bool) -> str:
    """What this chat gets."""
    said = {
        "off": say("Alerts here get no scorecard under them."),
        "quiet": say("Alerts here get a scorecard under them, without a sound."),
        "on": say("Alerts here get a scorecard under them, with a sound."),
    }[replies]
    return said if is_own else f"{said} {say('That is the setting of the bot.')}"


def replies_page(replies: Replies, is_own: bool) -> Reply:
    shown = (("off", say("Off")), ("quiet", say("Quiet")), ("on", say("With sound")))
    buttons = tuple(
        Button(f"{name} ✓" if value == replies else name, f"/score replies {value}") for value, name in shown
    )
    return Reply((line(replies_text(replies, is_own)),), (buttons,))


def not_told() -> Reply:
    return refusal(say("This chat is told no alerts, so there is nothing to set. /here changes that."))


def unknown(word: str) -> Reply:
    said = line(say("I know no rule and no contract {word}. /score lists the rules.", word=shorten(word)))
    return Reply((said,), is_refusal=True)


# -- once a week ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Week:
    """The news of a week."""

    title: str
    text: str
    offers: tuple[Offer, ...]


def weekly(rules: Sequence[RuleTotals], *, since_ms: int) -> Week:
    """Which rules add nothing, which do, and of which it cannot be told yet."""
    idle = [one for one in rules if one.totals.verdict is Verdict.NO_BETTER]
    better = [one for one in rules if one.totals.verdict is Verdict.BETTER]
    unclear = [one for one in rules if one.totals.verdict is Verdict.UNCLEAR]
    lines = [say("How the alerts of the rules fared, as of the week since {date}.", date=_date(since_ms))]
    lines += [
        say(
            "{title} adds nothing. {why} /rules off {rule_id} stops it in a chat.",
            title=shorten(one.title, 60),
            why=sentence(one.totals),
            rule_id=one.rule_id,
        )
        for one in idle
    ]
    lines += [f"{shorten(one.title, 60)}: {sentence(one.totals)}" for one in better]
    if unclear:
        named = ", ".join(f"{shorten(one.title, 40)} ({one.totals.n_alerts})" for one in unclear[:MAX_RULES])
        lines.append(say("Too few to tell: {named}.", named=named))
    lines.append(say("/score shows the figures. Size of moves, not their direction; data, not advice."))
    offers = [
        Offer(say("🔕 Stop {title}", title=shorten(one.title, 30)), f"/rules off {one.rule_id}")
        for one in idle[:MAX_OFFERS]
    ]
    title = (
        say_n(
            "Scorecard of the week: {n} rule adds nothing",
            "Scorecard of the week: {n} rules add nothing",
            len(idle),
        )
        if idle
        else say("Scorecard of the week")
    )
    return Week(title, "\n".join(lines), (*offers, Offer(say("📊 All rules"), "/score")))
