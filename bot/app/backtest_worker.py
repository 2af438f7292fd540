"""The process that runs a backtest for a chat. It ends with the bot, runs behind everything else on the machine, says how far it is
in lines of JSON, and gives up where it takes more memory than it may.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bot.app.backtests import Order, Word
from bot.app.history_store import open_store
from bot.errors import BotError, ConfigError
from bot.history.asking import Wanted, only, settle
from bot.history.backtest import backtest
from bot.history.backtest_answer import answer_of
from bot.model.backtests import BacktestAnswer
from bot.rules.forms import with_number
from bot.rules.loader import load_folder
from bot.worker import begin, give_up_beyond, peak_mb

STEP: Final = 0.02
"""Share that has to be done since the last word for another."""
_PREFIX: Final = "backtest: "


def main() -> None:
    """`argv[1]` is the bot's process id; the first line of the input an `Order`."""
    out = begin(int(sys.argv[1]))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)

    def say(word: Word) -> None:
        out.write(msgspec.json.encode(word) + b"\n")

    def finish(word: Word) -> None:
        say(msgspec.structs.replace(word, peak_mb=round(peak_mb(), 1)))

    give_up_beyond(order.memory_mb, say=lambda: finish(Word(error=_too_large(order.memory_mb))))
    try:
        word = Word(1.0, work(order, _teller(say)))
    except BotError as error:
        word = Word(error=str(error).removeprefix(_PREFIX).removeprefix("--symbols: ")[:300])
    except MemoryError:
        word = Word(error=_too_large(order.memory_mb))
    except Exception as error:  # noqa: BLE001, told to the bot
        word = Word(error=f"{type(error).__name__}: {error}"[:300])
    finish(word)


def work(order: Order, tell: Callable[[float], None]) -> BacktestAnswer:
    """Run it. Raises `BotError`."""
    asked = order.asked
    (rule,) = only(load_folder(Path(order.rules_dir)).rules, [asked.rule_id])
    if asked.number is not None:
        try:
            rule = with_number(rule, asked.number)
        except ValueError as error:
            raise ConfigError(f"{rule.id}: {error}") from None
    with open_store(Path(order.folder)) as store:
        settled, bars, _ = settle(store, Wanted(symbols=asked.symbols, days=asked.days))
        found = backtest(bars, [rule], settled, progress=tell)
        return answer_of(found, bars, asked_days=asked.days)


def _teller(say: Callable[[Word], None]) -> Callable[[float], None]:
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        if share >= told + STEP:
            told = share
            say(Word(share))

    return tell


def _too_large(memory_mb: int) -> str:
    return f"it would take more than {memory_mb} MB of memory; ask for fewer days or name contracts"


if __name__ == "__main__":
    main()
