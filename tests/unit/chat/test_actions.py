"""Answers as people read them: golden text for Telegram, and what must be true of every answer."""

from dataclasses import replace

import pytest

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import COMMANDS, Command, UsageError, parse
from bot.chat.reply import Button, line
from bot.chat.telegram_html import keyboard, to_html, to_plain
from bot.clock import ManualClock
from bot.model.cards import FeedHealth
from bot.model.members import Role
from tests.support.chat_actions import looking


@pytest.fixture
def ask(actions):
    async def ask(text):
        asked = parse(text)
        assert asked is not None
        return await actions.answer(asked, asker=AT_TERMINAL)

    return ask


def test_every_command_of_the_table_has_a_handler_or_says_that_it_has_none(actions):
    assert actions.handled <= {spec.name for spec in COMMANDS}
    assert all(spec.without for spec in COMMANDS if spec.name not in actions.handled)


async def test_what_no_family_carries_out_is_answered_with_a_sentence(ask):
    assert (await ask("/alerts")).blocks == (line("I take no alerts here."),)


async def test_the_oi_card(ask):
    reply = await ask("/oi btc")
    assert (
        to_html(reply)
        == """\
<b>BTCUSDT</b> open interest
93.6k BTC · $8.72B · #1

<pre>         OI   Price
 5m  +1.82%  +0.41%
15m  +6.06%  +0.89%
 1h  +6.42%  +0.61%
 4h  +5.90%  −0.22%
24h  +7.93%  −1.21%</pre>

15m: Price up + OI up: new longs are opening.
Funding +0.0081% / 8h · 1h 29m to go
Binance · OI 12 s old"""
    )
    assert [[one.command or one.url for one in row] for row in keyboard(reply)] == [
        ["/oi BTCUSDT", "/chart BTCUSDT", "/new BTCUSDT oi"],
        [
            "/price BTCUSDT",
            "/funding BTCUSDT",
            "https://www.tradingview.com/chart/?symbol=BINANCE:BTCUSDT.P",
            "/pin BTCUSDT",
        ],
    ]


async def test_what_is_unknown_is_a_dash_and_never_a_zero(ask):
    text = to_html(await ask("/oi sol"))
    assert (
        text
        == """\
<b>SOLUSDT</b> open interest
– · –

<pre>     OI  Price
 5m   –      –
15m   –      –
 1h   –      –
 4h   –      –
24h   –      –</pre>

Funding –
Binance · OI – · price –"""
    )
    price = to_html(await ask("/price sol"))
    assert price == "<b>SOLUSDT</b> –  – 24h\n<code>24h range –</code>\nIndex – · basis –\nBinance · price –"


async def test_several_symbols_make_a_table_and_the_unknown_are_named(ask):
    reply = await ask("/oi btc pepe 币安人生 BTCUDST <b>")
    assert (
        to_html(reply)
        == """\
<b>Open interest</b>
<pre>             OI    15m    24h
BTC      $8.72B +6.06% +7.93%
1000PEPE  $320M +6.06% +7.93%
币安人生  $110M +6.06% +7.93%</pre>

I don't know the symbol <code>BTCUDST</code>.
I don't know the symbol <code>&lt;b&gt;</code>."""
    )
    assert [[button.command for button in row] for row in reply.buttons] == [
        ["/oi BTCUSDT", "/oi 1000PEPEUSDT", "/oi 币安人生USDT"],
        ["/oi BTCUSDT"],
    ]


async def test_no_symbol_gives_the_five_largest_that_trade(ask):
    reply = await ask("/oi")
    assert [button.label for row in reply.buttons for button in row] == ["BTC", "ETH", "DOGE", "1000PEPE", "币安人生"]
    assert to_plain(reply).startswith("Open interest · the 5 largest\n")
    assert to_plain(await ask("/price show me the price of btc?")) == to_plain(await ask("/price btc"))
    for typed in ("/oi all", "/oi TOP 10", "/oi market?"):
        assert to_plain(await ask(typed)) == to_plain(reply)
    assert next(button.command for row in (await ask("/p")).buttons for button in row) == "/price BTCUSDT"


async def test_before_anything_is_known_it_says_so(market, ask):
    market.cards.clear()
    assert to_plain(await ask("/oi")) == "No open interest is known yet. Try again in a minute."
    assert to_plain(await ask("/oi btc")) == "No data for BTCUSDT yet. Try again in a minute."
    assert to_plain(await ask("/oi btc eth")) == "No open interest is known yet. Try again in a minute."


