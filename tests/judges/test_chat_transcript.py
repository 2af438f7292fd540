"""What the bot says to Telegram and Discord, and what our chat servers answer, judged by libraries that nobody here wrote.

A real bot talks to the simulated chats (`tests.support.chat_session`, run by the project's own interpreter). Then
aiogram's models of the Bot API validate every request and every answer, and the embeds of interactions.py check every
Discord message. Neither looks at all limits; the rest is counted here, from the published tables. It runs in an
environment of its own:

    python -m venv .venv-judges-chat && .venv-judges-chat/bin/pip install --require-hashes -r requirements-judges-chat.lock
    .venv-judges-chat/bin/python -m pytest tests/judges/test_chat_transcript.py

`OIBOT_PYTHON` names another interpreter than `.venv/bin/python`.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("aiogram", reason="the chat libraries live in .venv-judges-chat")

from aiogram import methods
from aiogram.client.default import Default
from aiogram.methods.base import TelegramMethod
from interactions import AllowedMentions, Embed
from pydantic import TypeAdapter

REPO = Path(__file__).resolve().parents[2]
METHODS = {
    name[0].lower() + name[1:]: made
    for name, made in vars(methods).items()
    if isinstance(made, type) and issubclass(made, TelegramMethod) and made is not TelegramMethod
}
UPLOAD = "<file>"
"""Stands for the bytes of a file."""
TEXT_LIMIT, CAPTION_LIMIT, CALLBACK_BYTES, ENTITY_LIMIT = 4_096, 1_024, 64, 100


@pytest.fixture(scope="module")
def transcript(tmp_path_factory):
    """All calls of a session, in order."""
    file = tmp_path_factory.mktemp("judged") / "calls.jsonl"
    python = os.environ.get("OIBOT_PYTHON", str(REPO / ".venv/bin/python"))
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    subprocess.run(
        [python, "-m", "tests.support.chat_session", str(file)], cwd=REPO, env=environment, check=True, timeout=120
    )
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def of(transcript, service):
    return [call for call in transcript if call["service"] == service]


def decoded(params, model):
    """A form as the server reads it: what is not a plain value is JSON."""
    found = {}
    for name, value in params.items():
        is_nested = isinstance(value, str) and value[:1] in "[{" and name in model.model_fields and name != "text"
        found[name] = json.loads(value) if is_nested else value
    return found


def unknown_names(model, given, path=""):
    """Parameters that this Bot API does not have; aiogram keeps them without a word."""
    extra = [f"{path}{name}" for name in (model.model_extra or {})]
    for name in given:
        value = getattr(model, name, None)
        if hasattr(value, "model_extra") and not isinstance(value, Default) and isinstance(given[name], dict):
            extra += unknown_names(value, given[name], f"{path}{name}.")
    return extra


def without_uploads(params):
    """A file that a parameter points to stands in a part of its own, under any name."""
    pointed = {part.partition('"')[0] for text in params.values() for part in str(text).split("attach://")[1:]}
    missing = pointed - {name for name, value in params.items() if value == UPLOAD}
    assert not missing, f"pointed to and not sent: {missing}"
    return {name: value for name, value in params.items() if name not in pointed}


def judge_request(call):
    """Raises or returns what aiogram does not know."""
    model = METHODS[call["method"]]
    params = decoded(without_uploads(call["params"]), model)
    return unknown_names(model.model_validate(params), params)


def test_the_session_shows_all_that_the_bot_does(transcript):
    """Else this judges little."""
    seen = {(call["service"], call["method"]) for call in transcript}
    assert seen >= {
        *(("telegram", name) for name in ("getMe", "getUpdates", "setMyCommands", "sendMessage", "editMessageText")),
        *(
            ("telegram", name)
            for name in ("answerCallbackQuery", "sendPhoto", "editMessageMedia", "editMessageCaption", "sendDocument")
        ),
        *(("telegram", name) for name in ("pinChatMessage", "unpinChatMessage", "setMessageReaction")),
        ("discord", "POST"),
        ("discord", "PATCH"),
    }
    sent = [call["params"] for call in of(transcript, "telegram") if call["method"] == "sendMessage"]
    for name in ("parse_mode", "reply_parameters", "reply_markup", "message_thread_id", "link_preview_options"):
        assert any(name in params for params in sent), name
    assert any("parse_mode" not in params for params in sent), "plain text where markup was refused"


def test_every_request_is_one_of_the_bot_api(transcript):
    for call in of(transcript, "telegram"):
        assert judge_request(call) == [], call


def test_every_answer_is_one_of_the_bot_api(transcript):
    """Our server, judged: results parse as what each method returns; errors have the documented form."""
    for call in of(transcript, "telegram"):
        answer = json.loads(call["answer"])
        if answer["ok"]:
            TypeAdapter(METHODS[call["method"]].__returning__).validate_python(answer["result"])
        else:
            assert answer["error_code"] == call["status"]
            assert answer["description"]


def test_no_text_or_button_is_longer_than_allowed(transcript):
    for call in of(transcript, "telegram"):
        answer = json.loads(call["answer"])
        for name, limit in (("text", TEXT_LIMIT), ("caption", CAPTION_LIMIT)):
            shown = answer["result"].get(name, "") if answer["ok"] and isinstance(answer["result"], dict) else ""
            assert len(shown.encode("utf-16-le")) // 2 <= limit
        assert call["params"].get("text", "").count("<") / 2 <= ENTITY_LIMIT
        markup = json.loads(call["params"].get("reply_markup") or "{}")
        for button in [button for row in markup.get("inline_keyboard", []) for button in row]:
            # It leads to an address, or is told to the bot.
            assert ("url" in button) != ("callback_data" in button)
            assert "url" in button or 1 <= len(button["callback_data"].encode()) <= CALLBACK_BYTES


@pytest.mark.parametrize(
    "call",
    [
        {"method": "sendMessage", "params": {"text": "x"}},
        {"method": "sendMessage", "params": {"chat_id": "5", "text": "x", "parsemode": "HTML"}},
        {
            "method": "sendMessage",
            "params": {"chat_id": "5", "text": "x", "link_preview_options": '{"disabled": true}'},
        },
        {"method": "sendMessage", "params": {"chat_id": "5", "text": "x", "reply_parameters": '{"message_id": "x"}'}},
        {"method": "editMessageText", "params": {"chat_id": "5", "message_id": "five", "text": "x"}},
        {"method": "getUpdates", "params": {"timeout": "soon"}},
        {"method": "sendPhoto", "params": {"chat_id": "5"}},
        {"method": "editMessageMedia", "params": {"chat_id": "5", "media": '{"type": "photo"}'}},
    ],
)
def test_the_judge_finds_what_is_wrong(call):
    """A judge that passes everything is none."""
    with contextlib.suppress(ValueError):
        assert judge_request(call) != []


def judge_payload(payload):
    """Raises `ValueError` for what Discord would refuse."""
    embeds = [Embed.from_dict(json.loads(json.dumps(one))) for one in payload.get("embeds", [])]
    for one in embeds:
        one.to_dict()
    if sum(len(one) for one in embeds) > 6_000 or len(embeds) > 10:
        raise ValueError("too large together")
    if len(payload.get("content") or "") > 2_000 or not (payload.get("content") or embeds):
        raise ValueError("content is empty or too long")
    for one in payload.get("embeds", []):
        if len(one.get("footer", {}).get("text", "")) > 2_048:
            raise ValueError("footer is too long")
        for field in one.get("fields", []):
            if not (field["name"].strip() and field["value"].strip()):
                raise ValueError("a field is empty")


def test_every_discord_message_is_within_the_published_limits(transcript):
    for call in of(transcript, "discord"):
        judge_payload(call["params"])
        assert call["params"]["allowed_mentions"] == {"parse": []}
        AllowedMentions(parse=call["params"]["allowed_mentions"]["parse"]).to_dict()
        assert call["headers"]["User-Agent"].startswith("DiscordBot (https://")
        assert not set(call["params"]) - {"content", "embeds", "allowed_mentions", "flags", "username", "attachments"}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"content": "x" * 2_001},
        {"embeds": [{"title": "x" * 257}]},
        {"embeds": [{"title": "t", "description": "x" * 4_097}]},
        {"embeds": [{"title": "t", "fields": [{"name": "n", "value": "v"}] * 26}]},
        {"embeds": [{"title": "t", "fields": [{"name": "n", "value": "x" * 1_025}]}]},
        {"embeds": [{"description": "x" * 3_001}] * 2},
    ],
)
def test_this_judge_finds_what_is_wrong_too(payload):
    with pytest.raises(ValueError, match=r".+"):
        judge_payload(payload)
