"""The unit: the checked-in file is the program's own, says what it should, and systemd's tools agree where they are."""

import ctypes
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from bot.app.service_unit import Places, is_as_written, quoted, unit_text
from bot.cli.run import EXIT_CONFIG

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "deploy" / "oibot.service"
MAX_EXPOSURE = 1.5
PR_SET_MDWE = 65
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


class Unit(ConfigParser):
    """A unit, with every value of a key that stands several times."""

    def __init__(self, text: str) -> None:
        super().__init__(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str
        self.text = text
        self.read_string(text)

    def all(self, key: str) -> list[str]:
        return [line.partition("=")[2] for line in self.text.splitlines() if line.startswith(f"{key}=")]


@pytest.fixture
def unit() -> Unit:
    return Unit(SHIPPED.read_text(encoding="utf-8"))


@pytest.fixture
def users() -> Unit:
    return Unit(unit_text(Places.user("/home/ann/oibot/.venv/bin/oibot")))


def test_the_checked_in_unit_is_what_the_command_writes_for_the_guides_folder():
    assert SHIPPED.read_text(encoding="utf-8") == unit_text(Places.system("/opt/oibot/.venv/bin/oibot"))


def test_a_stuck_bot_is_restarted_and_a_misconfigured_one_is_not(unit):
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) == 60
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", "a night without a network must not end the watch"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {2, EXIT_CONFIG}
    assert service["OOMPolicy"] == "continue", "a backtest that takes too much must not end the watch"
    assert int(service["TimeoutStopSec"]) >= 15, "the bot itself takes ten seconds at most"


def test_secrets_come_as_credentials_and_stand_in_no_unit(unit):
    assert unit.all("LoadCredential") == ["oibot:/etc/oibot/credentials"]
    assert "OIBOT_SECRETS_DIR=%d" in unit.all("Environment")
    assert "TOKEN" not in unit.text


def test_data_is_where_the_state_directory_is(unit):
    assert unit["Service"]["StateDirectory"] == "oibot"
    assert unit["Service"]["WorkingDirectory"] == "/var/lib/oibot"
    assert any("OIBOT_DATA_DIR=/var/lib/oibot " in line for line in unit.all("Environment"))


def test_a_persons_unit_asks_for_nothing_that_only_root_may_give(users):
    for key in (
        "DynamicUser",
        "StateDirectory",
        "ProtectSystem",
        "PrivateUsers",
        "CapabilityBoundingSet",
        "LoadCredential",
    ):
        assert users.all(key) == [], key
    assert users["Install"]["WantedBy"] == "default.target"
    assert users["Service"]["NoNewPrivileges"] == "yes", "the filter of system calls needs it"
    assert "OIBOT_SECRETS_DIR=%E/oibot/credentials" in users.all("Environment")


def test_a_change_by_hand_is_seen_and_an_older_versions_text_is_not_one():
    text = unit_text(Places.system("/opt/oibot/.venv/bin/oibot"))
    assert is_as_written(text)
    assert not is_as_written(text.replace("MemoryMax=800M", "MemoryMax=2G"))
    assert not is_as_written("[Unit]\nDescription=my own\n")
    assert not is_as_written("")
    header, _, body = text.partition("# sha256:")
    assert not is_as_written(f"{header}# sha256:{'0' * 64}\n{body.partition(chr(10))[2]}")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/opt/oibot/bin/oibot", "/opt/oibot/bin/oibot"),
        ("/opt/my bots/oibot", '"/opt/my bots/oibot"'),
        ("/opt/100%/oibot", "/opt/100%%/oibot"),
        ('/opt/a"b\\c/oibot', '"/opt/a\\"b\\\\c/oibot"'),
    ],
)
def test_a_path_is_quoted_as_systemd_reads_it(path, written):
    assert quoted(Path(path)) == written


@needs_systemd
def test_the_exposure_is_low():
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", SHIPPED],
        check=False,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    [line] = [line for line in said.stdout.splitlines() if "Overall exposure level" in line]
    assert float(line.split(":")[1].split()[0]) <= MAX_EXPOSURE, said.stdout


@needs_systemd
@pytest.mark.parametrize("program", ["/bin/true", '"/tmp/my bots/oibot"'])
def test_systemd_understands_every_line(tmp_path, program):
    path = tmp_path / "oibot.service"
    path.write_text(unit_text(Places.system(program)), encoding="utf-8")
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", path], check=False, capture_output=True, text=True)
    complaints = [line for line in said.stderr.splitlines() if "oibot.service" in line and "not executable" not in line]
    assert complaints == []


def test_the_bot_runs_where_memory_cannot_be_written_and_executed():
    """As under `MemoryDenyWriteExecute`: everything that is imported and everything that ctypes is used for."""
    code = (
        "import mmap, sys\n"
        "try:\n"
        "    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
        "    sys.exit(77)\n"
        "except OSError:\n"
        "    pass\n"
        "import bot.sim.venue\n"
        "from bot.cli.main import app_of\n"
        "from bot.app.memory import give_back, keep_small\n"
        "app_of(), keep_small(), give_back()\n"
    )
    deny = f"import ctypes, os, sys; sys.exit(76) if ctypes.CDLL(None).prctl({PR_SET_MDWE}, 1, 0, 0, 0) else os.execv(sys.executable, [sys.executable, '-c', {code!r}])"
    said = subprocess.run([sys.executable, "-c", deny], cwd=ROOT, check=False, capture_output=True, text=True)
    if said.returncode in {76, 77} or not hasattr(ctypes.CDLL(None), "prctl"):
        pytest.skip("this kernel cannot forbid it for a process (before Linux 6.3)")
    assert said.returncode == 0, said.stderr
