"""What many tests share: recordings, rules from text, instruments, and a watch over secrets.

Every test runs with the real log at DEBUG, and fails where a secret gets into it, or into what the test prints.
"""

import io
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from bot import log
from bot.model.instrument import Instrument
from bot.rules.loader import load_text
from bot.rules.schema import Rule
from tests.support.secrets import leaks_in

_ROOT = Path(__file__).parent.parent

# How long an example takes on a busy machine says nothing about the bot.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


class LogWatch(io.StringIO):
    """Looks at each line of the log and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []

    def write(self, text: str) -> int:
        if leaks_in(text):
            self.leaks.append(text)
        return len(text)


# Tests over real sockets and real processes live on the machine's time, which a busy machine does not give them. A fault of
# the bot comes again; the report names what passed at the second try.
_OVER_REAL_TIME = ("integration", "acceptance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(_ROOT / "tests").parts[0] in _OVER_REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1))
        else:
            # What such a test left open when it failed is collected while another runs, which is then blamed. A test that
            # leaves something open itself does so each time.
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun="(?i)unraisable"))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The log at DEBUG, watched; what a test sets up for logging ends with it, so that no other leans on it."""
    root = logging.getLogger()
    held = root.level, list(root.handlers)
    watch = LogWatch()
    log.set_up(level="DEBUG", fmt="json", stream=watch)
    yield
    structlog.reset_defaults()
    root.setLevel(held[0])
    root.handlers[:] = held[1]
    log.forget()
    assert watch.leaks == [], "a secret in the log"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.when == "call" and report.passed:
        found = leaks_in(report.capstdout + report.capstderr)
        if found:
            report.outcome, report.longrepr = "failed", f"a secret in what the test printed: {found}"
    return report


@pytest.fixture
def recordings() -> Path:
    """Folder of recorded market data; tests on it are skipped where it is absent."""
    folder = Path(os.environ.get("OIBOT_TEST_DATA") or _ROOT / ".." / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set OIBOT_TEST_DATA to their folder")
    return folder


@pytest.fixture
def rules_of() -> Callable[[str], tuple[Rule, ...]]:
    """Rules from YAML text without its `version` line; the text must be sound."""

    def load(text: str) -> tuple[Rule, ...]:
        found = load_text("test.yaml", "version: 1\nrules:\n" + text)
        assert not found.errors, found.errors
        return found.rules

    return load


@pytest.fixture
def perpetual() -> Callable[[str], Instrument]:
    """A trading USDT perpetual of the venue `binance`."""

    def make(base: str) -> Instrument:
        return Instrument("binance", f"{base}USDT", "perpetual", base, "USDT", "TRADING")

    return make
