"""How alerts fared, as replies and as the news of a week. Pure. Tables are at most 30 columns wide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, code, line, rows_of
from bot.model import numbers
from bot.model.scorecard import HORIZONS_MS, Extreme, HorizonTotals, Replies, RuleTotals, Totals, Verdict
from bot.model.view import Offer

MAX_RULES: Final = 12
MAX_OFFERS: Final = 5
UNKNOWN: Final = "–"
_EXPLAINED: Final = "% of random moments of the same contracts, within 12h of each alert, that moved less. 50% is chance; size, not direction."
_MARKS: Final = {Verdict.BETTER: "▲", Verdict.NO_BETTER: "○", Verdict.UNCLEAR: "?"}
NOTHING: Final = Reply(
    (line("Nothing is scored yet. An alert gets its first score after 15m; it can be compared after 16h."),)
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
        return NOTHING
    header = ("", "n", *(numbers.window(h) for h in HORIZONS_MS))
    rows = tuple(
        (
            f"{_MARKS[one.totals.verdict]} {one.title}",
            str(one.totals.n_alerts),
            *(_percent(h.more) for h in one.totals.horizons),
        )
        for one in rules[:MAX_RULES]
    )
    blocks: list[Line | Table] = [line(bold("How alerts fared")), Table(header, rows)]
    blocks += [line("▲ better than chance, ○ no better, ? too few to tell"), line(_EXPLAINED)]
    if len(rules) > MAX_RULES:
        blocks.append(line(f"and {len(rules) - MAX_RULES} rules more: /score RULE"))
    if replies is not None:
        blocks += [BLANK, line(replies_text(*replies))]
    buttons = [Button(shorten(one.title, 20), f"/score {one.rule_id}") for one in rules[:MAX_RULES]]
    return Reply(tuple(blocks), rows_of(buttons, 2))


def totals_page(name: str, found: Totals, *, rule_id: str = "") -> Reply:
    """One rule, one contract, or both."""
    if not found.n_alerts:
        return Reply((line("No alert of ", bold(shorten(name, 60)), " was scored yet."),))
    n = f"{found.n_alerts} alert{'' if found.n_alerts == 1 else 's'}"
    blocks: list[Line | Table] = [line(bold(shorten(name, 60)), f" · {n} since {_date(found.since_ms)}")]
    blocks += [_table(found.horizons), line(sentence(found)), line(_EXPLAINED)]
    blocks += [BLANK, *_extremes(found), *_quadrants(found)]
    buttons = [Button("All rules", "/score")]
    if rule_id:
        buttons.append(Button("Stop it here", f"/rules off {rule_id}"))
    return Reply(tuple(blocks), (tuple(buttons),))


def _table(horizons: Sequence[HorizonTotals]) -> Table:
    def row(label: str, *cells: str) -> tuple[str, ...]:
        return (label, *cells)

    return Table(
        ("After", *(numbers.window(h.horizon_ms) for h in horizons)),
        (
            row("known", *(str(h.n_known) for h in horizons)),
            row("typical", *(_times(h.typical_times) for h in horizons)),
            row("random", *(_times(h.random_times) for h in horizons)),
            row("more", *(_percent(h.more) for h in horizons)),
            row("from", *(_percent(h.low) for h in horizons)),
            row("to", *(_percent(h.high) for h in horizons)),
            row("up", *(_percent(h.up) for h in horizons)),
            row("random up", *(_percent(h.random_up) for h in horizons)),
        ),
    )


def sentence(found: Totals) -> str:
    """The verdict in plain words, with the figures that it rests on."""
    match found.verdict:
        case Verdict.BETTER:
            parts = [
                f"after {numbers.window(h.horizon_ms)} in {_percent(h.more)} of comparisons "
                f"({_percent(h.low)} to {_percent(h.high)}, {h.n_blocks} episodes)"
                for h in found.horizons
                if h.verdict is Verdict.BETTER
            ]
            return f"Better than chance: prices moved more than at random moments {', '.join(parts)}."
        case Verdict.NO_BETTER:
            most = max((h.high for h in found.horizons if h.high is not None), default=None)
            return f"No better than chance: whatever the horizon, at most {_percent(most)} of comparisons are larger."
    fewest = min((h.n_blocks for h in found.horizons), default=0)
    if not fewest:
        return "Too few to tell: no alert can be compared yet. That takes 16h, until its last random moment is over."
    n = f"{fewest} episode{'' if fewest == 1 else 's'} can be compared so far"
    return f"Too few to tell: {n}, and what fires together counts once."


def _extremes(found: Totals) -> list[Line]:
    """After the longest horizon of which any is known."""
    known = [h for h in found.horizons if h.best is not None]
    if not known:
        return []
    last = known[-1]
    after = numbers.window(last.horizon_ms)
    if last.best == last.worst and last.best is not None:
        return [line(f"The one known {after} after: ", *_extreme(last.best))]
    return [
        line(f"{name} {after} after: ", *_extreme(one))
        for name, one in (("Highest", last.best), ("Lowest", last.worst))
        if one is not None
    ]


def _extreme(one: Extreme) -> tuple[str, ...]:
    size = "" if one.times is None else f" ({one.times:.1f}×)"
    return (f"{shorten(one.symbol, 24)} {numbers.percent(one.change, digits=2)}{size} #{one.short_id}",)


def _quadrants(found: Totals) -> list[Line]:
    """`price up, OI up: 12, up after 1h in 7, down in 5, typically +0.12%`."""
    if not found.quadrants:
        return []
    lines = [line(bold("By what price and OI did, after 1h"))]
    lines += [
        line(
            f"{q.quadrant.value}: {q.n}, up in {q.n_up}, down in {q.n_down}, middle {numbers.percent(q.typical, digits=2)}"
        )
        for q in found.quadrants
    ]
    return lines


# -- replies under alerts ------------------------------------------------------------------------------------------------


def replies_text(replies: Replies, is_own: bool) -> str:
    """What this chat gets."""
    said = {
        "off": "Alerts here get no scorecard under them.",
        "quiet": "Alerts here get a scorecard under them, without a sound.",
        "on": "Alerts here get a scorecard under them, with a sound.",
    }[replies]
    return f"{said}{'' if is_own else ' So say the settings of the bot.'}"


def replies_page(replies: Replies, is_own: bool) -> Reply:
    shown = (("off", "Off"), ("quiet", "Quiet"), ("on", "With sound"))
    buttons = tuple(
        Button(f"{name} ✓" if value == replies else name, f"/score replies {value}") for value, name in shown
    )
    return Reply((line(replies_text(replies, is_own)),), (buttons,))


NOT_TOLD: Final = Reply((line("This chat is told no alerts, so there is nothing to set. /here changes that."),))


def unknown(word: str) -> Reply:
    return Reply((line("I know no rule and no contract ", code(shorten(word)), ". /score lists the rules."),))


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
    lines = [f"How the alerts of the rules fared, as of the week since {_date(since_ms)}."]
    lines += [
        f"{shorten(one.title, 60)} adds nothing. {sentence(one.totals)} /rules off {one.rule_id} stops it in a chat."
        for one in idle
    ]
    lines += [f"{shorten(one.title, 60)}: {sentence(one.totals)}" for one in better]
    if unclear:
        named = ", ".join(f"{shorten(one.title, 40)} ({one.totals.n_alerts})" for one in unclear[:MAX_RULES])
        lines.append(f"Too few to tell: {named}.")
    lines.append("/score shows the figures. Size of moves, not their direction; data, not advice.")
    offers = [Offer(f"🔕 Stop {shorten(one.title, 30)}", f"/rules off {one.rule_id}") for one in idle[:MAX_OFFERS]]
    title = "Scorecard of the week" if not idle else f"Scorecard of the week: {len(idle)} add nothing"
    if len(idle) == 1:
        title = "Scorecard of the week: one rule adds nothing"
    return Week(title, "\n".join(lines), (*offers, Offer("📊 All rules", "/score")))
