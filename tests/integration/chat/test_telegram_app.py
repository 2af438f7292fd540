"""Chat over real sockets. The clock runs a hundredfold, so a pause of a minute takes 0.6 s."""

import asyncio
import json

import pytest

from bot.app.moves import Moves
from bot.chat.actions import Actions
from bot.chat.commands import menu
from bot.chat.reply import Reply, line
from bot.clock import SystemClock
from bot.model.members import Role
from bot.model.news import SecondCopy

pytestmark = pytest.mark.integration

OWNER, GROUP, STRANGER = 71, -100_500, 99


async def test_the_owner_asks_and_gets_the_card(api, chat, buttons):
    async with chat.running() as running:
        await api.add(chat.message("/oi BTC"))
        await api.wait_for(lambda: api.of("sendMessage"))
        sent = api.of("sendMessage")[0]
        assert sent["chat_id"] == str(OWNER)
        assert sent["parse_mode"] == "HTML"
        assert sent["text"].startswith("<b>BTCUSDT</b> open interest\n")
        assert len(buttons(sent)) == 6
        assert all(1 <= len(one.encode()) <= 64 for one in buttons(sent))
        await api.wait_for(lambda: running.counts["reply_sent"])
        assert running.last_poll_ok_ms is not None
    assert chat.seen == [OWNER]


LISTED = [name for name, _ in menu()]


async def test_the_menu_is_set_for_strangers_and_for_our_chats(api, chat):
    async with chat.running():
        await api.wait_for(lambda: len(api.of("setMyCommands")) == 5)
    menus = {}
    for call in api.of("setMyCommands"):
        commands = {one["command"]: one["description"] for one in json.loads(call["commands"])}
        menus[json.loads(call.get("scope", "{}")).get("chat_id"), call.get("language_code", "")] = commands
    assert {key: list(commands) for key, commands in menus.items()} == {
        (None, ""): ["start", "help"],
        (None, "zh"): ["start", "help"],
        (OWNER, ""): LISTED,
        (OWNER, "zh"): LISTED,
        (GROUP, ""): [name for name, _ in menu(Role.VIEWER, in_group=True)],
    }
    assert menus[OWNER, ""]["status"] == "feeds, delays, alerts"
    assert menus[OWNER, "zh"]["status"] == "数据源、延迟、警报"


async def test_the_long_poll_is_real_and_asks_for_three_kinds(api, chat):
    async with chat.running():
        await api.wait_for(lambda: api.of("getUpdates"))
        await asyncio.sleep(0.3)
    polls = api.of("getUpdates")
    assert len(polls) == 1
    assert json.loads(polls[0]["allowed_updates"]) == ["message", "callback_query", "my_chat_member"]
    assert "offset" not in polls[0]


@pytest.mark.promise("P12")
async def test_a_stranger_gets_one_polite_answer_even_over_a_restart(api, chat):
    async with chat.running() as running:
        await api.add(*(chat.message(text, user_id=STRANGER) for text in ("/oi BTC", "/start", "hello")))
        await api.wait_for(lambda: running.counts["ignore"] == 2)
        await api.wait_for(lambda: chat.store.values.get("telegram.offset.123456", "").startswith("104 "))
    async with chat.running() as running:
        await api.add(chat.message("/start", user_id=STRANGER))
        await api.wait_for(lambda: running.counts["ignore"] == 1)
    assert [call["text"] for call in api.of("sendMessage")] == ["This bot is private."]
    assert chat.seen == []


