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


# -- destinations ------------------------------------------------------------------------------------------------------

NAMING = "rules:\n  - id: a\n    when: pct(oi, 15m) > 5%\n    notify: [screen, oops]\n"
DESTINATIONS = "destinations:\n  screen: {kind: console, default: true}\n  oops: {kind: sms}\n"


def test_destinations_are_checked_together_with_the_rules_and_give_their_names(run):
    Path("rules").mkdir()
    Path("rules/destinations.yaml").write_text(DESTINATIONS)
    result = run(NAMING)
    assert result.exit_code == 1
    assert 'rules/destinations.yaml:3:16: error[E106]: "sms" is no kind' in result.stdout
    assert "E112" not in result.stdout, "a destination that is wrong is told once, at its place"
    assert result.stdout.splitlines()[-1] == "1 rule, 1 error, 0 warnings"


def test_without_that_file_the_names_are_those_of_the_settings(run):
    result = run(NAMING)
    assert result.stdout.count("error[E112]") == 2
    assert "there are: console, main" in result.stdout


def test_the_destinations_beside_named_files_count(run):
    Path("rules").mkdir()
    Path("rules/destinations.yaml").write_text("destinations: {screen: {kind: console, default: true}}")
    Path("other").mkdir()
    Path("other/destinations.yaml").write_text(DESTINATIONS.replace("sms", "console"))
    Path("other/some.yaml").write_text(NAMING)
    assert run(SOUND, "other").stdout.splitlines()[-1] == "1 rule, 0 errors, 0 warnings"
    alone = run(SOUND, "other/destinations.yaml")
    assert alone.stdout.splitlines()[-1] == "0 rules, 0 errors, 0 warnings"
    assert "E112" in run(SOUND, "other/some.yaml").stdout


def test_a_secret_that_is_not_set_is_an_error(run, monkeypatch):
    Path("rules").mkdir()
    Path("rules/destinations.yaml").write_text(
        "destinations: {a: {kind: webhook, url: 'https://x.org', secret: secret:key, default: true}}"
    )
    assert "error[E119]: secret:key is not set: set OIBOT_SECRETS__KEY" in run(SOUND).stdout
    monkeypatch.setenv("OIBOT_SECRETS__KEY", "0123456789abcdef")
    assert run(SOUND).exit_code == 0
