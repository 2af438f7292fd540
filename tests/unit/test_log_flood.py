"""Warnings that repeat themselves are put together."""

import io
import json
import logging

import pytest
import structlog

from bot import log


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Out:
    """A set-up log whose records are given the times that the test wants."""

    def __init__(self, fmt: str = "json") -> None:
        self.stream = io.StringIO()
        log.set_up(level="INFO", fmt=fmt, stream=self.stream)
        self.now_s = 1_000.0
        (self.handler,) = logging.getLogger().handlers
        self.handler.addFilter(self._stamp)

    def _stamp(self, record: logging.LogRecord) -> bool:
        record.created = self.now_s
        return True

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_after_five_the_others_are_counted_and_told_as_one_line():
    out = Out()
    for n in range(42):
        log.get("delivery").warning("message.postponed", destination="main", attempt=n)
    assert [line["attempt"] for line in out.lines()] == [0, 1, 2, 3, 4]
    out.now_s += 60
    log.get("bot").info("bot.stopping")
    summary, last = out.lines()[5:]
    assert (summary["event"], summary["repeated"], summary["within_s"]) == ("message.postponed", 37, 60.0)
    assert summary["attempt"] == 41
    assert last["event"] == "bot.stopping"


def test_a_flood_that_goes_on_is_two_lines_a_minute():
    out = Out()
    for _ in range(3_600):
        log.get("delivery").error("commit.failed", reason="full")
        out.now_s += 0.1
    assert len(out.lines()) <= 5 + 2 * 6


def test_after_a_quiet_minute_it_begins_anew():
    out = Out()
    for _ in range(3):
        for _ in range(4):
            log.get("x").warning("a.failed")
        out.now_s += 61
    assert len(out.lines()) == 12
    assert not any("repeated" in line for line in out.lines())


def test_what_happens_to_different_things_is_different():
    out = Out()
    for n in range(20):
        log.get("rules").error("rules.problem", at=f"a.yaml:{n}:1")
        log.get("x").info("b.done")
    assert len(out.lines()) == 40


def test_lines_of_libraries_are_put_together_too():
    out = Out("console")
    for _ in range(8):
        logging.getLogger("some.library").warning("cannot reach %s", "host")
    out.now_s += 61
    logging.getLogger("other").info("done")
    assert out.stream.getvalue().count("cannot reach host") == 6
    assert "(×3 in 60 s)" in out.stream.getvalue()


def test_a_clock_that_is_set_back_holds_nothing_back_for_long():
    out = Out()
    for _ in range(9):
        log.get("x").warning("a.failed")
    out.now_s -= 86_400
    log.get("x").warning("a.failed")
    assert [line.get("repeated") for line in out.lines()[5:]] == [4, None]


def test_at_the_end_nothing_is_left_untold():
    out = Out()
    for _ in range(9):
        log.get("x").warning("a.failed")
    out.handler.close()
    assert out.lines()[-1]["repeated"] == 4


def test_the_number_of_kinds_is_bounded():
    out = Out()
    for n in range(5_000):
        log.get("x").warning("a.failed", name=str(n))
    assert len(out.handler._flood._kinds) <= log.MAX_KINDS + 1


def test_it_can_be_left():
    stream = io.StringIO()
    log.set_up(fmt="json", stream=stream, collapse=False)
    for _ in range(40):
        log.get("x").warning("a.failed")
    assert len(stream.getvalue().splitlines()) == 40
