"""A process that was started with closed streams, as some supervisors do."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, os, sys
from bot.cli import with_standard_streams
with_standard_streams()
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print("for standard output")
print("for standard error", file=sys.stderr)
sys.stdout.flush()
with open(sys.argv[2], "w") as out:
    json.dump([opened, sys.stdin.read(), [s.fileno() for s in (sys.stdin, sys.stdout, sys.stderr)]], out)
"""


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path, closed):
    database, found = tmp_path / "database", tmp_path / "found"
    script = f'exec "$0" -c "$1" "$2" "$3" {closed}'
    command = ["sh", "-c", script, sys.executable, CODE, str(database), str(found)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened, read, numbers = json.loads(found.read_text())
    assert opened > 2
    assert (read, numbers) == ("", [0, 1, 2])
    assert database.read_bytes() == b""


@pytest.mark.parametrize(("command", "code"), [("run", 78), ("lint", 1)])
def test_what_is_wrong_ends_with_its_code_where_nothing_can_be_said(tmp_path, command, code):
    """Nothing may be printed on a full disk; a service manager still has to know that trying again is no use."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    wrong = environment | {"OIBOT_TELEGRAM__OWNER_ID": "nobody"}
    with open("/dev/full", "w", encoding="utf-8") as full_disk:
        done = subprocess.run(
            [sys.executable, "-m", "bot", command], cwd=tmp_path, env=wrong, stderr=full_disk, check=False
        )
    assert done.returncode == code
