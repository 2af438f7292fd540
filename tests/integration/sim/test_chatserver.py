"""The simulated chat servers keep the rules of the real ones."""

import asyncio

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer


@pytest.fixture
async def server():
    async with ChatServer(clock=SystemClock(speed=10)) as found:
        yield found


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as found:
        yield found


@pytest.fixture
def api(server, session):
    async def call(method, **params):
        url = f"{server.telegram_url}/bot{server.telegram_token}/{method}"
        async with session.post(url, json=params) as response:
            return response.status, await response.json()

    return call


async def test_a_wrong_token_is_unauthorized(server, session):
    async with session.get(f"{server.telegram_url}/bot1:x/getMe") as response:
        assert response.status == 401


async def test_updates_are_confirmed_by_a_higher_offset_only(server, api):
    first = server.telegram.say("/start", chat_id=71)
    server.telegram.say("hello", chat_id=71)
    for _ in range(2):
        _, answer = await api("getUpdates")
        assert [u["message"]["text"] for u in answer["result"]] == ["/start", "hello"]
    _, answer = await api("getUpdates", offset=first + 1)
    assert [u["message"]["text"] for u in answer["result"]] == ["hello"]
    assert server.telegram.n_unread == 1
    _, answer = await api("getUpdates", offset=first + 2, limit=1)
    assert answer["result"] == []
    assert server.telegram.n_unread == 0


async def test_a_negative_offset_forgets_older_updates(server, api):
    for n in range(5):
        server.telegram.say(str(n))
    _, answer = await api("getUpdates", offset=-2)
    assert [u["message"]["text"] for u in answer["result"]] == ["3", "4"]
    assert server.telegram.n_unread == 2


async def test_a_long_poll_ends_with_news_or_with_its_time(server, api):
    poll = asyncio.create_task(api("getUpdates", timeout=50))
    await asyncio.sleep(0.05)
    assert not poll.done()
    server.telegram.say("news")
    _, answer = await poll
    assert len(answer["result"]) == 1
    _, answer = await api("getUpdates", timeout=1, offset=answer["result"][0]["update_id"] + 1)
    assert answer["result"] == []


async def test_a_second_poll_ends_the_first_with_a_conflict(api):
    first = asyncio.create_task(api("getUpdates", timeout=50))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(api("getUpdates", timeout=1))
    assert (await first)[0] == 409
    assert (await second)[0] == 200


async def test_only_allowed_updates_are_handed_out(server, api):
    server.telegram.say("x")
    server.telegram.push({"my_chat_member": {}})
    _, answer = await api("getUpdates", allowed_updates=["my_chat_member"])
    assert [list(u)[1] for u in answer["result"]] == ["my_chat_member"]


async def test_a_webhook_forbids_polling_until_it_is_deleted(server, api):
    server.telegram.webhook_url = "https://example.org"
    assert (await api("getUpdates"))[0] == 409
    await api("deleteWebhook")
    assert (await api("getUpdates"))[0] == 200


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("", "message text is empty"),
        ("<b></b>", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("🟠" * 2049, "message is too long"),
        ("<b>x", "can't parse entities"),
        ("x</b>", "can't parse entities"),
        ("<b><i>x</b></i>", "can't parse entities"),
        ("<table>x</table>", "can't parse entities"),
        ("1 < 2", "can't parse entities"),
    ],
)
async def test_bad_texts_are_refused_in_the_servers_words(api, text, description):
    status, answer = await api("sendMessage", chat_id=1, text=text, parse_mode="HTML")
    assert status == 400
    assert description in answer["description"]


async def test_good_texts_are_kept_as_people_see_them(server, api):
    source = '<b>a</b> &lt;&amp;&gt; <a href="https://x.y/?a=b">l</a> <blockquote expandable>q</blockquote> & &nbsp;'
    status, answer = await api("sendMessage", chat_id=1, text=source, parse_mode="HTML")
    assert status == 200
    assert answer["result"]["text"] == server.messages()[0].text == "a <&> l q & &nbsp;"
    assert (await api("sendMessage", chat_id=1, text="x" * 4096))[0] == 200