@pytest.mark.promise("P12")
async def test_nothing_is_said_where_nobody_asked_us(api, chat):
    bot = {"id": 5, "is_bot": True, "first_name": "B"}
    group = {"id": GROUP, "type": "supergroup", "title": "G"}
    edited = chat.message("/oi BTC")
    edited["edited_message"] = edited.pop("message")
    post = chat.message("/oi BTC", chat_id=GROUP)
    post["channel_post"] = post.pop("message")
    origin = {"type": "hidden_user", "sender_user_name": "x", "date": 1}
    member = {"user": bot, "status": "member"}
    added = {"chat": {"id": -7, "type": "group", "title": "X"}, "from": {"id": OWNER, "is_bot": False, "first_name": "A"},
             "date": 1, "old_chat_member": {**member, "status": "left"}, "new_chat_member": member}  # fmt: skip
    silent = [
        edited,
        post,
        chat.message("/oi BTC", chat_id=-100_600),
        chat.message("/oi BTC", chat_id=GROUP, sender_chat=group),
        chat.message("/oi BTC", chat_id=GROUP, **{"from": bot}),
        chat.message("/oi BTC", forward_origin=origin),
        chat.message("/oi@other_bot BTC", chat_id=GROUP),
        chat.message("/unknown", chat_id=GROUP),
        chat.message("just talking", chat_id=GROUP),
        chat.message("x", migrate_to_chat_id=-100_700, chat_id=GROUP),
        chat.press(await chat.data("/oi BTC", chat_id=-100_600), user_id=STRANGER, chat_id=-100_600),
        {"update_id": 150, "my_chat_member": added},
    ]
    async with chat.running() as running:
        await api.add(*silent)
        await api.wait_for(lambda: chat.store.values.get("telegram.offset.123456", "").startswith("151 "))
        assert running.counts["handling_failed"] == 0
    assert {name for name, _ in api.calls} == {"getMe", "setMyCommands", "getUpdates"}


@pytest.mark.promise("P12")
async def test_without_an_owner_nobody_is_answered(api, chat):
    async with chat.running(owner_id=None) as running:
        await api.add(
            chat.message("/oi BTC"), chat.message("/oi BTC", chat_id=GROUP), chat.press(await chat.data("/oi BTC"))
        )
        await api.wait_for(lambda: running.counts["ignore"] == 3)
    assert api.of("sendMessage") == api.of("answerCallbackQuery") == []


async def test_in_a_listed_group_everyone_is_answered_as_a_quote(api, chat):
    async with chat.running():
        asked = chat.message(
            "/oi@my_bot BTC", user_id=STRANGER, chat_id=GROUP, message_thread_id=8, is_topic_message=True
        )
        await api.add(asked)
        await api.wait_for(lambda: api.of("sendMessage"))
    sent = api.of("sendMessage")[0]
    assert (sent["chat_id"], sent["message_thread_id"]) == (str(GROUP), "8")
    quoted = json.loads(sent["reply_parameters"])
    assert quoted == {"message_id": asked["message"]["message_id"], "allow_sending_without_reply": True}


async def test_twenty_commands_a_minute_then_one_warning(api, chat):
    chat.clock = SystemClock()
    async with chat.running() as running:
        await api.add(*(chat.message("/help") for _ in range(60)))
        await api.wait_for(lambda: sum(running.counts[name] for name in ("answer", "ignore", "slow_down")) == 60)
        await api.wait_for(
            lambda: running.counts["reply_sent"] == running.counts["answer"] + running.counts["slow_down"]
        )
    # One token comes back every three seconds, however slow the machine.
    assert 20 <= running.counts["answer"] <= 23
    assert 1 <= running.counts["slow_down"] <= 4


