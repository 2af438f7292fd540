"""Logs are readable on a terminal, JSON elsewhere, and hold no secret in either, whoever wrote the record."""

import io
import json
import logging

import pytest
import structlog

from bot import log

TOKEN = "123456789:AAcanary-Canary_canary0canary1canary"
HOOK = "canary-Canary_canary0canary1canary2canary3"
PASSWORD = "canary"

SECRET_TEXTS = [
    pytest.param(f"https://api.telegram.org/bot{TOKEN}/getMe", id="token in a URL"),
    pytest.param(f"The token `{TOKEN}` was rejected", id="token in a sentence"),
    pytest.param(f"Bot[token={TOKEN}]", id="token in a repr"),
    pytest.param(f"x_{TOKEN}", id="token glued to a word"),
    pytest.param(f"https://discord.com/api/webhooks/112233445566778899/{HOOK}?wait=true", id="webhook"),
    pytest.param(f"https://discord.com/api/v10/webhooks/112233445566778899/{HOOK}/messages/1", id="webhook message"),
    pytest.param(f"http://user:{PASSWORD}@proxy.example:3128", id="proxy password"),
    pytest.param(f"socks5://:{PASSWORD}@proxy.example", id="password without user"),
    pytest.param(f"http://user:p@ss@{PASSWORD}@proxy.example/x", id="password with at signs"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored():
    """Leave the loggers of the test run as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "telegram", "aiosqlite", "asyncio")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in quiet.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


@pytest.fixture(params=["json", "console", "colours"])
def written(request) -> io.StringIO:
    """What was logged, in each of the three forms."""
    out = Terminal() if request.param == "colours" else io.StringIO()
    log.set_up(level="DEBUG", fmt="json" if request.param == "json" else "console", stream=out)
    return out


def assert_clean(out: io.StringIO) -> None:
    text = out.getvalue()
    assert text
    # A part is as bad as the whole: a terminal may cut, wrap or colour a long value.
    assert "canary" not in text.lower()


# -- form --------------------------------------------------------------------------------------------------------------


def test_json_is_one_object_per_line_with_event_level_and_utc_time():
    out = io.StringIO()
    log.set_up(fmt="json", stream=out)
    log.get("feed").info("feed.reconnected", symbol="币安人生USDT", after_s=1.5, live=True, reason=None)
    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert found["event"] == "feed.reconnected"
    assert found["component"] == "feed"
    assert found["level"] == "info"
    assert found["timestamp"].endswith("Z")
    assert (found["symbol"], found["after_s"], found["live"], found["reason"]) == ("币安人生USDT", 1.5, True, None)


def test_json_keeps_a_traceback_on_its_line():
    out = io.StringIO()
    log.set_up(fmt="json", stream=out)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        log.get("feed").exception("feed.crashed")
    (line,) = out.getvalue().splitlines()
    assert "RuntimeError: broken" in json.loads(line)["exception"]


def test_auto_means_lines_for_people_on_a_terminal_and_json_elsewhere():
    for out, is_json in ((Terminal(), False), (io.StringIO(), True)):
        log.set_up(fmt="auto", stream=out)
        log.get("feed").info("feed.live", rows=3)
        assert out.getvalue().startswith("{") is is_json


def test_colours_only_on_a_terminal():
    for out, has_colours in ((Terminal(), True), (io.StringIO(), False)):
        log.set_up(fmt="console", stream=out)
        log.get("feed").info("feed.live", rows=3)
        assert ("\x1b[" in out.getvalue()) is has_colours


def test_the_level_holds_for_our_loggers_and_for_others():
    out = io.StringIO()
    log.set_up(level="WARNING", fmt="json", stream=out)
    log.get("feed").info("feed.live")
    logging.getLogger("elsewhere").info("hidden")
    assert not out.getvalue()
    log.get("feed").warning("feed.lost")
    logging.getLogger("elsewhere").warning("shown")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["feed.lost", "shown"]


def test_setting_up_twice_does_not_write_twice():
    out = io.StringIO()
    log.set_up(fmt="json", stream=io.StringIO())
    log.set_up(fmt="json", stream=out)
    log.get("feed").info("feed.live")
    assert len(out.getvalue().splitlines()) == 1


def test_a_logger_kept_from_an_import_follows_a_later_set_up():
    kept = log.get("feed")
    out = io.StringIO()
    log.set_up(fmt="json", stream=out)
    kept.info("feed.live")
    assert json.loads(out.getvalue())["component"] == "feed"


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize("name", ["httpx", "httpcore", "httpcore.http11", "aiosqlite", "telegram.ext"])
def test_libraries_that_log_each_request_are_quiet(name, level):
    out = io.StringIO()
    log.set_up(level=level, fmt="json", stream=out)
    logging.getLogger(name).info("HTTP Request: POST https://api.telegram.org/")
    assert not out.getvalue()
    logging.getLogger(name).warning("something is wrong")
    assert out.getvalue()


# -- no secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_in_a_value_is_hidden(written, text):
    log.get("chat").warning("request.failed", url=text)
    assert_clean(written)


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_in_the_event_is_hidden(written, text):
    log.get("chat").warning(text)
    assert_clean(written)


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_deep_in_a_value_is_hidden(written, text):
    log.get("chat").warning(
        "request.failed", nested={"urls": [text, (text,)]}, keyed={text: 1}, those={text}, error=ValueError(text)
    )
    assert_clean(written)


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_in_arguments_is_hidden(written, text):
    log.get("chat").warning("request to %s failed", text)
    logging.getLogger("elsewhere").warning("request to %s failed", text)
    assert_clean(written)


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_in_a_traceback_is_hidden(written, text):
    def call(url: str) -> None:
        raise RuntimeError(f"no answer from {url}")

    try:
        call(text)
    except RuntimeError:
        log.get("chat").exception("request.failed")
        logging.getLogger("elsewhere").exception("request failed")
    assert_clean(written)
    assert "RuntimeError" in written.getvalue()


def test_a_traceback_shows_no_local_variables(written):
    def call(cut_token: str) -> None:
        raise RuntimeError(f"{len(cut_token)} characters")

    try:
        call(TOKEN[:24])  # too short for any pattern
    except RuntimeError:
        log.get("chat").exception("request.failed")
    assert_clean(written)


def test_a_record_that_cannot_be_written_does_not_show_its_arguments(written, capsys):
    (handler,) = [h for h in logging.getLogger().handlers if getattr(h, "stream", None) is written]
    handler.handle(logging.LogRecord("elsewhere", logging.WARNING, __file__, 1, "used %d of %d", (TOKEN, 2), None))
    assert_clean(written)
    assert "logger=elsewhere" in written.getvalue()
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "12:30:45 BTCUSDT 67000.5",
        "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT",
        "ws://127.0.0.1:8080/market/stream",
        "binance:BTCUSDT pct(oi, 15m) >= 5%",
        "anna@example.org asked at http://example.org:80/",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text):
    assert log.redact(text) == text


def test_the_host_of_a_hidden_address_stays_readable():
    assert log.redact("http://user:geheim@proxy.example:3128/x") == "http://user:***@proxy.example:3128/x"
    assert log.redact(f"/bot{TOKEN}/getMe") == "/bot***token***/getMe"
    assert log.redact(f"/webhooks/12/{HOOK}?wait=true") == "/webhooks/12/***?wait=true"


# -- by value ----------------------------------------------------------------------------------------------------------

KEY = "canaryCanary0/1+2=canary"
HIDDEN = [
    pytest.param(KEY, KEY, id="itself"),
    pytest.param(KEY, "a%3Db&k=canaryCanary0%2F1%2B2%3Dcanary", id="encoded for a URL"),
    pytest.param("1234:canary-canary", "…/bot1234:canary-canary/getMe", id="a short token"),
    pytest.param("https://host.test/in/canarycanarycanary1", "POST /in/canarycanarycanary1 HTTP/1.1", id="a path"),
    pytest.param("https://host.test/in?key=canary%2Bcanary", "key: canary+canary", id="a query, decoded"),
    pytest.param("json://user:canary canary@host.test/x", "password 'canary canary'", id="a password by itself"),
    pytest.param("ntfys://canary-topic", "Unparseable URL ntfys://canary-topic", id="an address that is the secret"),
    pytest.param("slack://canaryA1/canaryB2", "no answer for canaryB2", id="a token in an address"),
    pytest.param("json://user:canary%20canary@host.test/x", "password 'canary canary'", id="a password, decoded"),
]


@pytest.mark.parametrize(("secret", "text"), HIDDEN)
def test_a_secret_of_the_settings_is_known_by_its_value(written, secret, text):
    log.hide(secret)
    log.get("x").error("it.broke", reason=text)
    logging.getLogger("somebody.else").error("cannot handle %s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        log.get("x").exception("it.crashed")
    assert_clean(written)


def test_names_and_short_words_in_an_address_stay():
    log.hide("https://discord.com/api/webhooks/1/x?wait=true", "", "short")
    text = "discord.com answers webhooks with true, in short"
    assert log.redact(text) == text


def test_a_header_of_authorization_is_cut():
    assert log.redact("'Proxy-Authorization': 'Basic Y2FuYXJ5'") == "'Proxy-Authorization': 'Basic ***'"
