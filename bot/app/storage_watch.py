"""Watches over what is stored: says once that it does not work, in plain words, and once that it does again.

Trouble is a call that the database refused, or a commit that hangs. It is over when a probe is stored, nothing waits and
nothing failed for a while; a damaged file stays trouble until the next start, which mends it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from bot import log
from bot.app.committer import Committer
from bot.clock import Clock
from bot.delivery.notices import Notice, Notices
from bot.errors import StorageError
from bot.model import numbers
from bot.storage.database import Trouble
from bot.texts import mark, say

CHECK_S: Final = 1.0
HUNG_S: Final = 10.0
PROBE_S: Final = 5.0
CALM_S: Final = 15.0
"""Without a failure for so long, it is over."""
AGAIN_S: Final = 600.0
"""What comes back sooner than this is told only when it lasts, so that nobody is told of every twitch."""
LASTS_S: Final = 60.0
HUNG: Final = "the disk does not answer"

DAMAGED: Final = "the file is damaged"

_WORDS: Final = (
    (DAMAGED, mark("the database is damaged; restart the bot, which puts the newest backup in its place")),
    ("disk is full", mark("the disk is full; free some space")),
    ("locked", mark("another program holds the database; stop it")),
    ("readonly", mark("the disk is read-only; look at the machine's log")),
    ("read-only", mark("the disk is read-only; look at the machine's log")),
    ("disk I/O error", mark("the disk reports errors; look at the machine's log and free some space")),
    ("not answer", mark("the disk does not answer; look at the machine's log")),
)

_log = log.get("storage")


def in_words(reason: str) -> str:
    """What a refusal means and what to do."""
    return next((say(words) for key, words in _WORDS if key in reason), reason)


class StorageWatch:
    """`run` is a component. `probe` stores a small value."""

    def __init__(
        self,
        *,
        trouble: Trouble,
        committer: Committer,
        probe: Callable[[], Awaitable[None]],
        notices: Notices,
        clock: Clock,
    ) -> None:
        self._trouble = trouble
        self._committer = committer
        self._probe = probe
        self._notices = notices
        self._clock = clock
        self._n_seen = trouble.n_failed
        self._since_s: float | None = None
        self._bad_s = 0.0
        self._ended_s: float | None = None
        self._probe_s = 0.0
        self._is_told = False
        self._is_damage_told = False

    def reason(self) -> str:
        """What is wrong, and what to do; empty when nothing is."""
        return in_words(self._reason())

    def _reason(self) -> str:
        if self._trouble.damage:
            return DAMAGED
        if self._since_s is None:
            return ""
        # A hung commit makes others fail in other words; it is the cause.
        return self._trouble.reason if self._trouble.n_failed else HUNG

    def lines(self) -> tuple[str, ...]:
        """For `/status`."""
        reason = self.reason()
        if not reason:
            return ()
        waiting = self._committer.n_waiting
        told = say("alerts are told from memory and would be forgotten at a stop")
        return (
            say(
                "Nothing can be stored: {reason}. Until then {consequence} ({n} changes wait).",
                reason=reason,
                consequence=told,
                n=waiting,
            ),
        )

    async def run(self) -> None:
        while True:
            await self._clock.sleep(CHECK_S)
            self._notices.look_again()
            await self._check()

    async def _check(self) -> None:
        now_s = self._clock.monotonic_ms() / 1000
        failed = self._trouble.n_failed > self._n_seen
        self._n_seen = self._trouble.n_failed
        if failed or self._committer.behind_s >= HUNG_S:
            self._bad_s = now_s
            if self._since_s is None:
                self._since_s, self._probe_s = now_s, now_s
                _log.error("storage.trouble", reason=self._trouble.reason or HUNG)
        if self._since_s is None:
            return
        self._say_trouble(now_s)
        if now_s - self._probe_s >= PROBE_S:
            self._probe_s = now_s
            try:
                await self._probe()
            except StorageError:
                return
        calm_s = self._clock.monotonic_ms() / 1000 - self._bad_s
        if calm_s >= CALM_S and not self._committer.is_behind and not self._trouble.damage:
            self._say_recovered(now_s)

    def _say_trouble(self, now_s: float) -> None:
        since_s = self._since_s if self._since_s is not None else now_s
        is_again = self._ended_s is not None and since_s - self._ended_s < AGAIN_S
        if self._trouble.damage and not self._is_damage_told:
            self._is_damage_told = self._is_told = True
        elif self._is_told or (is_again and now_s - since_s < LASTS_S):
            return
        self._is_told = True
        reason = self._reason()
        self._notices.tell(lambda: _trouble(reason))

    def _say_recovered(self, now_s: float) -> None:
        lasted_ms = (now_s - (self._since_s or now_s)) * 1000
        lost = self._committer.n_lost
        _log.info("storage.recovered", after_s=round(lasted_ms / 1000, 1), lost=lost)
        if self._is_told:
            self._notices.tell(lambda: _recovered(lasted_ms, lost))
        self._since_s, self._is_told, self._ended_s = None, False, now_s


def _trouble(reason: str) -> Notice:
    text = say(
        "Reason: {reason}.\nI go on watching and telling, from memory: should the bot stop now, what it learned meanwhile is forgotten.",
        reason=in_words(reason),
    )
    return Notice(say("Nothing can be stored"), text)


def _recovered(lasted_ms: float, n_lost: int) -> Notice:
    rest = (
        say("{n} changes did not fit into memory and are not in the history.", n=n_lost)
        if n_lost
        else say("Nothing is lost.")
    )
    text = say(
        "After {duration}, all that waited has been stored. {rest}", duration=numbers.duration(lasted_ms), rest=rest
    )
    return Notice(say("Storing works again"), text, "info")
