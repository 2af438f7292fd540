"""The simulated chats remember: who may be written to, topics, pins, pictures, threads, and what people saw."""

import gzip
import json

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sim import chat_faults as faults
from bot.sim.chat_log import What
from bot.sim.chatserver import ChatServer
from tests.support.png import tiny_png

AGENT = {"User-Agent": "DiscordBot (x, 1)"}
GROUP = -77


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


@pytest.fixture
def post(server, session):
    async def call(payload=None, *, url=None, path="", method="POST", **query):
        address = (url or server.discord_webhook_url) + path
        async with session.request(
            method, address, json=payload, headers=AGENT, params={"wait": "true", **query}
        ) as response:
            return response.status, response.headers, await response.json(content_type=None)

    return call


async def test_a_blocked_chat_refuses_until_its_person_comes_back(server, api):
    server.telegram.block(5)
    status, answer = await api("sendMessage", chat_id=5, text="x")
    assert (status, answer["description"]) == (403, "Forbidden: bot was blocked by the user")
    server.telegram.unblock(5)
    assert (await api("sendMessage", chat_id=5, text="x"))[0] == 200
    _, updates = await api("getUpdates")
    changes = [u["my_chat_member"]["new_chat_member"]["status"] for u in updates["result"]]
    assert changes == ["kicked", "member"]


async def test_an_upgraded_group_names_its_new_id(server, api):
    new_id = server.telegram.upgrade(GROUP)
    status, answer = await api("sendMessage", chat_id=GROUP, text="x")
    assert (status, answer["parameters"]) == (400, {"migrate_to_chat_id": new_id})
    _, sent = await api("sendMessage", chat_id=new_id, text="x")
    assert sent["result"]["chat"] == {"id": new_id, "type": "supergroup", "title": "Group"}
    _, updates = await api("getUpdates")
    assert [u["message"].get("migrate_to_chat_id") for u in updates["result"]] == [new_id, None]
    assert "text" not in updates["result"][0]["message"]


async def test_topics_open_close_and_go(server, api):
    topic = server.telegram.open_topic(GROUP)
    _, sent = await api("sendMessage", chat_id=GROUP, text="x", message_thread_id=topic)
    assert sent["result"]["message_thread_id"] == topic
    server.telegram.close_topic(GROUP, topic)
    _, answer = await api("sendMessage", chat_id=GROUP, text="x", message_thread_id=topic)
    assert answer["description"] == "Bad Request: TOPIC_CLOSED"
    server.telegram.delete_topic(GROUP, topic)
    _, answer = await api("sendMessage", chat_id=GROUP, text="x", message_thread_id=topic)
    assert answer["description"] == "Bad Request: message thread not found"
    assert server.messages(GROUP) == []
    assert (await api("sendMessage", chat_id=GROUP, text="x"))[0] == 200, "the chat itself is still there"


async def test_strict_chats_exist_only_once_somebody_wrote(server, api):
    server.telegram.rooms.is_strict = True
    _, answer = await api("sendMessage", chat_id=5, text="x")
    assert answer["description"] == "Forbidden: bot can't initiate conversation with a user"
    _, answer = await api("sendMessage", chat_id=GROUP, text="x")
    assert answer["description"] == "Bad Request: chat not found"
    server.telegram.say("/start", chat_id=5)
    assert (await api("sendMessage", chat_id=5, text="x"))[0] == 200


async def test_pins_are_kept_in_order(server, api):
    numbers = [(await api("sendMessage", chat_id=5, text=str(n)))[1]["result"]["message_id"] for n in range(3)]
    for number in numbers:
        await api("pinChatMessage", chat_id=5, message_id=number)
    await api("unpinChatMessage", chat_id=5)
    await api("deleteMessage", chat_id=5, message_id=numbers[0])
    assert server.telegram.rooms.of(5).pinned == [numbers[1]]
    assert (await api("unpinChatMessage", chat_id=5, message_id=numbers[2]))[0] == 400
    assert (await api("pinChatMessage", chat_id=5, message_id=999))[0] == 400


def upload(chat_id, method_fields, **files):
    form = aiohttp.FormData()
    form.add_field("chat_id", str(chat_id))
    for name, value in method_fields.items():
        form.add_field(name, value)
    for name, value in files.items():
        form.add_field(name, value, filename="chart.png")
    return form


