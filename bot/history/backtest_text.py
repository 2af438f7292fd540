"""A backtest as lines for a terminal, and as JSON and CSV for programs."""

import csv
import io
import json
import math
from datetime import UTC, datetime
from typing import Any, Final

from bot.history.backtest import Backtest, RuleResult
from bot.history.chance import LEVEL, Comparison
from bot.history.outcomes import CAP
from bot.history.playing import Fired
from bot.history.sweep import Solved, Sweep, written
from bot.history.verdicts import rate, signed, span, span_text, verdict
from bot.model.instrument import MARKET
from bot.model.numbers import window
from bot.rules.ast import text

N_SYMBOLS: Final = 10
_UNITS: Final = (
    "moves are in units of the contract's usual (median) move over the same time; one of more than "
    f"{CAP:.0f} counts as {CAP:.0f}"
)


def lines_of(found: Backtest) -> list[str]:
    """All of a run, for a person."""
    asked = found.asked
    lines = [
        f"{_when(asked.from_ms)} to {_when(asked.to_ms)} UTC, {rate(asked.n_days, 1)} days, {len(asked.keys)} "
        f"contract{'s' * (len(asked.keys) != 1)}, bars of {window(found.facts.step_ms)}"
        + (f", open interest every {window(found.facts.oi_step_ms)}" if found.facts.oi_step_ms else ""),
    ]
    lines += [f"  {line}" for line in finding_lines(found)]
    for result in found.rules:
        lines += ["", *_rule_lines(result, found)]
    if len(found.rules) > 1:
        lines += ["", f"All rules in one chat: {_messages(found.messages.n, found.messages.n_together, asked.n_days)}"]
    if any(result.looks and result.fired for result in found.rules):
        lines += ["", *footnotes(found)]
    return lines


def finding_lines(found: Backtest) -> list[str]:
    """What the bars cannot answer, and what they answer otherwise than live; what holds for several rules stands once."""
    lines = []
    for is_left_out, begin in ((True, "left out: "), (False, "")):
        rules_of: dict[str, list[str]] = {}
        for one in found.findings:
            if one.is_left_out == is_left_out:
                rules_of.setdefault(one.text, []).append(one.rule_id)
        by_rules: dict[tuple[str, ...], list[str]] = {}
        for said, rules in rules_of.items():
            by_rules.setdefault(tuple(rules), []).append(said)
        lines += [f"{begin}{', '.join(rules)}: {'; '.join(said)}" for rules, said in by_rules.items()]
    return lines


def footnotes(found: Backtest) -> list[str]:
    """How to read the figures."""
    note = f"seed {found.asked.seed}; {_UNITS}"
    if found.n_looks <= 1:
        return [note]
    share = (1 - LEVEL) * 100
    looks = (
        f"{found.n_looks} comparisons were made: one in {100 / share:.0f} of the 95% intervals misses by chance alone, so "
        f"the sentences count only what holds at {100 - share / found.n_looks:.2f}%"
    )
    return [note, looks]


def _rule_lines(result: RuleResult, found: Backtest) -> list[str]:
    rule, n, days = result.rule, len(result.fired), found.asked.n_days
    lines = [f"{rule.id}: {text(rule.when)}", f"  {n} firing{'s' * (n != 1)}, {rate(n / days, 2)} a day"]
    if not n:
        return lines
    if result.per_symbol[0][0] != MARKET:
        named = [f"{symbol} {k}" for symbol, k in result.per_symbol[:N_SYMBOLS]]
        more = len(result.per_symbol) - N_SYMBOLS
        lines.append(f"  on {', '.join(named)}" + (f" and {more} more" if more > 0 else ""))
    day, most = max(result.per_day, key=lambda x: x[1])
    n_days = len(result.per_day)
    lines.append(f"  on {n_days} day{'s' * (n_days != 1)}, most on {_when(day)[:10]} ({most})")
    if result.burst is not None and result.burst.n > 1:
        burst = result.burst
        lines.append(f"  longest burst: {burst.n} from {_when(burst.from_ms)} to {_when(burst.to_ms)[11:]}")
    lines.append(f"  {_messages(result.messages.n, result.messages.n_together, days)}")
    lines += [f"  {line}" for line in _look_lines(result)]
    lines.append(f"  Verdict: {verdict(result, found.n_looks)}.")
    return lines


def _messages(n: int, n_together: int, days: float) -> str:
    together = f", {n_together} of them about several alerts" if n_together else ""
    return f"{n} message{'s' * (n != 1)} after cooldown and digest, {rate(n / days, 2)} a day{together}"