async def test_an_unknown_symbol_is_never_guessed(ask):
    reply = await ask("/price BTCUDST")
    assert to_html(reply) == "I don't know the symbol <code>BTCUDST</code>."
    assert reply.buttons == ((Button("BTCUSDT", "/price BTCUSDT"),),)
    nothing = await ask("/oi qqqqq")
    assert to_html(nothing) == "I don't know the symbol <code>qqqqq</code>. Try /oi BTC."
    assert nothing.buttons == ()


async def test_the_price_card(ask):
    reply = await ask("/price btc")
    assert (
        to_html(reply)
        == """\
<b>BTCUSDT</b> 93,183  ▼ −1.21% 24h
<code>24h 92,000 ───────●──── 94,000</code>
Index 93,173 · basis +0.0110%"""
    )


async def test_a_contract_that_ended_and_old_data_say_so(market, ask):
    market.cards["binance:LUNAUSDT"] = replace(
        market.cards["binance:LUNAUSDT"], price_age_ms=190_000, oi_age_ms=8 * 60_000
    )
    text = to_plain(await ask("/oi LUNAUSDT"))
    assert "Not trading now (SETTLING)." in text
    assert text.endswith("Binance · OI 8m old · price 3m old")
    assert to_plain(await ask("/price LUNAUSDT")).endswith("Binance · price 3m old")


async def test_status_when_all_is_well(ask):
    assert (
        to_plain(await ask("/status"))
        == """\
✅ All good · up 6d 4h · v1.4.0

Prices 532 of 532 symbols, 0.4 s behind
OI 530 of 532 symbols, slowest 41 s
Weight 38% of the venue's limit
Alerts 14 today · 1 firing · 2 pending
Rules 8 loaded
Memory 143 MB · disk 2.1 GB free"""
    )


@pytest.mark.parametrize(
    ("change", "first_line"),
    [
        (
            {"n_oi_fresh": 0, "oi_slowest_ms": 430_000},
            "⚠️ OI data is 7m old: OI alerts are paused. Price alerts work.",
        ),
        (
            {"n_oi_fresh": 0, "oi_slowest_ms": None, "n_price_fresh": 0, "price_age_ms": 65_000},
            "⚠️ Price data is 1m old: alerts are paused.",
        ),
        ({"n_oi_fresh": 300}, "⚠️ OI is fresh for 300 of 532 symbols: the others' OI alerts are paused."),
        ({"n_price_fresh": 300}, "⚠️ Prices are fresh for 300 of 532 symbols: the others' alerts are paused."),
        (
            {"banned_until_ms": 1_767_225_600_000 + 720_000},
            "⚠️ The venue has banned this address until 00:12 UTC (12m): OI alerts are paused. Price alerts work.",
        ),
        ({"banned_until_ms": 1_767_225_600_000 - 1}, "✅ All good · up 6d 4h · v1.4.0"),
        (
            {"feeds": (FeedHealth("markPrice", False, "no frame for 20 s"), FeedHealth("oi", True, ""))},
            "⚠️ markPrice is down: no frame for 20 s.",
        ),
        (
            {"warming": "history of 310 symbols", "n_oi_fresh": 0},
            "⏳ Warming up: history of 310 symbols. Rules that need more history wait for it.",
        ),
        ({"n_instruments": 0, "n_price_fresh": 0, "n_oi_fresh": 0}, "⚠️ No symbols are known: nothing is watched."),
    ],
)
async def test_the_first_line_of_status_names_what_people_lose(status, ask, healthy, change, first_line):
    status.now = replace(healthy, **change)
    assert to_plain(await ask("/status")).split("\n")[0] == first_line


async def test_status_without_figures_shows_dashes(status, ask, healthy):
    status.now = replace(healthy, weight_share=None, oi_slowest_ms=None, price_age_ms=None, n_outbox=3)
    text = to_plain(await ask("/status"))
    assert "Weight – of the venue's limit" in text
    assert "slowest –" in text
    assert "3 waiting to be sent" in text


async def test_help_lists_the_table_on_one_screen(ask):
    text = to_plain(await ask("/help"))
    assert len(text.split("\n")) <= 34
    listed = [spec for spec in COMMANDS if spec.is_listed]
    assert all(f"{spec.usage} · {spec.does}" in text for spec in listed if not spec.is_minor)
    assert all(f"/{spec.name}" in text for spec in listed)
    assert "/start" not in text


async def test_help_tells_more_of_one_command_and_falls_back_to_the_list(ask):
    assert "Short: /o" in to_plain(await ask("/help o"))
    assert to_plain(await ask("/help quit")).startswith("I have no help on quit. Did you mean quiet? Topics:")
    assert to_plain(await ask("/help stop")).startswith("/stop")


