"""Conditions of chats as rules. Light: processes that read the history need it too."""

import glob
from collections.abc import Sequence
from typing import Final

from bot.model.chat_rule import ChatRule
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule, Scope

TYPES: Final = ("perpetual", "tradfi", "delivery")
QUOTES: Final = ("USDT", "USDC", "USD", "BUSD", "FDUSD", "BTC", "ETH", "BNB", "EUR")


def rule_of(one: ChatRule, *, symbols: Sequence[str] | None = None) -> Rule:
    """The rule that a condition is; with `symbols` for those alone. Raises `ValueError` for one that is none (any more)."""
    parsed = parse_condition(one.when)
    if parsed.expr is None or any(fault.is_error for fault in parsed.faults):
        said = parsed.faults[0].message if parsed.faults else "nothing"
        raise ValueError(f"{one.id}: {one.when!r}: expected a condition of the rule language, found {said}")
    named = one.symbols if symbols is None else tuple(symbols)
    if named:
        scope = Scope(symbols=tuple(glob.escape(s) for s in named), types=TYPES, quotes=QUOTES)
    else:
        scope = Scope(top=one.top)
    return Rule(
        id=one.id,
        when=parsed.expr,
        name=f"{one.when} · {one.note}" if one.note else one.when,
        scope=scope,
        for_ms=one.for_ms,
        cooldown_ms=one.cooldown_ms,
        repeat_ms=one.repeat_ms,
        once=one.once,
        notify=(one.chat,),
        silent=one.silent,
    )
