"""`/backtest`: a rule over the recorded history, as a job with progress. One at a time for each chat."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.chat import backtest_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.chart_actions import read_span
from bot.chat.commands import Command, shorten
from bot.chat.durations import joined
from bot.chat.reply import Button, Reply, line, refusal
from bot.chat.rule_words import near_rules, near_run, rule_among
from bot.chat.symbols import Books, ListsInstruments
from bot.model.backtests import BacktestAsked, BacktestDesk, BacktestRun
from bot.model.charts import DAY_MS, HOUR_MS
from bot.model.explanation import RuleName
from bot.model.instrument import Instrument
from bot.texts import say

N_OFFERED: Final = 4
MAX_CHARS: Final = 200
MAX_SYMBOLS: Final = 20
_NO_CONTRACTS: Final = frozenset({"for", "over", "of", "with", "last", "past", "and", "&"})
"""Words between a rule, contracts and a length of time."""
_BETWEEN: Final = frozenset({"in", "on"})
"""As well, where they are no contracts: these are written large."""
DEFAULT_DAYS: Final = 30.0
MAX_DAYS: Final = 400
LOOK_S: Final = 1.5
"""Between two looks at how far it is."""
SHOWN_STEP: Final = 0.2
"""Share that has to be done for the message to be changed: each change is a request, in a chat that has few to spare."""


class BacktestActions:
    """Answers `/backtest`."""

    def __init__(
        self,
        desk: BacktestDesk,
        rules: Callable[[str], Sequence[RuleName]],
        number_of: Callable[[str, str], float | None],
        market: ListsInstruments,
    ) -> None:
        """`rules`: that a chat may know of; `number_of`: the number that a chat has set for a rule, None where it has none of its own."""
        self._desk = desk
        self._rules = rules
        self._number_of = number_of
        self._books = Books(market)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"backtest": self.answer}

    async def answer(self, command: Command, asker: Asker) -> Reply:
        """`/backtest RULE [SYMBOL …] [30d]`, `/backtest cancel`, `/backtest`"""
        words = command.words
        if not words:
            return self._last(asker)
        if words[0].casefold() in {"cancel", "stop"} and len(words) == 1:
            done = self._desk.cancel(asker.chat)
            return Reply((line(say("Cancelled.") if done else say("No backtest is running here.")),))
        asked = self._read(words, asker)
        if isinstance(asked, Reply):
            return asked
        run = self._desk.start(asker.chat, asked)
        if isinstance(run, str):
            before = self._desk.last(asker.chat)
            buttons = ((Button(say("Show it"), "/backtest"), Button(say("Cancel it"), "/backtest cancel")),)
            is_running = before is not None and before.found is None
            return replace(refusal(say("Not now: {reason}.", reason=say(run))), buttons=buttons if is_running else ())
        return self._shown(run)

    def _last(self, asker: Asker) -> Reply:
        run = self._desk.last(asker.chat)
        return backtest_pages.nothing_yet(self._rules(asker.chat)) if run is None else self._shown(run)

    def _shown(self, run: BacktestRun) -> Reply:
        if run.found is not None:
            return backtest_pages.ended_page(run)
        return replace(backtest_pages.progress_page(run), later=lambda: _follow(run))

    def _read(self, words: Sequence[str], asker: Asker) -> BacktestAsked | Reply:
        rules = self._rules(asker.chat)
        rule, name, more = _rule_among(joined(words), rules)
        if rule is None:
            near = near_rules(name, rules) or [one for one in rules if one.is_on][:N_OFFERED]
            buttons = tuple((Button(one.title, " ".join(("/backtest", one.id, *more))[:MAX_CHARS]),) for one in near)
            return replace(refusal(say('There is no rule "{name}".', name=shorten(name))), buttons=buttons)
        spans = [word for word in more if read_span(word) is not None]
        span_ms = read_span(spans[0]) if spans else None
        days = DEFAULT_DAYS if span_ms is None else span_ms / DAY_MS
        wrong = ""
        if len(spans) > 1:
            wrong = say("I expected one length of time, such as 30d, and found {found}.", found=", ".join(spans))
        elif not HOUR_MS / DAY_MS <= days <= MAX_DAYS:
            wrong = say("A backtest spans 1h to {days}d.", days=MAX_DAYS)
        elif len(more) > MAX_SYMBOLS + 1:
            wrong = say("That is {n} symbols; I take up to {most} at once.", n=len(more) - len(spans), most=MAX_SYMBOLS)
        if wrong:
            example = f"/backtest {rule.id} 30d"
            return replace(refusal(wrong), buttons=((Button(example, example),),))
        symbols = tuple(dict.fromkeys(self._symbol(word) for word in more if word not in spans))
        return BacktestAsked(rule.id, rule.title, days, symbols, self._number_of(asker.chat, rule.id))

    def _symbol(self, typed: str) -> str:
        """Of a contract that is listed; else as typed, since the history holds others too, and takes patterns."""
        found = self._books.now().resolve(typed)
        return found.symbol if isinstance(found, Instrument) else typed.lstrip("$").upper()


def _rule_among(words: Sequence[str], rules: Sequence[RuleName]) -> tuple[RuleName | None, str, list[str]]:
    """The rule, whose name may be of several words; what was typed for it, or for one that is near; all other words."""
    found = rule_among(words, rules)
    if found is not None:
        rule, (start, end) = found
        return rule, rule.title, _parted((*words[:start], *words[end:]))
    start, end = near_run(words, rules) or (0, 1)
    return None, " ".join(words[start:end]), _parted((*words[:start], *words[end:]))


def _parted(words: Sequence[str]) -> list[str]:
    """Contracts and lengths of time, without the words between them."""
    parts = [part.strip(".;!\"'") for word in words for part in word.split(",")]
    kept = [part for part in parts if part and part not in _BETWEEN and part.casefold() not in _NO_CONTRACTS]
    # There is a contract THE.
    return [one for k, one in enumerate(kept) if one != "the" or not any(map(read_span, kept[k + 1 : k + 2]))]


def _is_running(run: BacktestRun) -> bool:
    return run.found is None


async def _follow(run: BacktestRun) -> AsyncIterator[Reply]:
    """How far it is, now and then, and at last what came of it."""
    before, share = run.n_before, run.share
    while _is_running(run):
        await run.wait(LOOK_S)
        if _is_running(run) and (run.n_before != before or run.share >= share + SHOWN_STEP):
            before, share = run.n_before, run.share
            yield backtest_pages.progress_page(run)
    yield backtest_pages.ended_page(run)