async def test_help_has_topics_that_are_no_commands(ask):
    for topic in ("symbols", "windows", "figures", "marks", "quiet", "rules", "risk", "quadrants", "mute"):
        reply = await ask(f"/help {topic}")
        assert len(to_plain(reply).split("\n")) >= 4
        assert all(isinstance(parse(one.command), Command) for row in reply.buttons for one in row)
    assert to_plain(await ask("/help alert")).startswith("/alert")


async def test_start_counts_what_is_watched(ask):
    reply = await ask("/start junk_payload")
    assert "I watch 7 perpetuals" in to_plain(reply)
    assert all(isinstance(parse(button.command), Command) for row in reply.buttons for button in row)


async def test_a_usage_error_offers_what_to_type(actions):
    reply = await actions.answer(UsageError("Write it like /oi BTC.", ("/oi BTC",)), asker=AT_TERMINAL)
    assert reply.buttons == ((Button("/oi BTC", "/oi BTC"),),)


async def test_asking_for_the_largest_costs_five_cards_and_lets_the_loop_run_between_them(
    make_contract, make_card, status, why
):
    class Large:
        n_cards = n_in_a_row = longest = 0

        def instruments(self):
            return [make_contract(base) for base in ("ETH", "BTC", *(f"C{i}" for i in range(500)))]

        def largest(self, n):
            return [one.key for one in self.instruments()][:n]

        def card(self, key):
            self.n_cards += 1
            self.n_in_a_row += 1
            self.longest = max(self.longest, self.n_in_a_row)
            return make_card(make_contract(key.removeprefix("binance:").removesuffix("USDT")))

    class Clock(ManualClock):
        async def sleep(self, seconds):
            market.n_in_a_row = 0
            await super().sleep(seconds)

    market = Large()

    await looking(market=market, status=status, why=why, clock=Clock()).answer(parse("/oi"), asker=AT_TERMINAL)

    assert market.n_cards == 5
    assert market.longest == 1


async def test_a_destination_that_died_is_told(ask, status):
    status.now = replace(status.now, dead_destinations=("telegram: the bot was blocked",))

    assert "⚠️ Nothing can be sent to telegram: the bot was blocked" in to_plain(await ask("/status"))


async def test_status_says_what_is_quiet(actions, status):
    assert "Quiet" not in to_plain(await actions.answer(Command("status"), asker=AT_TERMINAL))
    status.now = replace(status.now, n_silences=2, quiet=("telegram",), n_kept=1)
    said = to_plain(await actions.answer(Command("status"), asker=AT_TERMINAL))
    assert "Quiet 2 silences · quiet hours at telegram · 1 alert kept" in said


async def test_trouble_with_what_is_stored_and_the_age_of_the_backup_are_told(ask, status):
    assert "Backup" not in to_plain(await ask("/status"))
    status.now = replace(status.now, troubles=("Nothing can be stored: the disk is full.",), backup="5h ago, 7 kept")

    page = to_plain(await ask("/status"))

    assert page.startswith("⚠️ Nothing can be stored: the disk is full.")
    assert "All good" not in page
    assert "Backup 5h ago, 7 kept" in page


async def test_status_counts_what_people_asked_for(ask, status):
    status.now = replace(status.now, n_chat_alerts=7)
    assert "Rules 8 loaded · 7 alerts of chats" in to_plain(await ask("/status"))


async def test_the_details_of_status_tell_feed_by_feed(ask, status):
    feeds = (FeedHealth("mark price", False, "no frame for 20 s"), FeedHealth("open interest", True, ""))
    status.now = replace(status.now, feeds=feeds, dead_destinations=("telegram: blocked",))
    text = to_plain(await ask("/status details"))
    assert text.startswith("⚠️ mark price is down: no frame for 20 s.")
    assert "✗ mark price: no frame for 20 s\n✓ open interest" in text
    assert text.endswith("Cannot be reached\ntelegram: blocked")
    assert (await ask("/status details")).buttons[0][-1].command == "/status"


async def test_help_on_nothing_offers_what_was_meant(ask):
    assert to_plain(await ask("/help alrt")).startswith("I have no help on alrt. Did you mean alert? Topics:")
    assert to_plain(await ask("/help xyzzy")).startswith("I have no help on xyzzy. Topics:")


async def test_who_may_set_rules_is_asked_at_the_start_how_often(actions):
    async def commands(asker):
        reply = await actions.answer(parse("/start"), asker=asker)
        return [button.command for row in reply.buttons for button in row]

    told = await commands(AT_TERMINAL)
    assert {"/rules fewer", "/rules normal", "/rules more", "/quiet"} <= set(told)
    assert "/rules fewer" not in await commands(replace(AT_TERMINAL, role=Role.VIEWER))
