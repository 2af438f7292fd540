"""How one process runs, apart from the settings, and the rules that it begins with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from bot.app.destinations import Plan
from bot.errors import ConfigError
from bot.model.updates import FeedStatus, Progress
from bot.rules.loader import RuleSet, load_folder
from bot.rules.surroundings import Surroundings
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
    """Where alerts go; None: as the rules folder and the settings say."""
    records: bool = False
    is_claimable: bool = False
    """The settings name no owner: whoever opens a link of `oibot claim` becomes it, and `run` ends then."""
    on_progress: Callable[[Progress], None] = lambda _: None
    on_feed: Callable[[FeedStatus], None] = lambda _: None
    on_ready: Callable[["Bot"], None] = lambda _: None
    on_stop: Callable[[], None] = lambda: None


def load_rules(settings: Settings, plan: Plan, *, surroundings: Surroundings | None = None) -> RuleSet:
    """The rule set of the settings' folder; raises `ConfigError` when there is none at all.

    With `surroundings`, it is also looked at in the world it runs in, which only adds warnings.
    """
    if not settings.rules_dir.is_dir():
        raise ConfigError(
            f"OIBOT_RULES_DIR: expected a folder with rule files, found none at {settings.rules_dir.absolute()}"
        )
    return load_folder(settings.rules_dir, destinations=plan.names, surroundings=surroundings)
