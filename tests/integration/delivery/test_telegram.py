"""Each answer of the Bot API has one meaning, seen over a real socket through the real library."""

import pytest

from bot.clock import SystemClock
from bot.delivery.destination import Form, TargetGone, Unlayable
from bot.delivery.limits import TelegramLimits
from bot.delivery.telegram import TelegramDestination
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.sim import chat_faults as faults


async def test_a_firing_arrives_as_html_without_a_preview(server, telegram, order):
    answer = await telegram.send(order())
    [message] = server.messages(71)
    assert answer == Delivered(str(message.message_id))
    assert message.text.startswith("🟠 BTCUSDT · OI surge <b>&  14:31 UTC")
    assert "price < 100k" in message.text
    params = server.requests("sendMessage")[0].params
    assert params["parse_mode"] == "HTML"
    assert '"is_disabled": true' in params["link_preview_options"]


async def test_an_update_replies_and_an_end_edits(server, telegram, order, row):
    fired = await telegram.send(order())
    replied = await telegram.send(
        order(row("escalate", value=0.092, value_before=0.0606), form=Form.REPLY, target=fired.provider_id)
    )
    ended = await telegram.send(order(row("end", after_s=1320), form=Form.EDIT, target=fired.provider_id))
    first, second = server.messages()
    assert second.reply_to == first.message_id
    assert second.text.startswith("🟠 BTCUSDT OI now +9.2% (was +6.1%)")
    assert first.text.startswith("✅ ended after 22m · peak +9.2%")
    assert len(first.edits) == 1
    assert replied == Delivered(str(second.message_id))
    assert ended == fired


async def test_a_rules_own_text_arrives_letter_by_letter(server, telegram, order, row):
    message = "<b>{{ base }}</b> & {{ value }} \\n*{{ kind }}*"
    await telegram.send(order(row(message=message, tags=("majors", "big-coins"))))
    [arrived] = server.messages(71)
    assert arrived.text.startswith("🟠 BTCUSDT · OI surge <b>&  14:31 UTC\n\n<b>BTC</b> & +6.06% \\n*fire*\n\n#")
    assert arrived.text.endswith("data, not advice · #majors #big_coins")


async def test_what_is_silent_arrives_without_a_sound(server, telegram, order, row):
    fired = await telegram.send(order(row(silent=True)))
    await telegram.send(order(row("escalate", silent=True), form=Form.REPLY, target=fired.provider_id))
    await telegram.send(order(row("end", after_s=60, silent=True), form=Form.EDIT, target=fired.provider_id))
    await telegram.send(order(plain=True))
    assert [message.silent for message in server.messages()] == [True, True, False]


async def test_a_reply_to_a_deleted_message_arrives_all_the_same(server, telegram, order):
    assert isinstance(await telegram.send(order(form=Form.REPLY, target="999")), Delivered)
    assert server.messages()[0].reply_to is None


async def test_the_same_edit_twice_is_a_success(server, telegram, order, row):
    fired = await telegram.send(order())
    end = order(row("end", after_s=60), form=Form.EDIT, target=fired.provider_id)
    assert await telegram.send(end) == fired
    assert await telegram.send(end) == fired


async def test_plain_text_has_no_markup(server, telegram, order):
    await telegram.send(order(plain=True))
    assert "parse_mode" not in server.requests("sendMessage")[0].params
    assert "<code>" not in server.messages()[0].text


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    "description",
    [
        "bot was blocked by the user",
        "user is deactivated",
        "the group chat was deleted",
        "bot was kicked from the group chat",
        "bot was kicked from the supergroup chat",
        "bot is not a member of the channel chat",
        "bot can't initiate conversation with a user",
        "bot can't send messages to bots",
    ],
)
async def test_a_403_ends_the_destination(server, telegram, order, description):
    server.telegram.fail(faults.telegram_error(403, f"Forbidden: {description}"))
    answer = await telegram.send(order())
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert description in answer.reason


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    "description",
    [
        "chat not found",
        "private chat not found",
        "PEER_ID_INVALID",
        "user not found",
        "chat_id is empty",
        "CHAT_WRITE_FORBIDDEN",
        "CHAT_RESTRICTED",
        "TOPIC_CLOSED",
        "TOPIC_DELETED",
        "message thread not found",
        "have no rights to send a message",
        "not enough rights to send text messages to the chat",
        "group chat was upgraded to a supergroup chat",
    ],
)
async def test_a_400_that_speaks_of_the_chat_ends_the_destination(server, telegram, order, description):
    server.telegram.fail(faults.bad_request(description))
    answer = await telegram.send(order())
    assert isinstance(answer, Rejected)
    assert answer.destination_dead


@pytest.mark.parametrize(
    "description",
    [
        'can\'t parse entities: Unsupported start tag "x" at byte offset 5',
        "can't parse entities: Can't find end of the entity starting at byte offset 1499",
        "message is too long",
        "message text is empty",
        "MESSAGE_TOO_LONG",
        "BUTTON_DATA_INVALID",
        "reply markup is too long",
        "something nobody has seen yet",
    ],
)
async def test_a_400_that_speaks_of_our_text_asks_for_plain_text(server, telegram, order, description):
    server.telegram.fail(faults.bad_request(description))
    assert isinstance(await telegram.send(order()), Unlayable)


@pytest.mark.parametrize("description", ["message to edit not found", "message can't be edited"])
async def test_a_missing_target_is_told(server, telegram, order, row, description):
    server.telegram.fail(faults.bad_request(description), method="editMessageText")
    assert isinstance(await telegram.send(order(row("end"), form=Form.EDIT, target="5")), TargetGone)


