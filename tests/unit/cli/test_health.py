"""`oibot health` believes a heartbeat only where it is one of now."""

import pytest
from typer.testing import CliRunner

from bot.app.data_dir import DataDir
from bot.app.health import Beat, write_beat
from bot.cli.main import app_of
from bot.clock import SystemClock


@pytest.fixture
def health(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def ask(*, written_s):
        write_beat(
            DataDir(tmp_path / "data").heartbeat, Beat(wall_ms=SystemClock().wall_ms() + written_s * 1000, n_ticks=7)
        )
        result = CliRunner().invoke(app_of(), ["health"])
        return result.exit_code, result.stdout

    return ask


def test_a_heartbeat_of_about_now_is_well(health):
    assert health(written_s=20) == (0, "ok: newest price 0.0 s old, 7 evaluations\n")


def test_one_of_long_ago_is_none(health):
    code, text = health(written_s=-3_600)
    assert code == 1
    assert text.startswith("no sign of life for 36")


def test_one_of_a_time_to_come_says_nothing(health):
    code, text = health(written_s=3_600)
    assert code == 1
    assert "s ahead of this clock, which went back or is another" in text