async def test_a_text_becomes_a_picture_and_never_a_text_again(server, session, api):
    number = (await api("sendMessage", chat_id=5, text="fired"))[1]["result"]["message_id"]
    url = f"{server.telegram_url}/bot{server.telegram_token}/editMessageMedia"
    media = json.dumps({"type": "photo", "media": "attach://one", "caption": "<b>fired</b>", "parse_mode": "HTML"})
    fields = {"message_id": str(number), "media": media}
    statuses = []
    for png in (tiny_png(), tiny_png(), tiny_png(shade=9), b"no picture", tiny_png(9_000, 2_000), tiny_png(2_100, 100)):
        async with session.post(url, data=upload(5, fields, one=png)) as response:
            answer = await response.json()
            statuses.append((response.status, answer.get("description", "")))
    assert [status for status, _ in statuses] == [200, 400, 200, 400, 400, 400]
    assert "is not modified" in statuses[1][1]
    assert [text for _, text in statuses[3:]] == [
        "Bad Request: IMAGE_PROCESS_FAILED",
        "Bad Request: PHOTO_INVALID_DIMENSIONS",
        "Bad Request: PHOTO_INVALID_DIMENSIONS",
    ]
    said = server.telegram.find(5, number)
    assert (said.text, said.photo, said.edits) == ("fired", tiny_png(shade=9), ["fired", "fired"])
    status, answer = await api("editMessageText", chat_id=5, message_id=number, text="ended")
    assert (status, answer["description"]) == (400, "Bad Request: there is no text in the message to edit")


async def test_a_picture_has_a_caption_and_no_text(server, session, api):
    form = aiohttp.FormData()
    for name, value in (("chat_id", "5"), ("caption", "<b>x</b>"), ("parse_mode", "HTML")):
        form.add_field(name, value)
    form.add_field("photo", tiny_png(), filename="chart.png")
    async with session.post(f"{server.telegram_url}/bot{server.telegram_token}/sendPhoto", data=form) as response:
        sent = (await response.json())["result"]
    assert (sent["caption"], "text" in sent) == ("x", False)
    number = sent["message_id"]
    assert (await api("editMessageCaption", chat_id=5, message_id=number, caption="y"))[0] == 200
    assert (await api("editMessageText", chat_id=5, message_id=number, text="y"))[0] == 400
    assert (await api("editMessageCaption", chat_id=5, message_id=number, caption="x" * 1_025))[0] == 400
    assert (await api("sendPhoto", chat_id=5))[0] == 400


@pytest.mark.parametrize(
    ("button", "description"),
    [
        ({"text": "a", "callback_data": "币" * 22}, "BUTTON_DATA_INVALID"),
        ({"text": "", "callback_data": "x"}, "can't parse inline keyboard button: Text is empty"),
    ],
)
async def test_bad_buttons_are_refused(api, button, description):
    status, answer = await api("sendMessage", chat_id=5, text="x", reply_markup={"inline_keyboard": [[button]]})
    assert (status, answer["description"]) == (400, f"Bad Request: {description}")


async def test_a_press_is_answered_once_and_in_time(server, api):
    await api("sendMessage", chat_id=5, text="x")
    server.telegram.press("d", server.messages(5)[0])
    _, updates = await api("getUpdates")
    number = updates["result"][0]["callback_query"]["id"]
    assert (await api("answerCallbackQuery", callback_query_id=number))[0] == 200
    status, answer = await api("answerCallbackQuery", callback_query_id=number)
    assert (status, answer["description"].split(" and ")[0]) == (400, "Bad Request: query is too old")


async def test_what_people_saw_is_told_in_order(server, api, post):
    _, sent = await api("sendMessage", chat_id=5, text="one")
    number = sent["result"]["message_id"]
    await api("sendMessage", chat_id=5, text="two", reply_parameters={"message_id": number})
    await api("editMessageText", chat_id=5, message_id=number, text="ONE")
    _, _, posted = await post({"content": "three"})
    await post({"content": "THREE"}, path=f"/messages/{posted['id']}", method="PATCH")
    await post(path=f"/messages/{posted['id']}", method="DELETE")
    await api("deleteMessage", chat_id=5, message_id=number)
    seen = [(h.service, h.what, h.text) for h in server.happenings]
    assert seen == [
        ("telegram", What.NEW, "one"),
        ("telegram", What.NEW, "two"),
        ("telegram", What.EDIT, "ONE"),
        ("discord", What.NEW, "three"),
        ("discord", What.EDIT, "THREE"),
        ("discord", What.DELETE, ""),
        ("telegram", What.DELETE, ""),
    ]
    assert server.happenings[1].reply_to == str(number)


