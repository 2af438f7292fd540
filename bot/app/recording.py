"""The journal of a run: what its header says, and how large it may grow."""

import contextlib
from pathlib import Path

from bot.app.extra_rules import ExtraRules
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.history.journal import Header, JournalWriter
from bot.settings import Settings


def open_journal(
    folder: Path,
    settings: Settings,
    engine: Engine,
    extra: ExtraRules,
    clock: Clock,
    *,
    records: bool,
    stack: contextlib.AsyncExitStack,
) -> JournalWriter | None:
    """A journal that begins with what the engine is now, and is closed with `stack`; None where nothing is to be recorded."""
    if not (settings.record.enabled or records):
        return None

    def header(*, continues: bool = True) -> Header:
        return Header(
            step_ms=engine.market.fine_ms,
            rule_files=extra.texts,
            destinations=sorted(extra.destinations),
            instruments=list(engine.market.universe.items()),
            records=list(engine.records()),
            alerts=list(engine.subscriptions.alerts()),
            continues=continues,
        )

    journal = JournalWriter(
        folder,
        header=header(continues=False),
        refresh=header,
        started_ms=clock.wall_ms(),
        rotate_bytes=settings.record.rotate_mb * 1_000_000,
        max_bytes=settings.record.max_mb * 1_000_000,
    )
    stack.callback(journal.close)
    return journal
