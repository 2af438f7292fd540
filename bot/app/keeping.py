"""Everything that cares for what is stored, put together: the watch, the daily upkeep, and their voice."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.app.committer import Committer
from bot.app.feed_news import FeedNews
from bot.app.memory import MemoryKeeper
from bot.app.storage_watch import StorageWatch
from bot.app.upkeep import Upkeep
from bot.clock import Clock
from bot.delivery.lanes import Lanes
from bot.delivery.notices import Notice, Notices, Words, said
from bot.storage.database import Opened
from bot.storage.key_values import SqliteKeyValues
from bot.texts import say

PROBE_KEY = "storage.probe"


@dataclass(frozen=True, slots=True)
class Keeping:
    """The parts."""

    notices: Notices
    watch: StorageWatch
    upkeep: Upkeep
    memory: MemoryKeeper
    feeds: FeedNews

    @classmethod
    def of(
        cls,
        opened: Opened,
        committer: Committer,
        lanes: Lanes,
        *,
        backups: Path,
        keep: int,
        clock: Clock,
        venue_now: Callable[[], int],
    ) -> "Keeping":
        """Everything for one open database. `backups` and `keep`: where they are, and how many."""
        notices = lanes.notices
        values = SqliteKeyValues(opened.database)
        watch = StorageWatch(
            trouble=opened.database.trouble,
            committer=committer,
            probe=lambda: values.put(PROBE_KEY, str(clock.wall_ms())),
            notices=notices,
            clock=clock,
        )
        upkeep = Upkeep(
            database=opened.database,
            folder=backups,
            keep=keep,
            clock=clock,
            venue_now=venue_now,
            tell=notices.tell,
        )
        return cls(notices, watch, upkeep, MemoryKeeper(clock), FeedNews(notices.tell, clock))

    def tell(self, news: Sequence[Words], *, aloud: Callable[[Notice], None] | None) -> None:
        """Tell what was found at the start; `aloud` also prints it."""
        for words in news:
            self.notices.tell(words)
            if aloud is not None:
                aloud(said(words))

    @property
    def components(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What the supervisor runs, by name."""
        return {
            "storage watch": self.watch.run,
            "upkeep": self.upkeep.run,
            "memory": self.memory.run,
            "feed news": self.feeds.run,
        }

    def troubles(self) -> tuple[str, ...]:
        """For `/status`: what is wrong, worst first."""
        return (*self.watch.lines(), *self.upkeep.lines())


def findings(opened: Opened) -> list[Words]:
    """What opening the database found, as news."""
    found: list[Words] = []
    if damage := opened.damage:
        found.append(
            lambda: Notice(say("The database was damaged"), say("Found at the start: {damage}.", damage=damage))
        )
    if doubt := opened.doubt:
        found.append(
            lambda: Notice(
                say("The last changes may be lost"), say("Found at the start: {doubt}.", doubt=doubt), "warning"
            )
        )
    return found