async def test_an_update_that_cannot_be_read_is_skipped_and_stops_nothing(api, chat):
    poison = [{"update_id": 101, "message": {"chat": 7}}, {"update_id": 102, "callback_query": "x"}]
    async with chat.running() as running:
        chat._n = 102
        await api.add(*poison, chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
        await api.wait_for(lambda: len(api.of("getUpdates")) >= 2)
        n_polls = len(api.of("getUpdates"))
        await asyncio.sleep(0.3)
        assert len(api.of("getUpdates")) <= n_polls + 1
    assert running.counts["poison"] == 2
    assert api.of("getUpdates")[1]["offset"] == "104"


@pytest.mark.parametrize("junk", [{"a": 1}, "text", None, [1, "x", {"update_id": "7"}, {"message": {}}]])
async def test_an_answer_that_is_no_list_of_updates_is_no_hot_loop(api, chat, junk):
    for _ in range(200):
        api.answer_raw("getUpdates", junk)
    async with chat.running():
        await api.wait_for(lambda: api.of("getUpdates"))
        await asyncio.sleep(0.3)
    assert len(api.of("getUpdates")) <= 40


async def test_after_a_restart_nothing_done_is_answered_again(api, chat):
    api.is_forgetful = True
    async with chat.running() as running:
        await api.add(chat.message("/help"), chat.message("/oi BTC"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
        await api.wait_for(lambda: chat.store.values.get("telegram.offset.123456", "").startswith("103 "))
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert len(api.of("sendMessage")) == 3


async def test_an_update_in_work_when_the_process_dies_is_taken_up_again(api, chat):
    api.is_forgetful = True
    chat.market.hold = asyncio.Event()
    async with chat.running() as running:
        await api.add(chat.message("/status"), chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    chat.market.hold = None
    async with chat.running() as running:
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
    assert [call["text"][:9] for call in api.of("sendMessage")].count("Something") == 1


async def test_a_full_disk_does_not_stop_answers(api, chat):
    chat.store.is_broken = True
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
        await api.wait_for(lambda: running.counts["store_failed"])


async def test_what_was_asked_long_ago_is_left_except_the_newest(api, chat):
    old = [chat.message(f"/oi c{i}", age_s=4_000) for i in range(3)]
    await api.add(*old)
    async with chat.running() as running:
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
        await api.wait_for(lambda: chat.store.values.get("telegram.offset.123456", "").startswith("104 "))
        await api.add(chat.message("/oi late", age_s=4_000))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
    assert running.counts["too_old"] == 2
    assert ["c2" in api.of("sendMessage")[0]["text"], "late" in api.of("sendMessage")[1]["text"]] == [True, True]


TOO_LATE = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@pytest.mark.parametrize(
    ("command", "away_s", "n_failed", "n_late"),
    [("/pin BTC", 400, 0, 1), ("/pin BTC", 0, 0, 0), ("/pin BTC", 200, 8, 1), ("/oi BTC", 400, 0, 0)],
)
async def test_what_was_pressed_long_ago_while_the_bot_was_away_changes_nothing(
    api, chat, command, away_s, n_failed, n_late
):
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    number, _ = chat.store.values["telegram.offset.123456"].split()
    data = await chat.data(command)
    await api.add(chat.press(data), chat.message("/help"))
    api.fail("answerCallbackQuery", 400, TOO_LATE)
    for _ in range(n_failed):
        # Two minutes of pauses in all.
        api.fail("getUpdates", 502, "Bad Gateway")
    chat.store.values["telegram.offset.123456"] = f"{number} {round(chat.clock.wall_ms()) - away_s * 1_000}"
    async with chat.running() as running:
        await api.wait_for(lambda: running.counts["reply_sent"] == 2 - n_late)
        await api.wait_for(lambda: chat.store.values["telegram.offset.123456"].startswith(f"{int(number) + 2} "))
        # What comes now is answered, however late Telegram takes the answer to be.
        api.fail("answerCallbackQuery", 400, TOO_LATE)
        await api.add(chat.press(data))
        await api.wait_for(lambda: running.counts["reply_sent"] == 3 - n_late)
    assert running.counts["press_too_old"] == n_late


async def test_what_waited_for_the_network_is_taken_as_what_waited_for_a_start(api, chat):
    data = await chat.data("/pin BTC")
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
        for _ in range(17):
            # More than six minutes of pauses in all.
            api.fail("getUpdates", 502, "Bad Gateway")
        await api.wait_for(lambda: running.counts["poll_network"] >= 16, seconds=30)
        api.fail("answerCallbackQuery", 400, TOO_LATE)
        await api.add(chat.press(data), *(chat.message(f"/oi c{i}", age_s=4_000) for i in range(3)))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2, seconds=30)
        await api.wait_for(lambda: running.counts["press_too_old"] == 1)
        api.fail("answerCallbackQuery", 400, TOO_LATE)
        await api.add(chat.press(data))
        await api.wait_for(lambda: running.counts["reply_sent"] == 3)
    assert running.counts["too_old"] == 2
    assert "c2" in api.of("sendMessage")[1]["text"]


def test_a_proxy_that_cannot_be_used_is_told_before_anything_runs(chat, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises((RuntimeError, ValueError, ImportError), match=r"(?i)socks"):
        chat.make()


async def test_a_second_copy_is_told_once_and_waited_out(api, chat):
    for _ in range(2):
        api.fail("getUpdates", 409, "Conflict: terminated by other getUpdates request; make sure that only one")
    async with chat.running() as running:
        await api.wait_for(lambda: chat.heard)
        await asyncio.sleep(0.3)
        assert len(api.of("getUpdates")) == 1
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
        assert running.counts["poll_conflict"] == 2
    assert set(chat.heard) == {SecondCopy()}, "how often the owner is told of it is not the chat's affair"


async def test_a_webhook_in_the_way_is_removed(api, chat):
    api.fail("getUpdates", 409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook")
    async with chat.running():
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert len(api.of("deleteWebhook")) == 1


@pytest.mark.promise("P15")
async def test_a_refused_token_stops_polling_and_is_not_shown(api, chat, caplog):
    token = "654321:" + "z" * 35
    async with chat.running(token=token) as running:
        await api.wait_for(lambda: running.stopped_reason)
        await asyncio.sleep(0.3)
        assert len(api.calls) == 1
    assert running.stopped_reason == "Telegram refused the token"
    shown = caplog.text
    assert "@BotFather" in shown
    assert "z" * 35 not in shown


async def test_a_flood_limit_of_polling_is_honoured(api, chat):
    api.fail("getUpdates", 429, "Too Many Requests: retry after 50", retry_after=50)
    async with chat.running() as running:
        await api.wait_for(lambda: api.of("getUpdates"))
        await asyncio.sleep(0.3)
        assert len(api.of("getUpdates")) == 1
        await api.wait_for(lambda: running.last_poll_ok_ms is not None)


async def test_a_lost_server_is_survived_with_growing_pauses(api, chat):
    for _ in range(8):
        api.fail("getUpdates", 502, "Bad Gateway")
    async with chat.running() as running:
        await api.wait_for(lambda: running.last_poll_ok_ms is not None)
        assert running.counts["poll_network"] == 8
        # 1 + 2 + 4 + 8 + 16 + 30 + 30 s pass before the eighth failure: the connections were replaced on the way.
        assert running.counts["client_renewed"] >= 1
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))


async def test_a_flood_limit_on_an_answer_delays_it(api, chat):
    api.fail("sendMessage", 429, "Too Many Requests: retry after 10", retry_after=10)
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert len(api.of("sendMessage")) == 2


async def test_a_long_flood_limit_drops_the_answer_and_the_next_ones_unsent(api, chat):
    api.fail("sendMessage", 429, "Too Many Requests: retry after 600", retry_after=600)
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_lost"] == 1)
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_lost"] == 2)
    assert len(api.of("sendMessage")) == 1


async def test_markup_that_telegram_refuses_goes_out_as_plain_text(api, chat):
    api.fail("sendMessage", 400, "Bad Request: can't parse entities: unsupported start tag")
    async with chat.running() as running:
        await api.add(chat.message("/oi BTC"))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    second = api.of("sendMessage")[1]
    assert second["text"].startswith("BTCUSDT open interest\n")
    assert "parse_mode" not in second
    assert "reply_markup" not in second


async def test_a_blocked_chat_is_not_tried_again(api, chat):
    api.fail("sendMessage", 403, "Forbidden: bot was blocked by the user")
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_lost"] == 1)
    assert len(api.of("sendMessage")) == 1


async def test_a_closed_topic_gets_the_answer_in_the_chat(api, chat):
    api.fail("sendMessage", 400, "Bad Request: message thread not found")
    async with chat.running() as running:
        await api.add(chat.message("/help", chat_id=GROUP, message_thread_id=8, is_topic_message=True))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert ["message_thread_id" in call for call in api.of("sendMessage")] == [True, False]


async def test_refresh_edits_the_message_it_sits_on(api, chat, buttons):
    async with chat.running() as running:
        await api.add(chat.message("/oi BTC"))
        await api.wait_for(lambda: api.of("sendMessage"))
        await api.add(chat.press(buttons(api.of("sendMessage")[0])[0]))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
    edit = api.of("editMessageText")[0]
    assert (edit["chat_id"], edit["message_id"]) == (str(OWNER), "9001")
    assert edit["text"].startswith("<b>BTCUSDT</b> open interest\n2 BTC")
    assert buttons(edit) == buttons(api.of("sendMessage")[0]), "the same buttons are the same keyboard"
    assert [k.commands for k in chat.button_store.stored.values()] == [
        ("/oi BTCUSDT", "/chart BTCUSDT", "/new BTCUSDT oi", "/price BTCUSDT", "/funding BTCUSDT", "/pin BTCUSDT")
    ]
    names = [name for name, _ in api.calls]
    assert names.index("answerCallbackQuery") < names.index("editMessageText")
    assert len(api.of("sendMessage")) == 1


async def test_a_press_pins_below_the_same_message_and_one_button_leads_elsewhere(api, chat, buttons):
    async with chat.running() as running:
        await api.add(chat.message("/oi BTC"))
        await api.wait_for(lambda: api.of("sendMessage"))
        await api.add(chat.press(buttons(api.of("sendMessage")[0])[-1]))
        await api.wait_for(lambda: running.counts["reply_sent"] == 2)
    assert chat.lists.pins(f"telegram:{OWNER}") == ("binance:BTCUSDT",)
    edit = api.of("editMessageText")[0]
    assert edit["text"].startswith("📌 Pinned: BTCUSDT.")
    assert [k.commands[-1] for k in chat.button_store.stored.values()] == ["/pin BTCUSDT", "/unpin BTCUSDT"]
    urls = [one["url"] for row in json.loads(edit["reply_markup"])["inline_keyboard"] for one in row if "url" in one]
    assert urls == ["https://www.tradingview.com/chart/?symbol=BINANCE:BTCUSDT.P"]
    assert len(api.of("sendMessage")) == 1


@pytest.mark.parametrize("data", ["al:m:BTCUSDT", "", "/oi BTC", "x.0", ".0", "x" * 22 + ".9", "x" * 60 + ".0", "x.²"])
async def test_a_button_of_another_age_says_so(api, chat, data):
    async with chat.running():
        await api.add(chat.press(data))
        await api.wait_for(lambda: api.of("answerCallbackQuery"))
    assert api.of("answerCallbackQuery")[0]["text"].startswith("This button is out of date")
    assert api.of("editMessageText") == api.of("sendMessage") == []


async def test_a_button_works_after_a_restart(api, chat, buttons):
    async with chat.running():
        await api.add(chat.message("/oi BTC"))
        await api.wait_for(lambda: api.of("sendMessage"))
    chat.buttons = chat.registry()
    async with chat.running():
        await api.add(chat.press(buttons(api.of("sendMessage")[0])[3]))
        await api.wait_for(lambda: api.of("editMessageText"))
    assert api.of("editMessageText")[0]["text"].startswith("<b>BTCUSDT</b> 1.00")


@pytest.mark.promise("P12")
async def test_a_button_works_in_its_chat_and_for_whom_it_is_alone(api, chat):
    mine = await chat.data("/oi BTC", chat_id=GROUP, user=f"telegram:{OWNER}")
    of_owner = await chat.data("/oi BTC")
    async with chat.running() as running:
        await api.add(chat.press(of_owner, chat_id=GROUP), chat.press(mine, chat_id=GROUP, user_id=STRANGER))
        await api.wait_for(lambda: len(api.of("answerCallbackQuery")) == 2)
        assert running.counts["press_stale"] == 2
        told = {one["text"] for one in api.of("answerCallbackQuery")}
        assert len(told) == 2
        assert "This button is for somebody else." in told
        assert api.of("editMessageText") == api.of("sendMessage") == []
        await api.add(chat.press(mine, chat_id=GROUP))
        await api.wait_for(lambda: api.of("editMessageText"))


async def test_a_button_below_an_alert_is_answered_below_it(api, chat):
    async with chat.running():
        data = await chat.data("/oi BTC", chat_id=GROUP, place="whales")
        await api.add(chat.press(data, chat_id=GROUP, user_id=STRANGER, message_id=77))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("editMessageText") == [], "the alert stays as it is"
    assert json.loads(api.of("sendMessage")[0]["reply_parameters"])["message_id"] == 77
    names = [name for name, _ in api.calls]
    assert names.index("answerCallbackQuery") < names.index("sendMessage")


async def test_nothing_new_on_refresh_is_no_error(api, chat):
    api.fail("editMessageText", 400, "Bad Request: message is not modified: specified new message content")
    async with chat.running() as running:
        await api.add(chat.press(await chat.data("/oi BTCUSDT")))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert api.of("sendMessage") == []


async def test_a_message_that_is_gone_is_answered_anew(api, chat):
    api.fail("editMessageText", 400, "Bad Request: message to edit not found")
    api.fail(
        "answerCallbackQuery", 400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
    )
    async with chat.running() as running:
        await api.add(chat.press(await chat.data("/oi BTCUSDT")))
        await api.wait_for(lambda: running.counts["reply_sent"] == 1)
    assert len(api.of("sendMessage")) == 1


async def test_what_breaks_inside_is_an_apology_without_details(api, chat):
    async with chat.running():
        await api.add(chat.message("/status"))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("sendMessage")[0]["text"] == "Something went wrong on my side; the log has the details."


async def test_a_slow_answer_holds_up_no_other(api, chat):
    chat.market.hold = asyncio.Event()
    async with chat.running():
        await api.add(chat.message("/status"), chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
        assert api.of("sendMessage")[0]["text"].startswith("<b>Look</b>")


async def test_an_answer_that_never_comes_ends_in_an_apology(api, chat):
    chat.market.hold = asyncio.Event()
    async with chat.running():
        await api.add(chat.message("/status"))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("sendMessage")[0]["text"] == "That took too long. Try again in a minute."


async def test_a_poll_that_hangs_is_noticed_and_the_connection_replaced(api, chat):
    api.n_hanging = 1
    async with chat.running() as running:
        await api.add(chat.message("/help"))
        await api.wait_for(lambda: api.of("sendMessage"))
        assert running.counts["poll_timed_out"] == 1
        assert running.counts["client_renewed"] == 1


async def test_a_connection_refused_is_survived(api, chat):
    url, api.url = api.url, "http://127.0.0.1:1"
    running = chat.make()
    api.url = url
    task = asyncio.create_task(running.run())
    await api.wait_for(lambda: running.counts["poll_network"] >= 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running.last_poll_ok_ms is None


@pytest.mark.parametrize("method", ["getMe", "setMyCommands", "sendMessage"])
async def test_an_answer_that_makes_no_sense_ends_nothing(api, chat, method):
    api.answer_raw(method, {"unexpected": [1]})
    async with chat.running() as running:
        await api.add(chat.message("/help"), chat.message("/help"))
        await api.wait_for(lambda: running.counts["reply_sent"] + running.counts["reply_lost"] == 2)
        await api.wait_for(lambda: len(api.of("setMyCommands")) == 5)


async def test_alerts_belong_to_their_chat_and_to_who_made_them(api, chat):
    async with chat.running():
        await api.add(chat.message("/alert btc price > 70000", chat_id=GROUP))
        await api.wait_for(lambda: len(api.of("sendMessage")) == 1)
        (alert,) = await chat.alert_store.of_chat(f"telegram:{GROUP}", limit=9)
        assert alert.user == f"telegram:{OWNER}"
        assert f"<code>{alert.id}</code>" in api.of("sendMessage")[0]["text"]
        await api.add(chat.message("/alerts"))
        await api.wait_for(lambda: len(api.of("sendMessage")) == 2)
        assert api.of("sendMessage")[1]["text"].startswith("No alerts of this chat yet.")
        await api.add(chat.message(f"/delete {alert.id}", user_id=STRANGER, chat_id=GROUP))
        await api.wait_for(lambda: len(api.of("sendMessage")) == 3)
        assert api.of("sendMessage")[2]["text"] == "Only members may do that."
        await api.add(chat.press(await chat.data(f"/delete {alert.id}", chat_id=GROUP), chat_id=GROUP))
        await api.wait_for(lambda: api.of("editMessageText"))
        assert api.of("editMessageText")[0]["text"].startswith("Deleted ")
    assert await chat.alert_store.count(f"telegram:{GROUP}") == 0


class NothingStored:
    """The rows of other rooms, which this front does not know."""

    def __init__(self) -> None:
        self.moved: list[tuple[str, str]] = []

    async def move(self, old: str, new: str) -> None:
        self.moved.append((old, new))

    async def rename(self, old: str, new: str) -> None: ...


SUPERGROUP = -1_001_500


@pytest.mark.promise("P10")
@pytest.mark.parametrize("heard", ["in the old group", "in the new group", "by an error", "by an alert"])
async def test_a_group_that_became_a_supergroup_is_followed(api, chat, heard):
    stored = NothingStored()
    chat.moves = await Moves.load(chat.store, stored)
    data = await chat.data("/oi BTC", chat_id=GROUP)
    chat.moves.listeners.append(lambda old, new: chat.buttons.moved(f"telegram:{old}", f"telegram:{new}"))
    async with chat.running() as running:
        match heard:
            case "in the old group":
                await api.add(chat.message("", chat_id=GROUP, migrate_to_chat_id=SUPERGROUP))
            case "in the new group":
                await api.add(chat.message("", chat_id=SUPERGROUP, migrate_from_chat_id=GROUP))
            case "by an error":
                told = "Bad Request: group chat was upgraded to a supergroup chat"
                api.fail("sendMessage", 400, told, migrate_to_chat_id=SUPERGROUP)
                await api.add(chat.message("/oi BTC", chat_id=GROUP))
            case _:
                await chat.moves.moved(GROUP, SUPERGROUP)
        await api.wait_for(lambda: chat.moves.now(GROUP) == SUPERGROUP)
        if heard == "by an error":
            await api.wait_for(lambda: running.counts["reply_sent"])
            assert api.of("sendMessage")[-1]["chat_id"] == str(SUPERGROUP), "the answer is not lost"
        n = len(api.of("sendMessage"))
        await api.add(chat.message("/price BTC", chat_id=SUPERGROUP, user_id=STRANGER))
        await api.wait_for(lambda: len(api.of("sendMessage")) == n + 1)
        await api.add(chat.press(data, chat_id=SUPERGROUP, user_id=STRANGER))
        await api.wait_for(lambda: api.of("editMessageText"))
        await api.add(chat.message("/oi BTC", chat_id=GROUP))
        await api.wait_for(lambda: running.counts["ignore"] == 1)
    assert stored.moved == [(f"telegram:{GROUP}", f"telegram:{SUPERGROUP}")]
    chat.moves = await Moves.load(chat.store, stored)
    async with chat.running():
        n = len(api.of("sendMessage"))
        await api.add(chat.message("/oi BTC", chat_id=SUPERGROUP))
        await api.wait_for(lambda: len(api.of("sendMessage")) == n + 1)


@pytest.mark.promise("P12")
async def test_a_move_of_a_chat_that_is_not_ours_moves_nothing(api, chat):
    chat.moves = await Moves.load(chat.store, NothingStored())
    async with chat.running():
        await api.add(chat.message("", chat_id=SUPERGROUP, migrate_from_chat_id=-100_600), chat.message("/oi BTC"))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert chat.moves.now(-100_600) == -100_600


async def test_who_asks_in_a_topic_is_known_to_be_there(api, chat):
    asked = []

    async def here(_command, asker):
        asked.append(asker.topic)
        return Reply((line("here"),))

    async with chat.running(actions=Actions({"here": here})):
        await api.add(chat.message("/here@my_bot all", chat_id=GROUP, message_thread_id=8, is_topic_message=True))
        # A reply in a group without topics has a thread too, which is none.
        await api.add(chat.message("/here@my_bot all", chat_id=GROUP, message_thread_id=9))
        await api.add(chat.message("/here"))
        await api.wait_for(lambda: len(api.of("sendMessage")) == 3)
    assert asked == [8, None, None]
