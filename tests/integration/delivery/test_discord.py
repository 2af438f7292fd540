"""Each answer of a Discord webhook has one meaning, seen over a real socket."""

import json

import pytest

from bot.delivery.destination import Form, TargetGone, Unlayable
from bot.delivery.discord import MAX_ANSWER_BYTES, DiscordDestination
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.sim import chat_faults as faults


async def test_a_firing_is_an_embed_that_pings_nobody(server, discord, order):
    answer = await discord.send(order())
    [message] = server.discord.messages
    assert answer == Delivered(message.id)
    assert message.payload["allowed_mentions"] == {"parse": []}
    assert message.payload["embeds"][0]["title"] == "BTCUSDT · OI surge <b>&"
    assert server.received[0].headers["User-Agent"].startswith("DiscordBot (https://github.com/oibot/oibot, ")


async def test_an_end_edits_the_message(server, discord, order, row):
    fired = await discord.send(order())
    ended = await discord.send(order(row("end", after_s=1320), form=Form.EDIT, target=fired.provider_id))
    [message] = server.discord.messages
    assert ended == fired
    assert len(message.edits) == 1
    assert "ended after 22m · peak +9.2%" in message.text


async def test_a_rules_own_text_is_escaped_and_has_no_fields(server, discord, order, row):
    await discord.send(order(row(message="**{{ base }}** <@1> {{ value }}", tags=("majors",))))
    made = server.discord.messages[0].payload["embeds"][0]
    assert made["description"] == "\\*\\*BTC\\*\\* \\<\\@1\\> +6.06%"
    assert "fields" not in made
    assert made["footer"]["text"].endswith(" · #majors")


async def test_what_is_silent_suppresses_the_notification(server, discord, order, row):
    fired = await discord.send(order(row(silent=True)))
    await discord.send(order(row(silent=True), plain=True))
    await discord.send(order(row("end", after_s=60, silent=True), form=Form.EDIT, target=fired.provider_id))
    await discord.send(order())
    assert [request.params.get("flags") for request in server.received] == [4096, 4096, None, None]


async def test_a_thread_is_kept_in_posts_and_edits(server, fast, order, row):
    async with DiscordDestination(webhook_url=server.discord_webhook_url + "?thread_id=9", clock=fast) as discord:
        fired = await discord.send(order())
        assert await discord.send(order(row("end"), form=Form.EDIT, target=fired.provider_id)) == fired


async def test_a_thread_may_be_given_beside_the_address(server, fast, order):
    async with DiscordDestination(webhook_url=server.discord_webhook_url, thread=9, clock=fast) as discord:
        assert isinstance(await discord.send(order()), Delivered)
    assert server.discord.messages[0].thread == "9"


async def test_a_proxy_of_the_environment_is_used(server, fast, order, monkeypatch):
    """As `oibot check` and the other ways out use it."""
    monkeypatch.setenv("HTTP_PROXY", server.discord_webhook_url.partition("/api")[0])
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    beyond = "http://discord.example/api" + server.discord_webhook_url.partition("/api")[2]
    async with DiscordDestination(webhook_url=beyond, clock=fast) as discord:
        assert isinstance(await discord.send(order()), Delivered)


async def test_a_proxy_that_refuses_kept_the_message_back(server, fast, order, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.discord_webhook_url.partition("/api")[0])
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with DiscordDestination(webhook_url="https://discord.example/api/webhooks/1/x", clock=fast) as discord:
        answer = await discord.send(order())
    assert isinstance(answer, RetryLater)
    assert not answer.ambiguous


async def test_plain_text_is_content_without_an_embed(server, discord, order):
    await discord.send(order(plain=True))
    payload = server.discord.messages[0].payload
    assert payload["embeds"] == []
    assert "BTCUSDT" in payload["content"]
    assert payload["allowed_mentions"] == {"parse": []}


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, 10015),
        (404, 10003),
        (404, 0),
        (401, 0),
        (403, 50013),
        (403, 40333),
        (401, 50027),
        (403, 50001),
        (400, 160005),
        (400, 220001),
        (400, 220002),
        (400, 220003),
        (400, 220004),
        (302, 0),
    ],
)
async def test_what_will_never_work_again_ends_the_destination(server, discord, order, status, code):
    server.discord.fail(faults.discord_error(status, code, "gone"))
    answer = await discord.send(order())
    assert isinstance(answer, Rejected)
    assert answer.destination_dead


