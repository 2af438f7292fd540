"""`/rules`: the rules of the files, what they did today, and what is wrong with the files."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, clean, shorten
from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, code, line, rows_of
from bot.chat.why import find_rule, near_rules
from bot.model import numbers
from bot.model.explanation import RuleName
from bot.model.instrument import MARKET
from bot.model.rules_seen import RuleSeen, RulesReader, RulesSeen

PAGE_ROWS: Final = 10
MAX_PROBLEMS: Final = 3
MAX_TEXT: Final = 300
MAX_FIRING: Final = 6


class RulesActions:
    """Answers the command."""

    def __init__(self, rules: RulesReader) -> None:
        self._rules = rules

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"rules": self.answer}

    async def answer(self, command: Command, _asker: Asker) -> Reply:
        """`/rules [PAGE]`, `/rules RULE`"""
        seen = await self._rules.rules_seen()
        if not command.words or command.words[0].isdecimal():
            return list_page(seen, int(command.words[0]) if command.words else 1)
        names = [RuleName(rule.id, rule.title, is_on=rule.is_on) for rule in seen.rules]
        found = find_rule(command.words[0], names)
        if found is None:
            near = near_rules(command.words[0], names)
            buttons = [Button(one.id, f"/rules {one.id}") for one in near] or [Button("All rules", "/rules")]
            return Reply((line("I don't know the rule ", code(shorten(command.words[0])), "."),), rows_of(buttons, 2))
        return rule_page(next(rule for rule in seen.rules if rule.id == found.id))


def list_page(seen: RulesSeen, page: int) -> Reply:
    """Ten rules, and what is wrong with the files."""
    n_pages = max(1, -(-len(seen.rules) // PAGE_ROWS))
    page = min(max(page, 1), n_pages)
    first = (page - 1) * PAGE_ROWS
    shown = seen.rules[first : first + PAGE_ROWS]
    n_on = sum(rule.is_on for rule in seen.rules)
    of = f" · page {page} of {n_pages}" if n_pages > 1 else ""
    off = f" · {len(seen.rules) - n_on} off" if n_on < len(seen.rules) else ""
    blocks: list[Line | Table] = [line(bold(f"Rules · {n_on} on{off}"), of)]
    blocks += [line(f"⚠️ {shorten(clean(text), MAX_TEXT)}") for text in seen.problems[:MAX_PROBLEMS]]
    if len(seen.problems) > MAX_PROBLEMS:
        blocks.append(line(f"… and {len(seen.problems) - MAX_PROBLEMS} more: oibot lint shows them all."))
    if not shown:
        blocks.append(line("No rules are loaded."))
        return Reply(tuple(blocks))
    rows = tuple(_row(n, rule) for n, rule in enumerate(shown, first + 1))
    blocks.append(Table(("", "now", "today"), rows))
    numbered = [Button(str(n), f"/rules {rule.id}") for n, rule in enumerate(shown, first + 1)]
    turns = [Button("‹ Back", f"/rules {page - 1}")] if page > 1 else []
    turns.append(Button("↻", f"/rules {page}"))
    turns += [Button("Next ›", f"/rules {page + 1}")] if page < n_pages else []
    return Reply(tuple(blocks), (*rows_of(numbered, 5), tuple(turns)))


def _row(n: int, rule: RuleSeen) -> tuple[str, str, str]:
    if not rule.is_on:
        return f"{n:>2} ☐  {rule.title}", "off", ""
    now = str(len(rule.firing)) if rule.firing else "·"
    return f"{n:>2} ✅ {rule.title}", now, str(rule.n_today)


def rule_page(rule: RuleSeen) -> Reply:
    """One rule: its condition, and where it fires."""
    held = f" has held for {numbers.duration(rule.for_ms)}" if rule.for_ms else ""
    where = "over the whole market" if rule.per_market else "for each contract of its scope"
    blocks = [
        line(bold(rule.title), f" · {rule.id}"),
        line("Fires when ", code(shorten(rule.condition, MAX_TEXT)), held),
        line(f"{rule.severity.capitalize()}, {where}."),
        BLANK,
    ]
    back = (Button("‹ All rules", "/rules"),)
    if not rule.is_on:
        blocks.append(line("It is switched off: its file says ", code("enabled: false"), "."))
        return Reply(tuple(blocks), (back,))
    pending = f" · {rule.n_pending} pending" if rule.n_pending else ""
    blocks.append(line(f"{len(rule.firing)} firing{pending} · {rule.n_today} today"))
    return Reply(tuple(blocks), (*rows_of(_firing(rule), 3), back))


def _firing(rule: RuleSeen) -> Sequence[Button]:
    if rule.per_market:
        return [Button("Why", f"/why {rule.id}")]
    return [Button(key.partition(":")[2], f"/why {key} {rule.id}") for key in rule.firing[:MAX_FIRING] if key != MARKET]
