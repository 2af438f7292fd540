"""`oibot lint` tells all problems and ends with the code that scripts rely on."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.lint import lint

SOUND = "rules:\n  - id: a\n    when: pct(oi, 15m) > 5%\n"
DOUBTFUL = "rules:\n  - id: b\n    when: pct(oi, 15m) > 5\n"
WRONG = "rules:\n  - id: c\n    when: pct(oi, 15m) =>\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(lint)
    monkeypatch.chdir(tmp_path)

    def run(content, *options):
        Path("rules").mkdir(exist_ok=True)
        Path("rules/my.yaml").write_text(content)
        return CliRunner().invoke(app, list(options))

    return run


@pytest.mark.parametrize(
    ("content", "options", "code", "summary"),
    [
        (SOUND, (), 0, "1 rule, 0 errors, 0 warnings"),
        (SOUND, ("--strict",), 0, "1 rule, 0 errors, 0 warnings"),
        (DOUBTFUL, (), 0, "1 rule, 0 errors, 1 warning"),
        (DOUBTFUL, ("--strict",), 3, "1 rule, 0 errors, 1 warning"),
        (WRONG, (), 1, "0 rules, 1 error, 0 warnings"),
        (WRONG, ("--strict",), 1, "0 rules, 1 error, 0 warnings"),
    ],
)
def test_the_exit_code_tells_errors_from_warnings(run, content, options, code, summary):
    result = run(content, *options)
    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == summary


def test_the_folder_of_the_settings_is_read_when_no_file_is_named(run):
    result = run(WRONG)
    assert result.stdout.startswith("rules/my.yaml:3:24: error[E201]: ")
    assert "\x1b" not in result.stdout


def test_named_files_and_folders_are_read_together(run, tmp_path):
    (tmp_path / "other.yaml").write_text(SOUND.replace("5%", "6%"))
    result = run(SOUND, "other.yaml", "rules")
    assert result.exit_code == 1
    assert 'rules/my.yaml:2:9: error[E110]: the id "a" is taken; first in other.yaml:2' in result.stdout


def test_programs_get_json_and_nothing_else(run):
    result = run(DOUBTFUL, "--format", "json")
    assert [problem["code"] for problem in json.loads(result.stdout)] == ["W301"]
    assert run(SOUND, "--format", "github").stdout == ""


def test_a_missing_file_is_an_error_and_no_traceback(run):
    result = run(SOUND, "none.yaml")
    assert result.exit_code == 1
    assert "none.yaml:1:1: error[E115]: cannot read the file" in result.stdout
