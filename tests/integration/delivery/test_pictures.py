"""Pictures over messages that are there, through the real library and over real sockets."""

import json

from bot.delivery.destination import Form
from bot.delivery.telegram import TelegramDestination
from bot.delivery.text import Card, line
from bot.model.outbox import Delivered, Rejected
from bot.sim import chat_faults as faults
from tests.support.png import tiny_png


async def test_a_telegram_message_gets_its_picture_and_keeps_its_words(server, telegram, order, row):
    fired = await telegram.send(order())
    before = server.messages(71)[0].text
    assert await telegram.attach(order(target=fired.provider_id), tiny_png()) == fired
    [message] = server.messages(71)
    assert (message.text, message.photo) == (before, tiny_png())
    [request] = server.requests("editMessageMedia")
    assert json.loads(request.params["media"])["show_caption_above_media"] is True

    ended = await telegram.send(order(row("end", after_s=60), form=Form.EDIT, target=fired.provider_id))
    assert ended == fired
    assert message.text.startswith("✅ ended after 1m")
    assert message.photo
    assert server.requests("editMessageText") == []


async def test_after_a_restart_a_picture_is_recognised_by_the_refusal(server, telegram, fast, order, row):
    fired = await telegram.send(order())
    await telegram.attach(order(target=fired.provider_id), tiny_png())
    async with TelegramDestination(
        token=server.telegram_token, api_url=server.telegram_url, chat_id=71, clock=fast
    ) as again:
        for after_s in (60, 120):
            edit = order(row("end", after_s=after_s), form=Form.EDIT, target=fired.provider_id)
            assert await again.send(edit) == fired
    assert server.messages(71)[0].text.startswith("✅ ended after 2m")
    assert len(server.requests("editMessageText")) == 1


async def test_what_is_too_long_for_a_caption_stays_a_text(server, telegram, order):
    card = Card(head=line("fired"), details=tuple(line("word " * 40) for _ in range(6)))
    fired = await telegram.send(order(card=card))
    answer = await telegram.attach(order(card=card, target=fired.provider_id), tiny_png())
    assert answer == Rejected("the text is too long for a caption")
    assert server.messages(71)[0].photo == b""


async def test_a_chat_without_photos_keeps_the_text(server, telegram, order):
    fired = await telegram.send(order())
    server.telegram.fail(faults.bad_request("not enough rights to send photos to the chat"), method="editMessageMedia")
    answer = await telegram.attach(order(target=fired.provider_id), tiny_png())
    assert not isinstance(answer, Delivered)
    assert server.messages(71)[0].text


async def test_a_discord_message_gets_its_file_and_keeps_its_words(server, discord, order, row):
    fired = await discord.send(order())
    [message] = server.discord.messages
    before = message.text
    assert await discord.attach(order(target=fired.provider_id), tiny_png()) == fired
    assert (message.text, message.files) == (before, {"chart.png": tiny_png()})
    assert message.payload["embeds"][0]["image"] == {"url": "attachment://chart.png"}
    await discord.send(order(row("end", after_s=60), form=Form.EDIT, target=fired.provider_id))
    assert "ended after 1m" in message.text
    assert message.files == {"chart.png": tiny_png()}


async def test_a_discord_message_without_a_number_gets_none(discord, order):
    assert await discord.attach(order(target=None), tiny_png()) == Rejected("the message has no number")


async def test_a_discord_message_that_is_gone_is_told(server, discord, order):
    fired = await discord.send(order())
    server.discord.messages.clear()
    answer = await discord.attach(order(target=fired.provider_id), tiny_png())
    assert not isinstance(answer, Delivered)
