"""The process that reads the history for one question of a chat. It ends with the bot, runs behind everything else on the machine,
answers in one line of JSON, and gives up where it takes more memory than it may.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from bot.app.conditions import rule_of
from bot.app.history_store import open_store
from bot.app.past_desk import DailyOrder, Order, PastWord, RehearsalOrder
from bot.errors import BotError
from bot.history.asking import History
from bot.history.long_rehearsal import rehearse_long
from bot.history.long_view import daily_past
from bot.model.rehearsal import Rehearsed, merged
from bot.rules.ast import functions_used
from bot.rules.loader import load_folder
from bot.rules.numbers import OVER_SCOPE
from bot.rules.schema import Rule
from bot.worker import begin, give_up_beyond, peak_mb

TURNS: Final = (("oi_top", True), ("oi_bottom", False))
"""Rules that find tops (True) and bottoms."""


def main() -> None:
    """`argv[1]` is the bot's process id; the first line of the input an `Order`."""
    out = begin(int(sys.argv[1]))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)

    def end(word: PastWord) -> None:
        rest = memoryview(msgspec.json.encode(msgspec.structs.replace(word, peak_mb=round(peak_mb(), 1))) + b"\n")
        while rest:
            rest = rest[out.write(rest) :]

    give_up_beyond(order.memory_mb)
    try:
        end(work(order))
    except BotError as error:
        end(PastWord(error=str(error)[:300]))
    except Exception as error:  # noqa: BLE001, told to the bot
        end(PastWord(error=f"{type(error).__name__}: {error}"[:300]))


def work(order: Order) -> PastWord:
    """Answer. Raises `BotError`."""
    with open_store(Path(order.folder)) as store:
        match order:
            case DailyOrder():
                rules = turn_rules([Path(one) for one in order.rule_dirs])
                return PastWord(daily=daily_past(store, rules, order.key, order.from_ms, order.to_ms))
            case RehearsalOrder():
                return PastWord(rehearsed=rehearsed(store, order))


def rehearsed(store: History, order: RehearsalOrder) -> dict[str, Rehearsed]:
    """By id, one instrument after the other: each is read once."""
    found: dict[str, list[Rehearsed]] = {}
    for key in order.keys:
        symbol = key.rpartition(":")[2]
        rules = [rule_of(one, symbols=(symbol,)) for one in order.rules]
        # One instrument says nothing of a place among all.
        rules = [rule for rule in rules if not functions_used(rule.when) & {*OVER_SCOPE, "count"}]
        alerts = [one for one in order.alerts if one.instrument == key]
        for id_, told in rehearse_long(store, alerts, rules, key, order.from_ms, order.to_ms).items():
            found.setdefault(id_, []).append(replace(told, last_symbol=symbol))
    return {id_: merged(told) for id_, told in found.items()}


def turn_rules(folders: list[Path]) -> tuple[tuple[bool, Rule], ...]:
    """Those for tops and for bottoms, each from the first folder that has it for single contracts."""
    found: dict[str, Rule] = {}
    for folder in folders:
        for rule in load_folder(folder).rules if folder.is_dir() else ():
            if rule.per == "symbol":
                found.setdefault(rule.id, rule)
    return tuple((is_top, found[id_]) for id_, is_top in TURNS if id_ in found)


if __name__ == "__main__":
    main()
