"""What `/backtest` says: how far a run is, what came of it, and what can be asked."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, code, line
from bot.model.backtests import BacktestAnswer, BacktestAsked, BacktestRun
from bot.model.explanation import RuleName
from bot.texts import say

MAX_CHARS: Final = 980
"""Of a message over a picture Telegram takes 1,024."""
MAX_NOTES: Final = 3
CELLS: Final = 10


def days_text(days: float) -> str:
    """`30d`, `12h`."""
    return f"{days:g}d" if days >= 1 else f"{days * 24:g}h"


def name_of(asked: BacktestAsked) -> str:
    """`OI surge, 30d`."""
    symbols = f" {' '.join(asked.symbols[:3])}{' …' * (len(asked.symbols) > 3)}" if asked.symbols else ""
    return f"{asked.title}{symbols}, {days_text(asked.days)}"


def again(asked: BacktestAsked) -> str:
    """The command that asks for the same."""
    return " ".join(("/backtest", asked.rule_id, *asked.symbols, days_text(asked.days)))


def progress_page(run: BacktestRun) -> Reply:
    """While it waits or runs."""
    head = line(say("Backtest of"), " ", bold(name_of(run.asked)))
    cancel = ((Button(say("Cancel"), "/backtest cancel"),),)
    if run.n_before:
        waiting = say("{n} before it in the line.", n=run.n_before)
        return Reply((head, line(waiting)), cancel, is_interim=True)
    n = int(run.share * CELLS)
    bar = "▓" * n + "░" * (CELLS - n)
    return Reply((head, line(code(bar), f" {run.share:.0%}")), cancel, is_interim=True)


def ended_page(run: BacktestRun) -> Reply:
    """What came of it, or why nothing did."""
    found = run.found
    if isinstance(found, BacktestAnswer):
        return _answer_page(run.asked, found)
    retry = ((Button(say("Again"), again(run.asked)),),)
    reason = say(found) if found else ""
    return Reply((line(say("Backtest of"), " ", bold(name_of(run.asked)), f": {reason}."),), retry, is_refusal=True)


def _answer_page(asked: BacktestAsked, found: BacktestAnswer) -> Reply:
    n_days = (found.to_ms - found.from_ms) / 86_400_000
    period = say("{first} to {last} UTC", first=_when(found.from_ms), last=_when(found.to_ms))
    blocks: list[Line | Table] = [line(say("Backtest of"), " ", bold(name_of(asked)))]
    blocks += [line(code(found.condition))] if found.condition else []
    blocks.append(line(period))
    if n_days < 0.95 * found.asked_days:
        held = say(
            "The history holds {n_days:.1f} of the {asked:g} days asked for.", n_days=n_days, asked=found.asked_days
        )
        blocks.append(line(held))
    blocks += [line(f"{text[0].upper()}{text[1:]}.") for text in found.facts]
    if found.table:
        header, *rows = found.table
        units = say("Moves in units of the contract's usual one; random: same contracts, period and hours of day.")
        blocks += [Table(header, tuple(rows)), line(units)]
    if found.verdict:
        blocks += [BLANK, line(bold(say("Verdict")), f": {found.verdict}.")]
    notes = found.notes[:MAX_NOTES]
    head = say("It cannot be run here") if not found.condition else say("Unlike live")
    blocks += [line(f"{head}: {'; '.join(notes)}.")] if notes else []
    _cut(blocks)
    buttons = tuple(Button(label, again_in(asked, days)) for label, days in (("7d", 7.0), ("30d", 30.0), ("90d", 90.0)))
    return Reply(tuple(blocks), (buttons,), picture=found.chart)


def again_in(asked: BacktestAsked, days: float) -> str:
    return " ".join(("/backtest", asked.rule_id, *asked.symbols, days_text(days)))


def _cut(blocks: list[Line | Table]) -> None:
    """Shorter sentences from the end on, until a picture may stand over it."""
    for place in range(len(blocks) - 1, 0, -1):
        too_many = sum(map(_length, blocks)) - MAX_CHARS
        block = blocks[place]
        if too_many <= 0 or isinstance(block, Table):
            continue
        text = "".join(span.text for span in block.spans)
        keep = len(text) - too_many - 2
        blocks[place] = line(f"{text[:keep]}…") if keep > 20 else BLANK


def _length(block: Line | Table) -> int:
    if isinstance(block, Table):
        return 31 * (1 + len(block.rows))
    return 1 + sum(len(span.text) for span in block.spans)


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def nothing_yet(rules: Sequence[RuleName]) -> Reply:
    """Asked for without words, where nothing ran."""
    some = [rule for rule in rules if rule.is_on][:6]
    buttons = [Button(rule.title, f"/backtest {rule.id} 30d") for rule in some]
    text = say("Which rule? It is run over the recorded history, and what followed is compared with random moments.")
    return Reply((line(text),), tuple(tuple(buttons[i : i + 2]) for i in range(0, len(buttons), 2)))
