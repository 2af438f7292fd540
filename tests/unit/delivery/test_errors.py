"""The error tables, purely; and that no recorded answer of either server is without a meaning."""

import gzip
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.delivery import discord_errors, telegram_errors
from bot.delivery.destination import TargetGone, Unlayable
from bot.model.outbox import Delivered, Rejected, RetryLater

DATA = Path(os.environ.get("OIBOT_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def caused(error, name):
    """As the library raises it from an exception of its HTTP client."""
    error.__cause__ = type(name, (Exception,), {})()
    return error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RetryAfter(7), RetryLater(7.0, "Telegram asks for a pause")),
        (RetryAfter(timedelta(seconds=7)), RetryLater(7.0, "Telegram asks for a pause")),
        (RetryAfter(0), RetryLater(1.0, "Telegram asks for a pause")),
        (RetryAfter(10**6), RetryLater(3600.0, "Telegram asks for a pause")),
        (ChatMigrated(-100), RetryLater(1.0, "the group became a supergroup")),
        (Conflict("Conflict: x"), RetryLater(60.0, "Telegram reports a conflict")),
        (NetworkError("Internal Server Error: restart"), RetryLater(5.0, "Telegram has an internal error")),
        (NetworkError("Too Many Requests: slow down"), RetryLater(60.0, "Telegram asks for a pause")),
        (NetworkError("Request Entity Too Large"), Unlayable("Telegram: the message is too large")),
        (BadRequest("Message is not modified: same"), Delivered("9")),
        (
            BadRequest("Wrong file identifier/http url specified"),
            Unlayable("Telegram: Wrong file identifier/http url specified"),
        ),
        (BadRequest("Photo_invalid_dimensions"), Unlayable("Telegram: Photo_invalid_dimensions")),
        (BadRequest("Chat_send_photos_forbidden"), TargetGone("Telegram takes no pictures in this chat")),
        (
            BadRequest("Not enough rights to send photos to the chat"),
            TargetGone("Telegram takes no pictures in this chat"),
        ),
        (
            BadRequest("Not enough rights to send text messages to the chat"),
            Rejected("Telegram: Not enough rights to send text messages to the chat", destination_dead=True),
        ),
    ],
)
def test_each_error_of_telegram_has_one_meaning(error, answer):
    assert telegram_errors.answer_of(error, target="9") == answer


@pytest.mark.parametrize("error", [InvalidToken("The token `1:CANARY` was rejected"), EndPointNotFound("CANARY")])
def test_a_refused_token_is_never_repeated(error):
    answer = telegram_errors.answer_of(error)
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert "CANARY" not in answer.reason


@pytest.mark.parametrize("name", ["ConnectError", "ConnectTimeout", "PoolTimeout"])
@pytest.mark.parametrize("error", [TimedOut, NetworkError])
def test_what_never_left_is_not_ambiguous(name, error):
    answer = telegram_errors.answer_of(caused(error("x"), name))
    assert isinstance(answer, RetryLater)
    assert not answer.ambiguous


@pytest.mark.parametrize("name", ["ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout"])
@pytest.mark.parametrize("error", [TimedOut, NetworkError])
def test_what_may_have_left_is_ambiguous_and_waits_longer(name, error):
    answer = telegram_errors.answer_of(caused(error("x"), name))
    assert isinstance(answer, RetryLater)
    assert answer.ambiguous
    assert answer.after_s >= 10


def test_a_bad_request_is_never_taken_for_a_network_error():
    """It is a subclass of it."""
    assert isinstance(telegram_errors.answer_of(BadRequest("Whatever")), Unlayable)
    assert isinstance(telegram_errors.answer_of(BadRequest("Message to edit not found")), TargetGone)
    assert telegram_errors.answer_of(BadRequest("Chat not found")) == Rejected("Telegram: Chat not found", True)


def test_reasons_are_short_and_on_one_line():
    answer = telegram_errors.answer_of(Forbidden("Forbidden: " + "x\n" * 500))
    assert len(answer.reason) < 150
    assert "\n" not in answer.reason


def _lines(name):
    path = DATA / "notify" / name
    if not path.exists():
        pytest.skip(f"no recordings at {DATA}")
    return [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]


def _raised(body):
    """The library's reading of an error body (its `BaseRequest`)."""
    parameters = body.get("parameters") or {}
    if parameters.get("migrate_to_chat_id"):
        return ChatMigrated(parameters["migrate_to_chat_id"])
    if parameters.get("retry_after"):
        return RetryAfter(parameters["retry_after"])
    classes = {403: Forbidden, 404: InvalidToken, 401: InvalidToken, 400: BadRequest, 409: Conflict}
    return classes.get(body["error_code"], NetworkError)(body["description"])


def test_no_recorded_answer_of_telegram_is_retried_for_ever():
    """What Telegram will always refuse must not be tried again as it is."""
    seen = 0
    for record in _lines("telegram_bot_api_error_bodies.jsonl.gz") + _lines("telegram_real_parse_errors.jsonl.gz"):
        body = record.get("body") or json.loads(record["raw"])
        if body.get("ok") is not False:
            continue
        seen += 1
        answer = telegram_errors.answer_of(_raised(body), target="9")
        if body["error_code"] in {400, 401, 403, 404} and not body.get("parameters"):
            assert not isinstance(answer, RetryLater), body
        if body["error_code"] in {429, 500}:
            assert isinstance(answer, RetryLater), body
    assert seen > 150


def test_every_recorded_answer_of_discord_has_its_meaning():
    found = {}
    for record in _lines("discord_webhook_responses.jsonl.gz"):
        answer = discord_errors.answer_of(record["http"], record["headers"], record["raw"].encode(), target=None)
        found[record["kind"].split(",")[0]] = answer
        if record["http"] == 429:
            assert isinstance(answer, RetryLater)
    waits = sorted(a.after_s for a in found.values() if isinstance(a, RetryLater))
    assert waits == [43.323, 60.0, 64.57, 64.57, 1336.57]
    assert Delivered(None) in found.values()
    assert any(isinstance(a, Rejected) and a.destination_dead for a in found.values())


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"id": "77", "content": ""}', Delivered("77")),
        (b"", Delivered(None)),
        (b"[1]", Delivered(None)),
        (b'{"id": 77}', Delivered(None)),
        (b"\xff\xfe", Delivered(None)),
        (b"[" * 100_000, Delivered(None)),
    ],
)
def test_a_saved_message_is_delivered_whatever_its_answer_looks_like(body, answer):
    assert discord_errors.answer_of(200, {}, body, target=None) == answer


def test_an_unknown_message_matters_only_to_an_edit():
    body = b'{"code": 10008, "message": "Unknown Message"}'
    assert isinstance(discord_errors.answer_of(404, {}, body, target="1"), TargetGone)
    assert isinstance(discord_errors.answer_of(404, {}, body, target=None), Rejected)


def test_a_message_in_a_thread_that_was_archived_meanwhile_is_followed_by_a_new_one_which_opens_the_thread():
    body = b'{"code": 50083, "message": "Thread is archived"}'
    assert isinstance(discord_errors.answer_of(400, {}, body, target="1"), TargetGone)
    assert isinstance(discord_errors.answer_of(400, {}, body, target=None), Unlayable)


def test_a_strange_error_of_the_library_is_ambiguous():
    answer = telegram_errors.answer_of(TelegramError("Invalid server response"))
    assert isinstance(answer, RetryLater)
    assert answer.ambiguous
