"""Each published limit of a webhook's message, at its edge."""

import pytest

from bot.sim.chat_payload import problem, refusal

FIELD = {"name": "n", "value": "v"}


def embed(**changes):
    return {"embeds": [{"title": "t", **changes}]}


@pytest.mark.parametrize(
    "payload",
    [
        {"content": "x" * 2_000},
        embed(title="x" * 256),
        embed(description="x" * 4_096),
        embed(fields=[FIELD] * 25),
        embed(fields=[{"name": "x" * 256, "value": "x" * 1_024}]),
        embed(footer={"text": "x" * 2_048}),
        embed(author={"name": "x" * 256}),
        embed(color=0xFFFFFF),
        {"embeds": [{"description": "x" * 600}] * 10},
        {"content": "x", "allowed_mentions": {"parse": []}, "username": "x" * 80},
    ],
)
def test_what_is_within_the_limits_is_taken(payload):
    assert problem(payload) is None


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, ""),
        ({"content": ""}, ""),
        ({"content": "x" * 2_001}, "content"),
        ({"content": "🟠" * 1_001}, "content"),
        ({"content": 5}, "content"),
        ({"content": "x", "username": "x" * 81}, "username"),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse"),
        ({"embeds": [{"title": "t"}] * 11}, "embeds"),
        ({"embeds": [{"description": "x" * 601}] * 10}, "embeds"),
        (embed(title="x" * 257), "embeds.0.title"),
        (embed(description="x" * 4_097), "embeds.0.description"),
        (embed(fields=[FIELD] * 26), "embeds.0.fields"),
        (embed(fields=[{"name": "x" * 257, "value": "v"}]), "embeds.0.fields.0.name"),
        (embed(fields=[{"name": "n", "value": "x" * 1_025}]), "embeds.0.fields.0.value"),
        (embed(fields=[{"name": "n"}]), "embeds.0.fields.0.value"),
        (embed(footer={"text": "x" * 2_049}), "embeds.0.footer.text"),
        (embed(author={"name": "x" * 257}), "embeds.0.author.name"),
        (embed(color=0x1000000), "embeds.0.color"),
    ],
)
def test_what_is_beyond_is_named(payload, path):
    assert problem(payload).path == path


def test_a_refusal_is_worded_as_the_server_does():
    assert refusal(problem({})) == {"message": "Cannot send an empty message", "code": 50006}
    body = refusal(problem(embed(title="x" * 257)))
    assert (body["code"], body["message"]) == (50035, "Invalid Form Body")
    [error] = body["errors"]["embeds"]["0"]["title"]["_errors"]
    assert error == {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}
