"""A process that was started with closed streams, as some supervisors do."""

import json
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
