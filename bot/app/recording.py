"""The journal of a run: what its header says, and how large it may grow."""

from collections.abc import Callable
from pathlib import Path

from bot.app.extra_rules import ExtraRules
from bot.app.loading import Loaded
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.history.journal import Header, JournalWriter
from bot.settings import Settings


def open_journal(
    folder: Path, settings: Settings, engine: Engine, extra: ExtraRules, loaded: Callable[[], Loaded], clock: Clock
) -> JournalWriter:
    """A journal that begins with what the engine is now. `loaded`: the files when it is asked."""

    def header(*, continues: bool = True) -> Header:
        now = loaded()
        return Header(
            step_ms=engine.market.fine_ms,
            rule_files=extra.texts,
            destinations=sorted(now.plan.names),
            instruments=list(engine.market.universe.items()),
            records=list(engine.records()),
            alerts=list(engine.subscriptions.alerts()),
            continues=continues,
        )

    return JournalWriter(
        folder,
        header=header(continues=False),
        refresh=header,
        started_ms=clock.wall_ms(),
        rotate_bytes=settings.record.rotate_mb * 1_000_000,
        max_bytes=settings.record.max_mb * 1_000_000,
    )
