"""The error tables of both services, row by row over real sockets: what comes of a message, and of its destination."""

import asyncio

import pytest

from bot.app.moves import Moves
from bot.clock import SystemClock
from bot.delivery.discord import DiscordDestination
from bot.delivery.limits import DiscordLimits
from bot.delivery.telegram import TelegramDestination
from bot.model.news import TopicGone
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer
from bot.storage.memory import (
    MemoryAlertStore,
    MemoryButtonStore,
    MemoryChatAlertStore,
    MemoryChatMoves,
    MemoryKeyValues,
    MemoryOutbox,
    MemorySilenceStore,
)

HTML = {"Content-Type": "text/html"}
CLOUDFLARE = b"<html><title>Access denied | error 1015</title>You are being rate limited</html>"

DEAD, RETRIED, PLAIN, PAUSED, DOUBTFUL = "dead", "retried", "plain", "paused", "doubtful"


def forbidden(text):
    return faults.telegram_error(403, f"Forbidden: {text}")


TELEGRAM = [
    (forbidden("bot was blocked by the user"), DEAD),
    (forbidden("user is deactivated"), DEAD),
    (forbidden("the group chat was deleted"), DEAD),
    *((forbidden(f"bot was kicked from the {kind} chat"), DEAD) for kind in ("group", "supergroup", "channel")),
    *((forbidden(f"bot is not a member of the {kind} chat"), DEAD) for kind in ("group", "supergroup", "channel")),
    (forbidden("bot can't initiate conversation with a user"), DEAD),
    (forbidden("bot can't send messages to bots"), DEAD),
    *(
        (faults.bad_request(text), DEAD)
        for text in (
            "chat not found",
            "private chat not found",
            "PEER_ID_INVALID",
            "user not found",
            "chat_id is empty",
        )
    ),
    (faults.bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001), RETRIED),
    *(
        (faults.bad_request(text), DEAD)
        for text in (
            "CHAT_WRITE_FORBIDDEN",
            "CHAT_RESTRICTED",
            "TOPIC_CLOSED",
            "have no rights to send a message",
            "not enough rights to send text messages to the chat",
        )
    ),
    *(
        (faults.bad_request(text), PLAIN)
        for text in (
            "can't parse entities: Unsupported start tag",
            "message is too long",
            "message text is empty",
            "MESSAGE_TOO_LONG",
            "BUTTON_DATA_INVALID",
            "reply markup is too long",
        )
    ),
    (faults.unauthorized(), DEAD),
    (faults.telegram_error(404, "Not Found: method not found"), DEAD),
    (faults.telegram_error(413, "Request Entity Too Large"), PLAIN),
    (faults.conflict(), PAUSED),
    (faults.too_many_requests(2), PAUSED),
    (faults.telegram_error(429, "Too Many Requests: slow down"), PAUSED),
    (faults.Fault(status=429, body=b"<html>429</html>", headers=HTML), PAUSED),
    (faults.server_error(), RETRIED),
    (faults.bad_gateway(), DOUBTFUL),
    (faults.Fault(status=503, body=b"<html>503</html>", headers=HTML), DOUBTFUL),
    (faults.broken_json(), DOUBTFUL),
    (faults.dropped(accepted=True), DOUBTFUL),
    (faults.dropped(accepted=False), DOUBTFUL),
    (faults.Fault(hang_s=60, accepts=True), DOUBTFUL),
]


def discord_429(body=b"", **headers):
    return faults.Fault(status=429, body=body, headers=headers)


