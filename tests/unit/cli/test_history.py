"""`oibot history` beside a store: what is shown, taken out and thrown away."""

import csv
import gzip
import io
import json

import pytest
from typer.testing import CliRunner

from bot.app.history_store import open_store
from bot.cli.history import history
from bot.clock import SystemClock
from bot.errors import ConfigError, StorageError
from bot.model.history import BAR_MS, COLUMNS
from tests.support.bars import DAY_MS, T0, minutes, rows_of

A, B = "binance:AUSDT", "binance:BUSDT"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "history"


@pytest.fixture
def filled(folder):
    with open_store(folder) as store:
        store.add(rows_of(minutes(A, 1, 120, volume=1.5) | minutes(B, 1, 60)), source="live")
        store.add(rows_of(minutes(A, 35 * 1440, 5)), source="live")
        store.add(rows_of(minutes(A, -44_640, 3, 7.0)), source="import:x")
    return folder


def ran(*arguments, answer=None):
    return CliRunner().invoke(history, arguments, catch_exceptions=False, input=answer)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_an_empty_store_says_so_and_what_will_be_kept(folder):
    said = ran("status").output
    assert "No bars are in the store yet." in said
    assert "OIBOT_HISTORY__DAYS=30: what the bot sees is kept for 30 days" in said


def test_without_a_data_folder_it_says_which_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no folder data"):
        ran("status")


def test_status_shows_each_kind_its_time_and_what_it_will_come_to(filled):
    said = ran("status").output
    live = next(line for line in said.splitlines() if line.startswith("seen by the bot"))
    assert live.split()[4:9] == ["2", "2026-01-01", "00:01", "2026-02-05", "00:04"]
    assert "imported" in said
    assert "for 30 days" in said
    found = json.loads(ran("status", "--json").output)
    kinds = {h["kind"]: h for h in found["holdings"]}
    assert (kinds["live"]["rows"], kinds["import"]["rows"]) == (185, 3)
    assert found["keep_days"] == 30
    assert found["bytes"] == sum(h["bytes"] for h in kinds.values())


def test_export_writes_what_is_known_by_contract_and_time(filled):
    found = rows(ran("export").output)
    assert list(found[0]) == ["time", "instrument", "close_ms", *COLUMNS]
    assert [(r["instrument"], r["close_ms"]) for r in found] == [
        *[(A, str(T0 + k * BAR_MS)) for k in range(-44_640, -44_637)],
        *[(A, str(T0 + k * BAR_MS)) for k in range(1, 121)],
        *[(A, str(T0 + k * BAR_MS)) for k in range(35 * 1440, 35 * 1440 + 5)],
        *[(B, str(T0 + k * BAR_MS)) for k in range(1, 61)],
    ]
    first = found[3]
    assert (first["time"], first["open"], first["close"], first["volume"]) == (
        "2026-01-01T00:01Z",
        "100",
        "100.5",
        "1.5",
    )
    assert first["oi"] == ""


def test_export_of_some_contracts_times_and_steps(filled, tmp_path):
    said = ran("export", "ausdt", "--from", "2026-01-01", "--to", "2026-01-01T00:10").output
    assert [r["close_ms"] for r in rows(said)] == [str(T0 + k * BAR_MS) for k in range(1, 11)]
    out = tmp_path / "bars.csv.gz"
    ran("export", A, "--step", "1h", "--from", "2026-01-01", "--to", "2026-01-02", "--out", str(out))
    found = rows(gzip.decompress(out.read_bytes()).decode())
    assert [(r["open"], r["close"], r["volume"]) for r in found] == [("100", "159.5", "90"), ("160", "219.5", "90")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "CUSDT"), "no bars of 'CUSDT'"),
        (("export", "--from", "2030-01-01"), "no bars of that time"),
        (("export", "--from", "soon"), "--from: expected a time such as"),
        (("export", "--step", "90s"), "--step: expected whole minutes"),
    ],
)
def test_what_cannot_be_exported_is_said(filled, arguments, said):
    with pytest.raises(ConfigError, match=said):
        ran(*arguments)


def test_a_file_that_cannot_be_written_is_said(filled, tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        ran("export", "--out", str(tmp_path / "none" / "x.csv"))


def test_prune_takes_what_the_bot_saw_long_ago_and_asks_before_it_takes_what_was_imported(filled):
    # Between the first and the last of what it saw.
    days = str((SystemClock().wall_ms() - T0) // DAY_MS - 20)
    assert "1 file with" in ran("prune", "--days", days).output
    assert ran("prune", "--days", days).output.startswith("nothing is older than")
    assert {r["instrument"] for r in rows(ran("export").output)} == {A}
    no = CliRunner().invoke(history, ["prune", "--imported-before", "2026-01-01"], input="n\n")
    assert no.exit_code == 1
    assert len(rows(ran("export").output)) == 8
    assert "1 file with" in ran("prune", "--days", "3650", "--imported-before", "2026-01-01", "--yes").output
    assert len(rows(ran("export").output)) == 5