@pytest.mark.parametrize(("status", "code"), [(400, 50035), (400, 50006), (400, 40005), (413, 40005), (400, 50109)])
async def test_what_is_our_fault_asks_for_plain_text(server, discord, order, status, code):
    server.discord.fail(faults.discord_error(status, code, "Invalid Form Body"))
    assert isinstance(await discord.send(order()), Unlayable)


async def test_the_old_form_of_a_length_error_asks_for_plain_text(server, discord, order):
    server.discord.fail(faults.Fault(status=400, body={"content": ["Must be 2000 or fewer in length."]}))
    assert isinstance(await discord.send(order()), Unlayable)


async def test_a_deleted_message_cannot_be_edited(discord, order, row):
    answer = await discord.send(order(row("end"), form=Form.EDIT, target="1300000000000099999"))
    assert isinstance(answer, TargetGone)


@pytest.mark.parametrize(
    ("fault", "after_s"),
    [
        (faults.discord_too_many(64.57), 64.57),
        (faults.discord_too_many(64.57, is_global=True), 64.57),
        (faults.discord_too_many(0.001), 0.5),
        (faults.discord_too_many(-3), 0.5),
        (faults.discord_too_many(1e9), 3600.0),
        (faults.Fault(status=429, body=b"<html>error 1015</html>", headers={"Retry-After": "43"}), 43.0),
        (faults.Fault(status=429, body=b"<html>error 1015</html>"), 60.0),
        (faults.Fault(status=429, body={"code": 0, "message": "You are being blocked"}), 60.0),
        (faults.Fault(status=429, body={"retry_after": "soon"}, headers={"Retry-After": "later"}), 60.0),
    ],
)
async def test_a_429_of_any_form_is_a_pause(server, discord, order, fault, after_s):
    server.discord.fail(fault)
    assert await discord.send(order()) == RetryLater(after_s, "Discord asks for a pause")


@pytest.mark.parametrize(
    ("fault", "ambiguous"),
    [
        (faults.discord_error(500, 0, "Internal Server Error"), False),
        (faults.discord_error(503, 130000, "API resource is overloaded"), False),
        (faults.discord_error(400, 40062, "Service resource is being rate limited"), False),
        (faults.bad_gateway(), True),
        (faults.dropped(accepted=True), True),
        (faults.dropped(accepted=False), True),
        (faults.Fault(hang_s=60), True),
    ],
)
async def test_what_may_pass_is_tried_again(server, discord, order, fault, ambiguous):
    server.discord.fail(fault)
    answer = await discord.send(order())
    assert isinstance(answer, RetryLater)
    assert answer.ambiguous is ambiguous


async def test_an_endless_answer_is_read_up_to_the_cap(server, discord, order):
    body = json.dumps({"id": "7", "content": "x" * (4 * MAX_ANSWER_BYTES)}).encode()
    server.discord.fail(faults.Fault(status=200, body=body))
    assert await discord.send(order()) == Delivered(None), "saved, though the id is lost"


async def test_an_address_that_is_none_ends_the_destination(fast, order):
    for url in ("not a url", "ftp://x/y", "http://", "http://[broken"):
        async with DiscordDestination(webhook_url=url, clock=fast) as discord:
            answer = await discord.send(order())
        assert isinstance(answer, Rejected)
        assert answer.destination_dead


@pytest.mark.promise("P15")
async def test_the_webhook_is_never_shown(server, fast, order, logged):
    url = server.discord_webhook_url.replace("SIMULATED", "CANARY")
    answers = []
    async with DiscordDestination(webhook_url=url, clock=fast) as discord:
        answers.append(await discord.send(order()))
        for fault in (faults.bad_gateway(), faults.dropped(accepted=False), faults.Fault(hang_s=60)):
            server.discord.fail(fault)
            answers.append(await discord.send(order()))
    async with DiscordDestination(webhook_url="http://127.0.0.1:1/api/webhooks/1/CANARY", clock=fast) as discord:
        answers.append(await discord.send(order()))
    assert "CANARY" not in repr(answers)
    assert "CANARY" not in logged.getvalue()


@pytest.mark.promise("P8")
async def test_the_headers_set_the_pace(server, discord, order):
    for _ in range(5):
        assert isinstance(await discord.send(order()), Delivered)
    assert 0 < discord.take_slot(urgent=False) <= 2.1