DISCORD = [
    (faults.discord_error(404, 10015, "Unknown Webhook"), DEAD),
    (faults.discord_error(404, 10003, "Unknown Channel"), DEAD),
    (faults.discord_error(401, 0, "401: Unauthorized"), DEAD),
    (faults.discord_error(403, 0, "Forbidden"), DEAD),
    (faults.discord_error(401, 50027, "Invalid Webhook Token"), DEAD),
    (faults.discord_error(403, 40333, "internal network error"), DEAD),
    (faults.discord_error(403, 50001, "Missing Access"), DEAD),
    (faults.discord_error(403, 50013, "Missing Permissions"), DEAD),
    (faults.discord_error(400, 160005, "Thread is locked"), DEAD),
    *((faults.discord_error(400, code, "forum"), DEAD) for code in (220001, 220002, 220003, 220004)),
    (faults.discord_error(400, 50035, "Invalid Form Body"), PLAIN),
    (faults.discord_error(400, 50006, "Cannot send an empty message"), PLAIN),
    (faults.discord_error(413, 40005, "Request entity too large"), PLAIN),
    (faults.discord_error(400, 50109, "invalid JSON"), PLAIN),
    (faults.discord_error(500, 0, "Internal Server Error"), RETRIED),
    (faults.discord_error(503, 130000, "API resource is overloaded"), RETRIED),
    (faults.discord_error(429, 40062, "Service resource is being rate limited", **{"Retry-After": "2"}), PAUSED),
    *((faults.discord_error(429, code, "slow", **{"Retry-After": "2"}), PAUSED) for code in (20028, 20029)),
    (discord_429({"retry_after": 2.5, "global": False}, **{"X-RateLimit-Remaining": "0"}), PAUSED),
    (discord_429({"retry_after": 2.5, "global": False}, **{"X-RateLimit-Scope": "shared"}), PAUSED),
    (discord_429({"retry_after": 2.5, "global": True}, **{"X-RateLimit-Global": "true"}), PAUSED),
    (discord_429(CLOUDFLARE, **HTML), PAUSED),
    (discord_429({"code": 0, "message": "You are being blocked from accessing our API"}), PAUSED),
    (faults.bad_gateway(), DOUBTFUL),
    (faults.dropped(accepted=True), DOUBTFUL),
    (faults.Fault(hang_s=60, accepts=True), DOUBTFUL),
]


def name_of(row):
    fault, effect = row
    body = fault.body if isinstance(fault.body, dict) else {}
    text = body.get("description") or body.get("message") or fault.body or f"hang {fault.hang_s} cut {fault.cuts}"
    return f"{effect}-{fault.status}-{body.get('code', '')}-{str(text)[:40]}"


@pytest.fixture
async def house(running):
    """Both services, and lanes at 200 clock seconds a second."""
    clock = SystemClock(speed=200)
    async with (
        ChatServer() as server,
        TelegramDestination(
            token=server.telegram_token, api_url=server.telegram_url, chat_id=-71, clock=clock
        ) as telegram,
        DiscordDestination(webhook_url=server.discord_webhook_url, clock=clock) as discord,
        running(telegram, discord, clock=clock, store=MemoryKeyValues()) as room,
    ):
        yield server, room, clock


async def check(house, row, name, effect, sent, texts):
    """`sent()`: requests so far as parameters; `texts()`: what stands in the chat."""
    server, room, clock = house
    await room.commit(row(destination=name, at_ms=clock.wall_ms()))
    if effect == DEAD:
        others = server.discord.messages if name == "telegram" else server.telegram.messages
        await server.until(lambda: others)
        await asyncio.sleep(0.2)
        assert len(sent()) == 1, "not tried again"
        assert len(others) == 1
        assert f"{name} takes no messages any more" in others[0].text
        assert (await room.outbox.counts())["waiting"] == 1, "kept for its next life"
        room.lanes.revive(name)
        await room.settled()
        return
    assert (await room.settled())["delivered"] == 1
    assert len(sent()) == 2
    status = next(one for one in room.lanes.status() if one.name == name)
    assert status.ambiguous == (effect == DOUBTFUL)
    assert ("perhaps told before" in texts()[-1]) == (effect == DOUBTFUL)
    assert status.buried == 0


@pytest.mark.promise("P10")
@pytest.mark.parametrize("entry", TELEGRAM, ids=map(name_of, TELEGRAM))
async def test_telegram(house, row, entry):
    fault, effect = entry
    server, _, _ = house
    server.telegram.fail(fault)

    def sent():
        return [r.params for r in server.requests("sendMessage")]

    await check(house, row, "telegram", effect, sent, lambda: [m.text for m in server.messages()])
    assert ("parse_mode" not in sent()[-1]) == (effect == PLAIN)
    if effect == PAUSED:
        first, second = (r.at_ms for r in server.requests("sendMessage"))
        assert (second - first) * 200 >= 1_900


@pytest.mark.promise("P10")
@pytest.mark.parametrize("entry", DISCORD, ids=map(name_of, DISCORD))
async def test_discord(house, row, entry):
    fault, effect = entry
    server, _, _ = house
    server.discord.fail(fault)

    def sent():
        return [r.params for r in server.requests("POST")]

    await check(house, row, "discord", effect, sent, lambda: [m.text for m in server.discord.messages])
    assert (not sent()[-1]["embeds"]) == (effect == PLAIN)


