"""What ends a command is told in a line, not by a traceback."""

import os
import sys

import pytest

from bot.cli.main import app_of, run_command
from bot.storage.schema import migrations

NOBODY = 65_534


@pytest.fixture
def as_another_user():
    """Root may look everywhere."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        yield
        os.seteuid(0)
    else:
        yield


@pytest.mark.parametrize("words", [("outbox", "list"), ("backup",), ("migrate",)])
def test_a_data_folder_of_another_user_is_named_with_what_to_do(tmp_path, monkeypatch, capsys, words, request):
    # All is loaded before, by whoever may.
    app_of(words[0])
    migrations()
    (tmp_path / "data").mkdir(mode=0)
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", ["oibot", *words])
    monkeypatch.chdir("/")
    request.getfixturevalue("as_another_user")
    with pytest.raises(SystemExit) as ended:
        run_command()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"oibot: {tmp_path / 'data'}")
    assert said.endswith(": Permission denied; run this as the user who runs the bot\n")