def _look_lines(result: RuleResult) -> list[str]:
    if not result.looks:
        return []
    rows = [("after", "known", "size", "random", "difference", "95% interval", "direction", "95% interval")]
    for look in result.looks:
        size, way = look.size, look.signed
        rows.append(
            (
                span(look),
                str(size.n),
                _number(size.at_firings),
                _number(size.at_random),
                *_columns(size),
                *_columns(way),
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _columns(found: Comparison) -> tuple[str, str]:
    if not found.is_enough:
        return (signed(found.difference) if found.n else "–"), "too few to tell"
    low, high = found.interval()
    return signed(found.difference), f"{signed(low)} to {signed(high)}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


# -- sweeps ----------------------------------------------------------------------------------------------------------


def sweep_lines(sweep: Sweep, found: Backtest) -> list[str]:
    """One row per number."""
    spans = [span(look) for look in max((r.looks for r in found.rules), key=len, default=())]
    rows = [(sweep.measure, "fires", "a day", "messages a day", *(f"after {one}" for one in spans))]
    days = found.asked.n_days
    for value, result in zip(sweep.values, found.rules, strict=True):
        n = len(result.fired)
        cells = [_cell(look.size, found.n_looks) for look in result.looks] or ["–"] * len(spans)
        rows.append((written(value), str(n), rate(n / days, 2), rate(result.messages.n / days, 2), *cells))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    legend = (
        "after: size of the move less that at random moments, with its 95% interval; * beyond chance, allowing for all "
        f"{found.n_looks} comparisons of this table"
    )
    return [
        *table,
        legend,
        *footnotes(found)[:1],
        "The best row of many looks better than it is: what a sweep finds on one stretch has to hold on another.",
    ]


def sweep_rows(sweep: Sweep, found: Backtest) -> list[dict[str, Any]]:
    """The same for programs; the firings are those of rules called such as `oi_surge@5%`."""
    return [
        {"number": value.value, "text": written(value), "rule": result.rule.id, "firings": len(result.fired)}
        for value, result in zip(sweep.values, found.rules, strict=True)
    ]


def solved_row(measure: str, wanted: str, solved: Solved) -> dict[str, Any]:
    """The answer to how often, for programs."""
    return {
        "measure": measure,
        "wanted": wanted,
        "number": solved.number.value,
        "text": written(solved.number),
        "per_day": solved.per_day,
        "is_met": solved.is_met,
        "tried": [{"number": number.value, "per_day": per_day} for number, per_day in solved.tried],
    }


def _cell(found: Comparison, n_looks: int) -> str:
    if not found.is_enough:
        return "too few"
    low, high = found.interval()
    return f"{signed(found.difference)} [{signed(low)}, {signed(high)}]{'*' if found.sign(n_looks) else ' '}"


def target_lines(rule_id: str, measure: str, wanted: str, solved: Solved) -> list[str]:
    """What number to take."""
    said = f"{rule_id}: {measure} at {written(solved.number)} fires {rate(solved.per_day, 2)} a day (wanted: {wanted})"
    if not solved.is_met:
        return [f"{rule_id}: even {written(solved.number)}, the hardest tried, fires {rate(solved.per_day, 2)} a day"]
    return [said]


# -- for programs ----------------------------------------------------------------------------------------------------


def settings_of(found: Backtest) -> dict[str, Any]:
    """What was run, so that it can be run again."""
    asked = found.asked
    return {
        "from_ms": asked.from_ms,
        "to_ms": asked.to_ms,
        "instruments": [i.symbol for i in found.instruments],
        "step_ms": found.facts.step_ms,
        "oi_step_ms": found.facts.oi_step_ms,
        "seed": asked.seed,
        "comparisons": found.n_looks,
        "rules": [
            {
                "id": r.rule.id,
                "when": text(r.rule.when),
                "clear": None if r.rule.clear is None else text(r.rule.clear),
                "for_ms": r.rule.for_ms,
                "cooldown_ms": r.rule.cooldown_ms,
            }
            for r in found.rules
        ],
        "notes": [{"rule": f.rule_id, "left_out": f.is_left_out, "text": f.text} for f in found.findings],
    }


def firings_of(found: Backtest) -> list[dict[str, Any]]:
    """Each firing with what followed, by time."""
    rows: list[dict[str, Any]] = []
    for result in found.rules:
        rows += [_firing(one, place, result) for place, one in enumerate(result.fired)]
    order = {result.rule.id: place for place, result in enumerate(found.rules)}
    return sorted(rows, key=lambda row: (row["at_ms"], order[row["rule"]]))


def _firing(one: Fired, place: int, result: RuleResult) -> dict[str, Any]:
    return {
        "rule": one.rule_id,
        "instrument": one.symbol,
        "at_ms": one.at_ms,
        "value": one.value,
        "id": one.id,
        "after": {
            span(look): {"move": _known(look.after.move[place]), "usual_moves": _known(look.after.size[place])}
            for look in result.looks
        },
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def summary_of(found: Backtest) -> list[dict[str, Any]]:
    """What came of each rule."""
    return [
        {
            "rule": r.rule.id,
            "firings": len(r.fired),
            "per_day": len(r.fired) / found.asked.n_days,
            "per_symbol": dict(r.per_symbol),
            "messages": r.messages.n,
            "longest_burst": 0 if r.burst is None else r.burst.n,
            "verdict": verdict(r, found.n_looks),
            "after": {
                span(look): {
                    "size": _comparison(look.size),
                    "direction": _comparison(look.signed),
                    "size_for_the_day": _comparison(look.adjusted),
                }
                for look in r.looks
            },
        }
        for r in found.rules
    ]


def _comparison(found: Comparison) -> dict[str, Any]:
    low, high = found.interval()
    return {
        "n": found.n,
        "blocks": found.n_blocks,
        "at_firings": _known(found.at_firings),
        "at_random": _known(found.at_random),
        "difference": _known(found.difference),
        "low": _known(low),
        "high": _known(high),
    }


def json_of(found: Backtest, **more: object) -> str:
    """Settings, firings, summary."""
    content = {"settings": settings_of(found), "firings": firings_of(found), "summary": summary_of(found), **more}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def csv_of(found: Backtest) -> str:
    """One line per firing; empty cells are unknown."""
    spans = [span_text(ms) for ms in sorted({look.after.after_ms for r in found.rules for look in r.looks})]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["rule", "instrument", "at_ms", "value", "id", *(f"move_{s}" for s in spans)])
    for row in firings_of(found):
        moves = [row["after"].get(s, {}).get("move") for s in spans]
        writer.writerow(
            [row["rule"], row["instrument"], row["at_ms"], _cell_of(row["value"]), row["id"], *map(_cell_of, moves)]
        )
    return out.getvalue()


def _cell_of(value: float | None) -> str:
    return "" if value is None else repr(value)