@pytest.mark.parametrize("text", ["message to edit not found", "message can't be edited"])
async def test_an_edit_that_cannot_be_is_a_new_message(house, row, text):
    server, room, clock = house
    at_ms = clock.wall_ms()
    await room.commit(row(at_ms=at_ms))
    await room.settled()
    server.telegram.fail(faults.bad_request(text), method="editMessageText")
    await room.commit(row("end", at_ms=at_ms, after_s=60))
    assert (await room.settled())["delivered"] == 2
    assert [m.text[0] for m in server.messages()] == ["🟠", "✅"]


@pytest.mark.parametrize("text", ["message to be replied not found", "MESSAGE_ID_INVALID"])
async def test_a_reply_to_what_is_gone_is_a_new_message(house, row, text):
    server, room, clock = house
    at_ms = clock.wall_ms()
    await room.commit(row(at_ms=at_ms))
    await room.settled()
    server.telegram.fail(faults.bad_request(text), method="sendMessage")
    await room.commit(row("escalate", at_ms=at_ms, after_s=90))
    assert (await room.settled())["delivered"] == 2
    first, refused, anew = server.requests("sendMessage")
    assert "reply_parameters" in refused.params
    assert "reply_parameters" not in anew.params
    assert len(server.messages()) == 2
    assert all("reply_parameters" not in one.params for one in (first, anew))


async def test_an_edit_that_changes_nothing_is_a_success(house, row):
    server, room, clock = house
    at_ms = clock.wall_ms()
    await room.commit(row(at_ms=at_ms))
    await room.settled()
    server.telegram.fail(faults.bad_request("message is not modified: the same"), method="editMessageText")
    await room.commit(row("end", at_ms=at_ms, after_s=60))
    assert (await room.settled())["delivered"] == 2
    assert len(server.requests("editMessageText")) == 1


@pytest.mark.promise("P10")
async def test_a_group_that_moved_is_followed_over_a_restart(server, fast, order):
    store, outbox = MemoryKeyValues(), MemoryOutbox()
    alerts = MemoryAlertStore(outbox)
    stored = MemoryChatMoves(MemoryChatAlertStore(alerts), MemoryButtonStore(), outbox, MemorySilenceStore(alerts))

    async def destination():
        moves = await Moves.load(store, stored)
        return TelegramDestination(
            token=server.telegram_token, api_url=server.telegram_url, chat_id=-5, clock=fast, moves=moves
        )

    for old, new in ((-5, -1001), (-1001, -1002)):
        async with await destination() as chat:
            assert chat.chat_id == old
            server.telegram.fail(faults.bad_request("group chat was upgraded", migrate_to_chat_id=new))
            await chat.send(order())
            assert chat.chat_id == new
    async with await destination() as chat:
        await chat.send(order())
    assert [m.chat_id for m in server.messages()] == [-1002]


@pytest.mark.promise("P10")
@pytest.mark.parametrize("text", ["message thread not found", "TOPIC_CLOSED", "TOPIC_DELETED"])
async def test_a_topic_that_is_gone_is_replaced_by_the_chat_itself(server, running, fast, row, text):
    notes = []
    async with TelegramDestination(
        token=server.telegram_token,
        api_url=server.telegram_url,
        chat_id=-71,
        topic=9,
        clock=fast,
        report=notes.append,
    ) as chat:
        server.telegram.fail(faults.bad_request(text))
        async with running(chat) as room:
            await room.commit(row(at_ms=fast.wall_ms()))
            await room.settled()
    assert [r.params.get("message_thread_id") for r in server.requests("sendMessage")] == ["9", None]
    assert notes == [TopicGone("telegram")]


async def test_discords_global_limit_holds_all_webhooks(server, fast, order):
    limits = DiscordLimits(fast)
    urls = [server.discord_webhook_url] * 2
    one, two = (DiscordDestination(webhook_url=url, clock=fast, limits=limits) for url in urls)
    async with one, two:
        server.discord.fail(faults.discord_too_many(20))
        await one.send(order())
        assert two.take_slot(urgent=False) == 0
        server.discord.fail(faults.discord_too_many(30, is_global=True))
        await one.send(order())
        assert 25 < two.take_slot(urgent=False) <= 30