async def test_a_group_that_became_a_supergroup_is_followed(server, telegram, order):
    server.telegram.fail(
        faults.bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001234567890123)
    )
    before = telegram.fingerprint
    answer = await telegram.send(order())
    assert isinstance(answer, RetryLater)
    assert not answer.ambiguous
    assert telegram.chat_id == -1001234567890123
    assert telegram.fingerprint != before, "its messages have other numbers"
    assert isinstance(await telegram.send(order()), Delivered)
    assert server.messages()[0].chat_id == -1001234567890123


@pytest.mark.parametrize(("retry_after", "after_s"), [(2, 2.0), (1, 1.0), (3600, 3600.0), (86_400, 3600.0), (-5, 1.0)])
async def test_retry_after_is_obeyed_within_reason(server, telegram, order, retry_after, after_s):
    server.telegram.fail(faults.too_many_requests(retry_after))
    assert await telegram.send(order()) == RetryLater(after_s, "Telegram asks for a pause")


@pytest.mark.parametrize("retry_after", ["abc", 1.5, None])
async def test_a_429_of_any_form_is_a_pause(server, telegram, order, retry_after):
    server.telegram.fail(faults.too_many_requests(retry_after))
    answer = await telegram.send(order())
    assert isinstance(answer, RetryLater)
    assert answer.after_s >= 1


@pytest.mark.parametrize(
    ("fault", "ambiguous"),
    [
        (faults.server_error(), False),
        (faults.bad_gateway(), True),
        (faults.broken_json(), True),
        (faults.dropped(accepted=True), True),
        (faults.dropped(accepted=False), True),
        (faults.telegram_error(409, "Conflict: terminated by setWebhook request"), False),
        (faults.Fault(hang_s=60), True),
        (faults.Fault(status=200, body=b'{"ok":true,"result":{"unexpected":1}}'), True),
        (faults.Fault(status=200, body=b"[]"), True),
    ],
)
async def test_what_may_pass_is_tried_again(server, telegram, order, fault, ambiguous):
    server.telegram.fail(fault)
    answer = await telegram.send(order())
    assert isinstance(answer, RetryLater)
    assert answer.ambiguous is ambiguous


async def test_a_refused_connection_is_surely_not_delivered(server, fast, order, unused_tcp_port_url):
    async with TelegramDestination(
        token=server.telegram_token, api_url=unused_tcp_port_url, chat_id=71, clock=fast
    ) as telegram:
        answer = await telegram.send(order())
    assert answer == RetryLater(5.0, "Telegram cannot be reached")


@pytest.fixture
def unused_tcp_port_url():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


@pytest.mark.promise("P15")
@pytest.mark.parametrize("status", [401, 404])
async def test_a_refused_token_ends_the_destination_and_is_never_shown(server, order, status, logged):
    canary = "987654321:CANARY" + "x" * 30
    if status == 404:
        server.telegram.token = canary
        server.telegram.fail(faults.telegram_error(404, "Not Found"))
    async with TelegramDestination(
        token=canary, api_url=server.telegram_url, chat_id=71, clock=SystemClock()
    ) as telegram:
        answer = await telegram.send(order())
        server.telegram.fail(faults.dropped(accepted=False))
        server.telegram.fail(faults.broken_json())
        answers = [answer, await telegram.send(order()), await telegram.send(order())]
    assert isinstance(answer, Rejected)
    assert answer.destination_dead
    assert "CANARY" not in repr(answers)
    assert "CANARY" not in logged.getvalue()


async def test_the_own_pace_is_one_message_a_second(telegram, order):
    assert telegram.take_slot(urgent=False) == 0
    await telegram.send(order())
    assert 0.5 < telegram.take_slot(urgent=False) <= 1.06


async def ready(clock, destination):
    while (wait_s := destination.take_slot(urgent=False)) > 0:
        await clock.sleep(wait_s)


async def test_a_topic_gets_its_messages_and_their_edits(server, fast, order, row):
    server.telegram.topics[-1001] = {12}
    async with TelegramDestination(
        token=server.telegram_token, api_url=server.telegram_url, chat_id=-1001, topic=12, clock=fast
    ) as topic:
        fired = await topic.send(order())
        await ready(fast, topic)
        update = order(row("escalate", value=0.092, value_before=0.06), form=Form.REPLY, target=fired.provider_id)
        assert isinstance(await topic.send(update), Delivered)
        await ready(fast, topic)
        ended = await topic.send(order(row("end", after_s=60), form=Form.EDIT, target=fired.provider_id))
    assert ended == fired
    first, second = server.messages(-1001)
    assert (first.topic, second.topic) == (12, 12)
    assert second.reply_to == first.message_id
    assert len(first.edits) == 1


@pytest.mark.promise("P10")
async def test_a_topic_that_is_gone_gives_way_to_the_chat_itself(server, fast, order):
    async with TelegramDestination(
        token=server.telegram_token, api_url=server.telegram_url, chat_id=-1001, topic=9, clock=fast
    ) as topic:
        answer = await topic.send(order())
        assert answer == RetryLater(1.0, "Telegram: Message thread not found; the chat itself is next")
        assert isinstance(await topic.send(order()), Delivered)
    assert server.messages(-1001)[0].topic is None


async def test_destinations_of_one_token_share_its_budget(server, fast, order):
    limits = TelegramLimits(fast)

    def destination(chat_id, **more):
        return TelegramDestination(
            token=server.telegram_token,
            api_url=server.telegram_url,
            chat_id=chat_id,
            clock=fast,
            limits=limits,
            **more,
        )

    async with destination(-1001) as chat, destination(-1001, topic=9) as topic, destination(-1002) as other:
        await ready(fast, chat)
        await chat.send(order())
        assert topic.take_slot(urgent=False) > 0
        assert other.take_slot(urgent=False) == 0
