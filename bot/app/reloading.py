"""Changed files of the rules folder, taken while the bot runs: all of them or nothing.

The folder is looked at every two seconds, and at once when somebody asks. A change is taken when nothing has moved between
two looks. Reading, checking and compiling happen in a thread; what remains for the loop is one step between two ticks. With
an error the old rules and destinations run on, and the owner is told once for each content.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot import log
from bot.app.background import in_background, yielding
from bot.app.destinations import Plan
from bot.app.extra_rules import ExtraRules
from bot.app.live import Live
from bot.app.loading import Loaded, load, refusals
from bot.app.routing import Routes
from bot.app.sending import Sending
from bot.clock import Clock
from bot.delivery.notices import Notice, Words
from bot.errors import ConfigError
from bot.model import numbers
from bot.model.reload import ReloadReport
from bot.rules.files import folder_mark
from bot.rules.problems import Problem, render
from bot.settings import Settings
from bot.texts import mark, say, say_n

LOOK_EVERY_S: Final = 2.0
SETTLE_S: Final = 0.5
"""Between two looks where somebody asked."""
MAX_LOOKS: Final = 20
"""Somebody who asked is told after so many looks that files are still being written."""
FAILED: Final = mark("Rules on disk were not taken")
TAKEN: Final = mark("Rules were reloaded")

_log = log.get("rules")


# Whoever asks and whoever is told may read other languages than another: words are made there.
_Lines = Callable[[], tuple[str, ...]]
_Report = Callable[[], ReloadReport]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What lies on the disk and cannot run."""

    digest: str
    since_ms: int
    lines: _Lines

    @property
    def first(self) -> str:
        return self.lines()[0]


class Reloader:
    """The `Reloads` port, and a component."""

    def __init__(
        self,
        *,
        loaded: Loaded,
        folder: Path,
        settings: Callable[[], Settings],
        fixed: Plan | None,
        extra: ExtraRules,
        live: Live,
        sending: Sending,
        settle: Callable[[Plan], Awaitable[Routes]],
        clock: Clock,
        delivers: bool,
        tell: Callable[[Words], None],
        on_taken: Callable[[Loaded], None],
    ) -> None:
        """Prepare.

        Args:
            loaded: What runs now.
            folder: Of rules.
            settings: The settings with the secrets as they are now; called in a thread.
            fixed: Destinations that no file describes; None: they are read with the rules.
            extra: Where rules change, with those that do not come from files.
            live: Where routes change.
            sending: Where destinations change.
            settle: The routes of a plan, with the chats that moved.
            clock: Of looks.
            delivers: False where nothing is told: then secrets need not be there.
            tell: Told what the owner should know.
            on_taken: Told what runs from now on, at the moment of the change.
        """
        self._running = loaded
        self._folder = folder
        self._settings = settings
        self._fixed = fixed
        self._extra = extra
        self._live = live
        self._sending = sending
        self._settle = settle
        self._clock = clock
        self._delivers = delivers
        self._tell = tell
        self._on_taken = on_taken
        self._seen = loaded.mark
        """The folder as it was when it was last taken or refused."""
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[_Report]] = []
        self._failure: _Failure | None = None
        if loaded.errors:
            errors = loaded.errors
            self._failure = _Failure(loaded.digest, clock.wall_ms(), lambda: _shown(errors))
        self.n_taken = 0
        self.n_refused = 0

    # -- asking --------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Look soon; nobody waits for the answer."""
        self._asked.set()

    async def reload(self) -> ReloadReport:
        """Look now, wait until nobody writes, take it or say why not."""
        answer: asyncio.Future[_Report] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._asked.set()
        report = await answer
        return report()

    @property
    def running(self) -> Loaded:
        """What runs now."""
        return self._running

    def troubles(self) -> tuple[str, ...]:
        """For `/status`."""
        if self._failure is None:
            return ()
        since = numbers.clock_time(self._failure.since_ms)
        return (
            say(
                "The rules on disk have an error since {since}: {first}. Others run than lie there.",
                since=since,
                first=self._failure.first,
            ),
        )

    # -- looking -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look until cancelled."""
        last = self._seen
        while True:
            is_asked = await self._pause()
            mark = await self._mark()
            if is_asked:
                await self._answer()
            elif mark == last != self._seen:
                await self._take(mark, is_heard=False)
            last = mark

    async def _pause(self) -> bool:
        """Whether somebody asks."""
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(LOOK_EVERY_S):
                await self._asked.wait()
        is_asked = self._asked.is_set()
        self._asked.clear()
        return is_asked

    async def _mark(self) -> str:
        return await in_background("rules folder", lambda: folder_mark(self._folder))

    async def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            report = await self._settled(is_heard=bool(waiting))
        except BaseException:
            self._waiting += waiting
            self._asked.set()
            raise
        for answer in waiting:
            if not answer.done():
                answer.set_result(report)

    async def _settled(self, *, is_heard: bool) -> _Report:
        mark = await self._mark()
        for _ in range(MAX_LOOKS):
            await self._clock.sleep(SETTLE_S)
            before, mark = mark, await self._mark()
            report = await self._take(mark, is_heard=is_heard) if mark == before else None
            if report is not None:
                return report
        return _unsettled

    # -- taking --------------------------------------------------------------------------------------------------

    async def _take(self, mark: str, *, is_heard: bool) -> _Report | None:
        """Take what lies there; None where it moved meanwhile. `is_heard`: somebody gets the report."""
        try:
            found = await in_background("rules", self._read)
            if found is None or found.wanted.mark != mark:
                return None
            self._seen = mark
            if found.errors:
                errors = found.errors
                failure = _Failure(found.wanted.digest, self._since_ms(), lambda: _shown(errors))
                return self._refuse(failure, is_heard=is_heard)
            return await self._switch(found, is_heard=is_heard)
        except Exception as error:  # noqa: BLE001, whatever it is, the old set runs on
            self._seen = mark
            if not isinstance(error, ConfigError):
                _log.exception("rules.failed")
            return self._refuse(_Failure(mark, self._since_ms(), _failing(error)), is_heard=is_heard)

    def _read(self) -> "_Found | None":
        """In a thread: everything that takes time or may fail."""
        settings = self._settings()
        with yielding():
            wanted = load(settings, plan=self._fixed, asks_secrets=self._delivers)
            errors = refusals(wanted, self._running)
        return _Found(settings, wanted, errors) if folder_mark(self._folder) == wanted.mark else None

    def _since_ms(self) -> int:
        return self._clock.wall_ms() if self._failure is None else self._failure.since_ms

    def _refuse(self, failure: _Failure, *, is_heard: bool) -> _Report:
        is_known = self._failure is not None and self._failure.digest == failure.digest
        self._failure = failure
        self.n_refused += 1
        if not is_known:
            _log.warning("rules.not_reloaded", reason=failure.first)
        if not (is_known or is_heard):
            self._tell(lambda: Notice(say(FAILED), "\n".join(_refusal(failure)), "warning"))
        return lambda: ReloadReport(is_taken=False, lines=(say("{text}.", text=say(FAILED)), *_refusal(failure)))

    async def _switch(self, found: "_Found", *, is_heard: bool) -> _Report:
        before, wanted = self._running, found.wanted
        switch = await self._sending.prepare(wanted.plan, found.settings)
        routes = await self._settle(wanted.plan)
        # From here on nothing waits: all of it between the same two ticks.
        self._extra.reloaded(wanted)
        self._live.routes = routes
        self._sending.switch(switch)
        self._running, self._failure = wanted, None
        self._on_taken(wanted)
        self.n_taken += 1
        changes, n_rules = _changes(before, wanted, frozenset(d.name for d in switch.made)), len(wanted.rules.rules)
        _log.info("rules.reloaded", changed=changes() or "nothing", rules=n_rules)
        if changes() and not is_heard:
            self._tell(lambda: Notice(say(TAKEN), say("{text}.", text=changes()), "info"))
        return lambda: ReloadReport(is_taken=True, lines=(_taken(changes(), n_rules),))


