"""`oibot history import`: what is typed, what is said, and the code with which it ends."""

import json

import pytest
from typer.testing import CliRunner

from bot.cli import history_import
from bot.cli.history import history
from bot.errors import ConfigError
from tests.support.dumps import KLINES, METRICS, kline, metric, put, text_of


@pytest.fixture
def dumps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "dumps"
    put(folder / "LINKUSDT-1m-2026-02.csv", text_of([KLINES, *map(kline, range(60)), "oops"]))
    put(folder / "LINKUSDT-metrics-2026-02-01.csv", text_of([METRICS, *map(metric, range(12))]))
    return folder


def ran(*arguments):
    return CliRunner().invoke(history, ["import", *map(str, arguments)], catch_exceptions=False)


def test_a_folder_is_taken_in_and_each_fault_is_named(dumps):
    found = ran(dumps)
    assert found.exit_code == 0
    said = found.stdout
    assert "2 files taken in" in said
    assert "klines   1      1            60" in said
    assert "1 rows left out" in said
    assert "LINKUSDT-1m-2026-02.csv:62: expected 12 fields" in said
    assert "2 there already" in ran(dumps).stdout
    status = json.loads(CliRunner().invoke(history, ["status", "--json"]).stdout)
    (held,) = status["holdings"]
    assert (held["kind"], held["rows"], held["loose_parts"]) == ("import", 61, 0)


def test_the_report_is_there_for_programs(dumps):
    found = json.loads(ran(dumps, "--json").stdout)
    assert found["files"] == {"taken": 2, "known": 0, "unread": 0}
    assert (found["rows"], found["instruments"]) == (72, ["binance:LINKUSDT"])
    assert found["faults"]["bad"] == 1
    assert [r["file"] for r in found["reports"]] == ["LINKUSDT-1m-2026-02.csv", "LINKUSDT-metrics-2026-02-01.csv"]


def test_a_dry_run_changes_nothing(dumps, tmp_path):
    assert "2 files would be taken in" in ran(dumps, "--dry-run").stdout
    assert not (tmp_path / "data").exists()


def test_where_nothing_can_be_read_the_code_is_1(tmp_path, dumps):
    bad = put(tmp_path / "x.csv", b"hello\n")
    found = ran(bad)
    assert found.exit_code == 1
    assert "1 not readable" in found.stdout
    assert "x.csv" in found.stdout


def test_ctrl_c_keeps_what_was_read_and_says_how_to_go_on(dumps, monkeypatch):
    class Pressed(history_import.StopFlag):
        n = 0

        def __call__(self):
            self.n += 1
            return self.n > 1

    with monkeypatch.context() as patched:
        patched.setattr(history_import, "StopFlag", Pressed)
        found = ran(dumps)
    assert found.exit_code == 130
    assert "Stopped after 1 of 2 files; the same command goes on from there." in found.stderr
    assert "1 files taken in; 1 there already" in ran(dumps).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.csv"], "no such file or folder: nowhere.csv"),
        (["."], None),
        (["dumps", "--symbol", "no symbol"], "--symbol: expected a contract"),
        (["dumps", "--form", "trades"], "--form: expected one of"),
        (["dumps", "--lag", "soon"], "--lag: expected a time"),
    ],
)
def test_what_means_nothing_is_said(dumps, arguments, says):
    if says is None:
        assert ran(*arguments).exit_code == 0
        return
    with pytest.raises(ConfigError, match=says):
        ran(*arguments)


def test_a_folder_without_such_files_is_said(tmp_path, dumps):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="found none in empty"):
        ran("empty")
