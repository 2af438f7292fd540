"""Buttons that lead nowhere: said to whoever pressed, and the message is drawn anew or loses them."""

import json

import pytest

from tests.integration.chat.conftest import GROUP, OWNER

STRANGE = "x" * 22 + ".0"
ELSEWHERE = {"text": "TradingView ↗", "url": "https://www.tradingview.com/"}


def button(data):
    return {"text": "old", "callback_data": data}


def said(api):
    return [one["text"] for one in api.of("answerCallbackQuery")]


async def answered_before(api, method):
    names = [name for name, _ in api.calls]
    return names.index("answerCallbackQuery") < names.index(method)


async def test_of_a_command_that_is_no_more_the_message_is_drawn_anew(api, chat):
    data = await chat.data("/oi-of-old BTC", origin="/oi BTC")
    async with chat.running() as running:
        await api.add(chat.press(data, shown=[button(data)], message_id=77))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
        assert running.counts["press_stale"] == 1
    assert said(api) == ["This button is out of date. I show its message as it is now."]
    (edit,) = api.of("editMessageText")
    assert edit["message_id"] == "77"
    assert edit["text"].startswith("<b>BTCUSDT</b> open interest")
    assert "inline_keyboard" in edit["reply_markup"]
    assert await answered_before(api, "editMessageText")
    assert api.of("sendMessage") == api.of("editMessageReplyMarkup") == []


async def test_what_is_as_it_was_is_no_error(api, chat):
    api.fail("editMessageText", 400, "Bad Request: message is not modified: specified new message content")
    data = await chat.data("/oi-of-old BTC", origin="/oi BTC")
    async with chat.running() as running:
        await api.add(chat.press(data, shown=[button(data)]))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert api.of("sendMessage") == []


async def test_what_drew_a_message_is_remembered_over_restarts_and_refreshes(api, chat, buttons):
    async with chat.running() as running:
        await api.add(chat.message("oi btc"))
        await api.wait_for(lambda: api.of("sendMessage"))
        await api.add(chat.press(buttons(api.of("sendMessage")[0])[0]))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
        await api.add(chat.message("/pin BTC"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 3)
    assert [k.origin for k in chat.button_store.stored.values()] == ["/oi btc", ""], (
        "a command that changes is not repeated"
    )


async def test_nobody_knows_what_drew_it_so_only_the_dead_buttons_go(api, chat):
    alive = await chat.data("/oi BTC")
    async with chat.running():
        await api.add(chat.press(STRANGE, shown=[button(STRANGE), ELSEWHERE, button(alive)], message_id=77))
        await api.wait_for(lambda: api.of("editMessageReplyMarkup"))
    assert said(api)[0].startswith("This button is out of date: I keep them for 30 days.")
    (edit,) = api.of("editMessageReplyMarkup")
    assert (edit["chat_id"], edit["message_id"]) == (str(OWNER), "77")
    rows = json.loads(edit["reply_markup"])["inline_keyboard"]
    assert [one["text"] for row in rows for one in row] == ["TradingView ↗", "old"]
    assert rows[1][0]["callback_data"] == alive
    assert await answered_before(api, "editMessageReplyMarkup")
    assert api.of("editMessageText") == []


async def test_below_an_alert_the_dead_buttons_go_and_the_alert_stays(api, chat):
    data = await chat.data("/oi-of-old BTC", chat_id=GROUP, place="whales", origin="/oi BTC")
    async with chat.running():
        await api.add(chat.press(data, chat_id=GROUP, shown=[button(data)]))
        await api.wait_for(lambda: api.of("editMessageReplyMarkup"))
    assert "reply_markup" not in api.of("editMessageReplyMarkup")[0]
    assert api.of("editMessageText") == api.of("sendMessage") == []


@pytest.mark.parametrize("shown", [(), ("y" * 22 + ".0",)])
async def test_what_the_message_does_not_show_changes_nothing(api, chat, shown):
    async with chat.running():
        await api.add(chat.press(STRANGE, shown=[button(one) for one in shown]))
        await api.wait_for(lambda: api.of("answerCallbackQuery"))
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("editMessageText") == api.of("editMessageReplyMarkup") == []


async def test_what_changes_something_is_never_repeated_to_draw_a_message(api, chat):
    data = await chat.data("/oi-of-old BTC", origin="/pin BTC")
    async with chat.running():
        await api.add(chat.press(data, shown=[button(data)]))
        await api.wait_for(lambda: api.of("editMessageReplyMarkup"))
    assert chat.lists.pins(f"telegram:{OWNER}") == ()


async def test_of_an_alert_that_is_gone_the_list_is_drawn_anew_below_what_is_said(api, chat):
    data = await chat.data("/delete a-00000000", origin="/alerts")
    async with chat.running() as running:
        await api.add(chat.press(data, shown=[button(data)], message_id=77))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    (edit,) = api.of("editMessageText")
    first, *_, last = edit["text"].split("\n")
    assert first.startswith("No alert of this chat begins with")
    assert last.startswith("No alerts of this chat yet.")