@dataclass(frozen=True, slots=True)
class _Found:
    """The folder as it was read."""

    settings: Settings
    wanted: Loaded
    errors: tuple[Problem, ...]


def _shown(errors: Sequence[Problem]) -> tuple[str, ...]:
    """The first error with its line and caret, and how many more there are."""
    head, *excerpt = log.redact(render(errors[0])).split("\n")
    more = len(errors) - 1
    n_more = (
        (say_n("{n} more error: oibot lint shows all.", "{n} more errors: oibot lint shows all.", more),)
        if more
        else ()
    )
    return (head, *(f"    {text}" for text in excerpt), *n_more)


def _failing(error: Exception) -> _Lines:
    if isinstance(error, ConfigError):
        text = log.redact(str(error))
        return lambda: (text,)
    name = type(error).__name__
    return lambda: (say("it failed by {error}", error=name),)


def _refusal(failure: _Failure) -> tuple[str, ...]:
    return (*failure.lines(), say("What ran before runs on."))


def _taken(changed: str, n_rules: int) -> str:
    return (
        say("Rules were reloaded: {changed}.", changed=changed)
        if changed
        else say("Nothing changed: {n} rules.", n=n_rules)
    )


def _unsettled() -> ReloadReport:
    return ReloadReport(is_taken=False, lines=(say("The rule files are being written; ask again in a moment."),))


def _changes(before: Loaded, after: Loaded, remade: frozenset[str]) -> Callable[[], str]:
    """What says `+2 ~1 -0 rules, +0 ~1 -0 destinations`; empty where nothing changed."""
    rules = _counts({r.id: r for r in before.rules.rules}, {r.id: r for r in after.rules.rules})
    old, new = ({d.name: (d, False) for d in one.plan.everywhere} for one in (before, after))
    places = _counts(old, {name: (d, name in remade and name in old) for name, (d, _) in new.items()})
    is_reordered = not (rules or places) and before.rules.rules != after.rules.rules
    return lambda: say("another order of rules") if is_reordered else _counted(rules, places)


def _counted(rules: str, places: str) -> str:
    parts = [say("{counts} rules", counts=rules)] if rules else []
    return ", ".join((*parts, *([say("{counts} destinations", counts=places)] if places else [])))


def _counts(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    n_new, n_gone = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    n_changed = sum(before[name] != after[name] for name in before.keys() & after.keys())
    return f"+{n_new} ~{n_changed} -{n_gone}" if n_new or n_changed or n_gone else ""
