"""`oibot send-test` sends to whom it is told and ends with the code that scripts rely on."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.send_test import send_test
from bot.errors import ConfigError

TWO = """
destinations:
  screen: {kind: console, default: true}
  pager: {kind: webhook, url: "http://127.0.0.1:9/x", secret: secret:key}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(send_test)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_SECRETS__KEY", "0123456789abcdef")
    Path("rules").mkdir()
    Path("rules/destinations.yaml").write_text(TWO)
    return lambda *options: CliRunner().invoke(app, list(options))


def test_one_that_works(run):
    result = run("screen")
    assert result.exit_code == 0
    assert "a test message to screen, nothing happened" in result.stdout
    assert "ok screen          printed" in result.stdout
    assert "pager" not in result.stdout


def test_main_is_the_default_one(run):
    result = run("main")
    assert result.exit_code == 0
    assert "screen          printed" in result.stdout
    assert "pager" not in result.stdout


def test_all_of_them_and_one_that_fails(run):
    result = run()
    assert result.exit_code == 1
    assert "printed" in result.stdout
    assert "FAIL pager           not delivered: the webhook cannot be reached" in result.stdout


def test_a_name_that_there_is_not(run):
    error = run("pagr").exception
    assert isinstance(error, ConfigError)
    assert str(error) == """no destination is called 'pagr'; did you mean "pager"?"""


def test_a_file_with_errors_is_told_and_nothing_sent(run, monkeypatch):
    monkeypatch.delenv("OIBOT_SECRETS__KEY")
    result = run("screen")
    assert isinstance(result.exception, ConfigError)
    assert "E119" in str(result.exception)
    assert result.stdout == ""
