"""How one process runs, apart from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from bot.app.destinations import Plan
from bot.model.updates import FeedStatus, Progress
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.app.bot import Bot


@dataclass(frozen=True, slots=True)
class Options:
    """How this process runs, apart from the settings."""

    console: Console
    reads_terminal: bool = False
    """Answer commands typed into the terminal."""
    delivers: bool = True
    """False for `oibot record`: nothing is told."""
    plan: Plan | None = None
    """Where alerts go, whatever lies in the rules folder; None: as that and the settings say."""
    reread: Callable[[], Settings] | None = None
    """The settings with the secrets as they are now, for a reload."""
    records: bool = False
    is_claimable: bool = False
    """The settings name no owner: whoever opens a link of `oibot claim` becomes it, and `run` ends then."""
    opens_dashboard: bool = False
    """Pages without a login, where only this machine can reach them: for a demo."""
    on_web: Callable[[str], None] = lambda _: None
    """Gets the address at which pages and figures are served, once they are."""
    on_progress: Callable[[Progress], None] = lambda _: None
    on_feed: Callable[[FeedStatus], None] = lambda _: None
    on_ready: Callable[["Bot"], None] = lambda _: None
    on_stop: Callable[[], None] = lambda: None