async def test_messages_are_edited_replied_to_and_found(server, api):
    _, sent = await api("sendMessage", chat_id=5, text="one")
    number = sent["result"]["message_id"]
    assert (await api("sendMessage", chat_id=5, text="two", reply_parameters={"message_id": number}))[0] == 200
    assert (await api("sendMessage", chat_id=5, text="x", reply_parameters={"message_id": 999}))[0] == 400
    assert (await api("editMessageText", chat_id=5, message_id=number, text="ONE"))[0] == 200
    status, answer = await api("editMessageText", chat_id=5, message_id=number, text="ONE")
    assert (status, "not modified" in answer["description"]) == (400, True)
    assert (await api("editMessageText", chat_id=6, message_id=number, text="ONE"))[0] == 400
    first, second = server.messages(5)
    assert (first.text, first.edits, second.reply_to) == ("ONE", ["one"], number)


async def test_a_button_press_is_an_update_and_its_answer_is_kept(server, api):
    await api("sendMessage", chat_id=5, text="one", reply_markup={"inline_keyboard": []})
    server.telegram.press("mute 1h", server.messages()[0])
    _, answer = await api("getUpdates")
    query = answer["result"][0]["callback_query"]
    assert (query["data"], query["message"]["text"]) == ("mute 1h", "one")
    assert (await api("answerCallbackQuery", callback_query_id=query["id"]))[0] == 200
    assert server.telegram.answered[0]["callback_query_id"] == query["id"]


async def test_commands_actions_and_unknown_methods(server, api):
    await api("setMyCommands", commands=[{"command": "oi", "description": "d"}])
    mine = {"scope": {"type": "chat", "chat_id": 7}, "language_code": "zh"}
    await api("setMyCommands", commands=[{"command": "oi", "description": "量"}], **mine)
    assert server.telegram.menus == {
        ("", ""): [{"command": "oi", "description": "d"}],
        ("7", "zh"): [{"command": "oi", "description": "量"}],
    }
    assert (await api("setMyCommands", commands=[], language_code="chinese"))[0] == 400
    await api("deleteMyCommands", **mine)
    assert list(server.telegram.menus) == [("", "")]
    assert (await api("sendChatAction", chat_id=1, action="typing"))[0] == 200
    assert (await api("getMe"))[1]["result"]["is_bot"] is True
    assert (await api("sendNonsense"))[0] == 404


async def test_faults_come_as_planned_and_then_pass(server, api):
    server.telegram.fail(faults.too_many_requests(3), times=2, skip=1)
    assert [(await api("sendMessage", chat_id=1, text=str(n)))[0] for n in range(4)] == [200, 429, 429, 200]
    server.telegram.fail(faults.blocked(), chat_id=2)
    assert (await api("sendMessage", chat_id=1, text="x"))[0] == 200
    assert (await api("sendMessage", chat_id=2, text="x"))[0] == 403


async def test_a_dropped_answer_may_hide_an_accepted_message(server, api):
    for accepted in (True, False):
        server.telegram.fail(faults.dropped(accepted=accepted))
        with pytest.raises(aiohttp.ClientError):
            await api("sendMessage", chat_id=1, text="x")
    assert len(server.messages()) == 1
    assert len(server.requests("sendMessage")) == 2


async def test_limits_are_enforced_when_asked(session):
    async with ChatServer(enforce_limits=True) as server:
        url = f"{server.telegram_url}/bot{server.telegram_token}/sendMessage"
        codes = []
        for chat_id in (1, 1, 2):
            async with session.post(url, json={"chat_id": chat_id, "text": "x"}) as response:
                codes.append(response.status)
        assert codes == [200, 429, 200]
        assert server.telegram.n_flooded == 1


async def test_the_webhook_keeps_discords_rules(server, session):
    agent = {"User-Agent": "DiscordBot (x, 1)"}
    url = server.discord_webhook_url

    async def post(payload, *, path="", headers=agent, method="POST", query="?wait=true"):
        async with session.request(method, url + path + query, json=payload, headers=headers) as response:
            return response.status, response.headers, await response.json(content_type=None)

    status, headers, answer = await post({"content": "hello"})
    assert (status, headers["X-RateLimit-Remaining"]) == (200, "4")
    assert (await post({"content": "edited"}, path=f"/messages/{answer['id']}", method="PATCH", query=""))[0] == 200
    assert server.discord.messages[0].text == "edited"
    assert (await post({"content": "x"}, query=""))[0] == 204
    assert (await post({}))[0] == 400
    assert (await post({"content": "x"}, headers={}))[0] == 403
    assert (await post({"content": "x"}, path="x"))[0] == 404
    assert (await post({"content": "x" * 2001}))[0] == 400
    status, _, answer = await post({"content": "x"})
    assert status == 429
    assert 0 < answer["retry_after"] <= 2