async def test_threads_of_a_webhook(server, post):
    hook = server.discord.first
    hook.threads = {"9": True, "8": False}
    assert (await post({"content": "x"}, thread_id="9"))[0] == 200
    assert (await post({"content": "x"}, thread_id="8"))[2]["code"] == 160005
    assert (await post({"content": "x"}, thread_id="7"))[2]["code"] == 10003
    hook.is_forum = True
    assert (await post({"content": "x"}))[2]["code"] == 220001


async def test_webhooks_have_buckets_of_their_own_and_may_go(server, post):
    other = server.new_webhook()
    for _ in range(5):
        assert (await post({"content": "x"}))[0] == 200
    status, headers, body = await post({"content": "x"})
    assert status == 429
    assert headers["X-RateLimit-Scope"] == "user"
    assert 0 < body["retry_after"] <= 2 <= 10 * float(headers["Retry-After"])
    assert (await post({"content": "x"}, url=other))[0] == 200
    server.discord.first.is_deleted = True
    assert (await post({"content": "x"}))[2] == {"message": "Unknown Webhook", "code": 10015}


async def test_an_answer_may_be_held_while_the_message_is_there(server, api):
    server.telegram.fail(faults.held(20))
    clock = SystemClock(speed=10)
    began_ms = clock.monotonic_ms()
    status, _ = await api("sendMessage", chat_id=5, text="x")
    assert status == 200
    assert clock.monotonic_ms() - began_ms >= 20_000
    assert server.happenings[0].at_ms <= server.received[0].at_ms + 5_000


def records(folder, name):
    with gzip.open(folder / "notify" / name, "rt", encoding="utf-8") as lines:
        return [json.loads(text) for text in lines]


async def test_errors_are_worded_as_the_real_server_words_them(server, api, recordings):
    known = {r["body"]["description"] for r in records(recordings, "telegram_bot_api_error_bodies.jsonl.gz")}
    said = set()

    async def refused(method, **params):
        status, answer = await api(method, **params)
        assert status >= 400
        said.add(answer["description"])

    new_id = server.telegram.upgrade(GROUP)
    server.telegram.open_topic(new_id)
    for why in ("user is deactivated", "the group chat was deleted", "bot was kicked from the group chat"):
        server.telegram.block(6, why)
        await refused("sendMessage", chat_id=6, text="x")
    await refused("sendMessage", chat_id=GROUP, text="x")
    await refused("sendMessage", chat_id=new_id, text="x", message_thread_id=999)
    await refused("sendMessage", text="x")
    await refused("sendMessage", chat_id="nobody", text="x")
    await refused("sendNonsense")
    server.telegram.webhook_url = "https://example.org"
    await refused("getUpdates")
    for fault in (faults.conflict(), faults.unauthorized(), faults.server_error(), faults.too_many_requests(35)):
        server.telegram.fail(fault)
        await refused("sendMessage", chat_id=5, text="x")
    # What TDLib says itself is not among the recorded texts: "bot was blocked by the user", "message is too long" …
    assert said <= known


async def test_discord_refuses_as_documented(recordings):
    documented = {r["kind"].split(" (")[0]: r for r in records(recordings, "discord_webhook_responses.jsonl.gz")}
    cases = {
        "route limit": faults.discord_too_many(64.57),
        "shared resource limit; remaining is NOT 0": faults.discord_too_many(1336.57, is_shared=True),
        "global": faults.discord_too_many(64.57, is_global=True),
        "Cloudflare IP ban, no Retry-After, no X-RateLimit headers": faults.discord_banned(),
    }
    for kind, fault in cases.items():
        real = documented[kind]
        assert fault.status == real["http"]
        assert fault.body == json.loads(real["raw"])
        told = {
            k: v for k, v in real["headers"].items() if k in {"Retry-After", "X-RateLimit-Scope", "X-RateLimit-Global"}
        }
        assert dict(fault.headers) == told
