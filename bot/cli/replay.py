"""`oibot replay`: journals and kline files through the real engine, one JSON line per transition on standard output."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import settings
from bot.clock import SystemClock
from bot.engine.inputs import RulesChanged
from bot.errors import ConfigError, PayloadError
from bot.history import journal
from bot.history.klines import Klines, merge, read_klines, symbol_of
from bot.history.recorded_rules import rules_of
from bot.history.replay import paced, replay_journal, replay_klines
from bot.model.alert import Transition
from bot.rules.ast import series_used
from bot.rules.loader import RuleSet, load_folder
from bot.rules.problems import render_all
from bot.rules.schema import Rule

MAX_BLOCK = 1_000


def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Journals of one run in order, or kline CSV files (plain or gz).")
    ],
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Folder of rule files; else the journal's or yours.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Symbol, where the file's name does not tell it.")
    ] = None,
    block: Annotated[
        int, typer.Option("--block", min=1, max=MAX_BLOCK, help="Ticks of a journal to evaluate at a time.")
    ] = 1,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed", min=0.01, help="Journals: seconds of the recording per second; else as fast as it goes."
        ),
    ] = None,
) -> None:
    """Run recorded or published data again and print every transition as a JSON line."""
    notes = Console(stderr=True)
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        raise ConfigError(f"replay: no such file: {', '.join(missing)}")
    are_journals = [journal.is_journal(f) for f in files]
    if all(are_journals):
        transitions = _journals(files, rules, notes, block=block, speed=speed)
    elif any(are_journals):
        raise ConfigError("replay: expected journals or kline files, found both; replay them one after the other")
    elif block != 1 or speed is not None:
        raise ConfigError("replay: --block and --speed are for journals, found kline files; leave them out")
    else:
        transitions = _klines(files, rules, symbol, notes)
    n = 0
    for transition in transitions:
        sys.stdout.write(line(transition) + "\n")
        if speed is not None:
            sys.stdout.flush()
        n += 1
    sys.stdout.flush()
    notes.print(f"{n} transitions", style="dim")


def line(t: Transition) -> str:
    """One transition as JSON; key order and number format are fixed."""
    content = {
        "id": t.id or None,
        "rule": t.rule_id,
        "instrument": t.symbol,
        "venue": t.venue or None,
        "state": t.state.value,
        "at_ms": t.at_ms,
        "value": t.value,
    }
    return json.dumps(content, ensure_ascii=False)


def _journals(
    files: list[Path], rules_dir: Path | None, notes: Console, *, block: int, speed: float | None
) -> Iterator[Transition]:
    header, entries = journal.read_all(files)
    if speed is not None:
        entries = paced(entries, SystemClock(speed=speed))
    if rules_dir is None:
        return replay_journal(header, entries, rules_of(header.rule_files, header.destinations), n_block=block)
    # Other rules than the recorded ones are not changed where those were.
    kept = (entry for entry in entries if not isinstance(entry, RulesChanged))
    return replay_journal(header, kept, _load(rules_dir, notes).rules, n_block=block)


def _klines(files: list[Path], rules_dir: Path | None, symbol: str | None, notes: Console) -> Iterator[Transition]:
    found = _load(rules_dir or settings.load().rules_dir, notes)
    series = [_read(f, symbol, notes) for f in files]
    return replay_klines(merge(series), _without_blind(found.rules, notes))


def _read(path: Path, symbol: str | None, notes: Console) -> Klines:
    name = symbol or symbol_of(path)
    if name is None:
        raise PayloadError(
            f"{path}: expected a name like LINKUSDT-1m-2026-02.csv.gz to tell the symbol; give it with --symbol"
        )
    klines = read_klines(path, name)
    if klines.n_bad:
        notes.print(f"{path.name}: {klines.n_bad} rows left out", style="yellow", highlight=False)
        for text in klines.bad_rows:
            notes.print(f"  {text}", style="yellow", highlight=False, markup=False)
    return klines


def _load(folder: Path, notes: Console) -> RuleSet:
    if not folder.is_dir():
        raise ConfigError(f"--rules: expected a folder with rule files, found none at {folder}")
    found = load_folder(folder)
    if found.errors:
        notes.print(render_all(found.errors, style="text", colour=False), markup=False, highlight=False)
    if not found.rules:
        raise ConfigError(f"{folder}: no rule could be loaded")
    return found


def _without_blind(rules: tuple[Rule, ...], notes: Console) -> list[Rule]:
    """Rules that prices alone can answer. The others are left out: `stale(oi)`, being always known, would fire."""
    seeing = [r for r in rules if r.enabled and not (series_used(r.when) - {"price"} or r.scope.is_ranked)]
    blind = [r.id for r in rules if r.enabled and r not in seeing]
    if blind:
        notes.print(f"klines hold prices alone; left out: {', '.join(blind)}", style="yellow", highlight=False)
    return seeing
