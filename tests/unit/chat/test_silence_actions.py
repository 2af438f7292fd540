"""`/silence`, `/silences`, `/unsilence`, `/ack`, `/quiet` as people see them."""

from dataclasses import replace

import pytest

from bot.alerts.muting import Muting
from bot.chat.alert_actions import AlertActions
from bot.chat.asker import AT_TERMINAL, Asker, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.silence_actions import MAX_PER_PERSON, MAX_SILENCES, SilenceActions
from bot.chat.silence_text import read_clock, read_silence
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.chat_alert import ChatAlert
from bot.model.explanation import RuleName
from bot.model.members import Role
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.silence import Silence
from bot.model.view import AlertView
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryOutbox, MemorySilenceStore
from tests.support.chat_actions import looking
from tests.support.hand_alerts import HandChatRules, HandRehearsals

NOW_MS = 1_767_225_600_000  # a Thursday, 00:00 UTC
HOUR = 3_600_000
OWNER = in_telegram(-1001, 7, is_owner=True, name="Ann\u202e Owner")
GUEST, OTHER = in_telegram(-1001, 8, role=Role.ADMIN), in_telegram(-1001, 9)
ELSEWHERE = in_telegram(-2, 8, role=Role.ADMIN)


RULES = (
    RuleName("oi_surge", "OI surge"),
    RuleName("oi_flush", "OI flush"),
    RuleName("funding_extreme", "Funding extreme"),
    RuleName("oi_top", "New high, OI off its high"),
)


class Place:
    """One bot's muting, its stores and its commands."""

    def __init__(self, market, status):
        self.now_ms = NOW_MS
        self.outbox = MemoryOutbox()
        self.alerts = MemoryAlertStore(self.outbox)
        self.store = MemorySilenceStore(self.alerts)
        self.chat_alerts = MemoryChatAlertStore(self.alerts)
        self.muting = Muting()
        clock = ManualClock(wall_ms=NOW_MS)
        silences = SilenceActions(
            market=market,
            store=self.store,
            outbox=self.outbox,
            chat_alerts=self.chat_alerts,
            mutes=self.muting,
            rules=lambda: RULES,
            destination_of={"telegram:-1001": "telegram", "telegram:5": "telegram:5"}.get,
            destinations=lambda: ("telegram", "telegram:5", "discord"),
            venue_now=lambda: self.now_ms,
        )
        asked = AlertActions(
            market=market,
            store=self.chat_alerts,
            desk=None,
            rules=HandChatRules(),
            rehearsals=HandRehearsals(),
            clock=clock,
            max_per_chat=3,
        )
        self.actions = looking(asked, silences, market=market, status=status, why=None, clock=clock)

    async def ask(self, text, asker: Asker = OWNER):
        asked = parse(text)
        assert asked is not None
        reply = await self.actions.answer(asked, asker=asker)
        self.commands = [button.command for row in reply.buttons for button in row]
        for row in reply.buttons:
            assert all(isinstance(parse(button.command), Command) for button in row)
            assert all(len(button.command) <= 1_000 for button in row)
        return to_plain(reply)

    async def only(self) -> Silence:
        (silence,) = await self.store.all()
        assert self.muting.silences(self.now_ms) == [silence]
        return silence

    async def fire(self, symbol="BTCUSDT", kind="fire", n=0, to="telegram"):
        key = alert_key("oi_surge", symbol, NOW_MS + n)
        view = AlertView(
            rule_id="oi_surge", title="OI surge", symbol=symbol, venue="binance", base=symbol[:3], severity="warning",
            short_id=short_id(key), kind=kind, at_ms=NOW_MS, fired_ms=NOW_MS, condition="", value_text="", value=None,
            value_is_ratio=False,
        )  # fmt: skip
        row = OutboxRow(row_id(key, TellKind(kind), 0, to), key, TellKind(kind), to, "warning", NOW_MS, view)
        told = self.muting.take([row], self.now_ms)
        await self.alerts.commit(Commit((), (), told.now, told.kept, told.released, told.folded))
        return row


@pytest.fixture
def place(market, status):
    return Place(market, status)


async def test_the_owner_silences_a_symbol_everywhere_and_sees_what_was_understood(place):
    said = await place.ask("/silence btc 2h moving house")
    one = await place.only()
    assert said == (
        f"🔕 {one.id} BTCUSDT\n"
        "Quiet everywhere until 02:00 UTC (2h).\n"
        "Comment: moving house\n"
        "What fires meanwhile is kept: at the end you are told what still fires, and the rest in a summary."
    )
    assert (one.symbol, one.rule, one.destination, one.severities) == ("BTCUSDT", "", "", ())
    assert (one.starts_ms, one.ends_ms, one.author, one.comment) == (
        NOW_MS,
        NOW_MS + 2 * HOUR,
        "telegram:7",
        "moving house",
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("oi_surge 1d", {"rule": "oi_surge", "ends_ms": NOW_MS + 24 * HOUR}),
        ("OI_* 90m", {"rule": "oi_*", "ends_ms": NOW_MS + 3 * HOUR // 2}),
        ("bt* 1h", {"symbol": "BT*"}),
        ("oi_surge eth until 18:00", {"rule": "oi_surge", "symbol": "ETHUSDT", "ends_ms": NOW_MS + 18 * HOUR}),
        ("btc until 0:00", {"ends_ms": NOW_MS + 24 * HOUR}),
        ("tag:whale severity:info", {"tag": "whale", "severities": ("info",), "ends_ms": NOW_MS + 2 * HOUR}),
        ("all", {"severities": ("info", "warning")}),
        ("3h", {"severities": ("info", "warning"), "ends_ms": NOW_MS + 3 * HOUR}),
        ("all critical for 3h", {"severities": (), "ends_ms": NOW_MS + 3 * HOUR}),
        ("btc here 1h", {"symbol": "BTCUSDT", "destination": "telegram"}),
        ("btc at discord 1h", {"symbol": "BTCUSDT", "destination": "discord"}),
    ],
)
async def test_what_is_typed_becomes_matchers_and_a_time(place, typed, expected):
    await place.ask(f"/silence {typed}")
    one = await place.only()
    assert {name: getattr(one, name) for name in expected} == expected


async def test_what_is_assumed_and_what_passes_is_said(place):
    said = await place.ask("/silence all")
    assert "everything but critical alerts" in said
    assert "No time was given: I took 2h." in said


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("oi_surg 2h", "I know oi_surg neither as a rule nor as a symbol. Did you mean oi_surge?"),
        ("BTCUDST 2h", "Did you mean BTCUSDT"),
        ("btc maintenance", "A comment comes after the time"),
        ("zz* 2h", "neither as a rule"),
        ("tag:a tag:b 2h", "A silence has one tag: a, or b?"),
        ("btc for eth", "a duration such as 2h, not eth"),
        ("btc until 6pm tomorrow", "I expected a time such as 18:00, not tomorrow"),
        ("btc for 2 months", "between 1m and 30d, not 2 months"),
        ("alerts 2h", "I know alerts neither"),
        ("OI surg 1h", "I know OI surg neither as a rule nor as a symbol. Did you mean OI surge?"),
        ("2h on OI surge", "All, or oi_surge? I take one of them. Write it like /silence oi_surge 2h."),
        ("2 hours for btc and eth", "All, or btc? I take one of them. Write it like /silence btc eth 2 hours."),
        ("#eth1 2h", "I know no firing whose id begins with #eth1."),
        ("all btc 2h", "I take one of them"),
        ("btc until noon", "I expected a time such as 18:00, not noon"),
        ("btc 10s", "between 1m and 30d"),
        ("btc 31d", "between 1m and 30d"),
        ("btc for ever", "a duration such as 2h, not ever"),
        ("btc at mars 2h", "I tell nothing at mars. I know telegram, telegram:5, discord."),
        ("severity:loud 1h", "A severity is info, warning, critical."),
        ("#zzzz 1h", "I know no firing whose id begins with #zzzz."),
        ("#u 1h", "I expected four to eight characters"),
        ("a-7777 1h", "neither as a rule"),
        ("off btc", "There is no silence to end."),
        ("btc 1h " + "x" * 201, "at most 200 characters"),
        ("x" * 41, "too long"),
    ],
)
async def test_what_is_wrong_is_told_and_changes_nothing(place, typed, part):
    assert part in await place.ask(f"/silence {typed}")
    assert await place.store.all() == []


async def test_a_firing_names_its_rule_and_symbol(place):
    row = await place.fire("*")
    await place.ask(f"/silence #{row.view.short_id[:5].upper()} 1h")
    one = await place.only()
    assert (one.rule, one.symbol) == ("oi_surge", "[*]")
    assert "the market as a whole" in await place.ask("/silences")
    again = await place.fire("*", n=1)
    assert place.muting.kept_by(one) == (1, 0)
    assert await place.outbox.row_of(again.key, "fire", "telegram") == again


async def test_an_alert_made_in_chat_is_silenced_by_its_id(place):
    alert = ChatAlert("a-7q4mk2px", OWNER.chat, OWNER.user, "binance:BTCUSDT", "price", ">", 1.0, False, NOW_MS)
    await place.chat_alerts.add(alert)
    await place.ask("/silence a-7q4m 1h")
    assert (await place.only()).rule == alert.id


async def test_others_silence_their_chat_and_end_what_they_made(place):
    await place.ask("/silence btc 1h", GUEST)
    one = await place.only()
    assert (one.destination, one.author) == ("telegram", "telegram:8")
    assert await place.ask(f"/unsilence {one.id}", OTHER) == "Only who made a silence, or an admin, may end it."
    assert "Nothing is told in this chat" in await place.ask("/silence btc 1h", ELSEWHERE)
    assert "Only my owner may do that" in await place.ask("/silence btc at discord 1h", GUEST)
    assert "No silence begins with" in await place.ask(f"/unsilence {one.id}", ELSEWHERE)
    assert "Ended" in await place.ask(f"/unsilence {one.id[:3]}", GUEST)
    assert place.muting.silences(NOW_MS) == []


async def test_in_a_group_only_admins_keep_it_quiet(place):
    assert await place.ask("/silence btc 1h", OTHER) == "Only admins may do that in groups."
    assert await place.ask("/quiet 23:00-7", OTHER) == "Only admins may do that in groups."
    assert "No quiet hours" in await place.ask("/quiet", OTHER)
    assert await place.store.all() == []


async def test_unsilence_all_leaves_what_others_made(place):
    await place.ask("/silence btc 1h", GUEST)
    await place.ask("/silence eth here 1h", OWNER)
    await place.ask("/ack #7q4m", OTHER)
    assert await place.ask("/unsilence all", OTHER) == "Ended 0 silences. 2 made by others stay."
    assert await place.ask("/silence off", OWNER) == "Ended 2 silences."
    assert await place.ask("/unsilence all", OWNER) == "There is no silence to end."


async def test_a_prefix_of_several_asks_for_more(place):
    for n in range(40):
        await place.ask(f"/silence btc {n + 1}h")
    ids = [one.id for one in await place.store.all()]
    first = max({i[2] for i in ids}, key=lambda c: sum(i[2] == c for i in ids))
    assert "More than one begins with" in await place.ask(f"/unsilence {first}")


async def test_there_is_a_limit(place):
    for n in range(MAX_SILENCES):
        await place.ask(f"/silence btc {n + 1}m")
    assert f"There are {MAX_SILENCES} silences" in await place.ask("/silence eth 1h")


async def test_silences_lists_what_is_quiet_and_what_is_kept(place):
    assert await place.ask("/silences") == "Nothing is quiet. Try /silence BTC 2h."
    await place.ask("/silence btc 1h tired")
    await place.ask("/quiet 23:00-07:00 Europe/Berlin")
    one = await place.only()
    await place.fire(n=1)
    for kind in ("fire", "end"):
        await place.fire(n=2, kind=kind)
    place.now_ms += HOUR // 2
    assert await place.ask("/silences") == (
        "Silences (1)\n\n"
        f"{one.id} BTCUSDT · tired\n"
        "everywhere · until 02:00 Europe/Berlin (30m) · kept: 1 firing, 1 ended\n\n"
        "Quiet hours\n"
        "telegram · 23:00–07:00 Europe/Berlin · quiet now"
    )
    said = await place.ask(f"/unsilence {one.id}")
    assert "Kept: 1 still fires · 1 ended meanwhile." in said


async def test_ack_stops_repeats_and_shows_who(place):
    row = await place.fire()
    said = await place.ask(f"/ack #{row.view.short_id[:4]} for 4h")
    assert said == (
        f"👍 #{row.view.short_id} BTCUSDT · OI surge\n"
        "No repeats and escalations until 04:00 UTC, or its end. Its end is told."
    )
    (ack,) = await place.store.acks()
    assert (ack.key, ack.destination, ack.by, ack.until_ms) == (row.key, "", "Ann Owner", NOW_MS + 4 * HOUR)
    (shown,) = place.muting.take((), NOW_MS).now
    assert (shown.kind, shown.view.reason) == (TellKind.ACK, "Ann Owner until 04:00 UTC")
    await place.ask(f"/ack {row.view.short_id}", GUEST)
    assert [(a.destination, a.by) for a in await place.store.acks()] == [("", "Ann Owner"), ("telegram", "telegram:8")]


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("", "I expected the id of an alert"),
        ("#abc", "four to eight characters"),
        ("#zzzz", "I know no firing"),
        ("#zzzz for", "a duration such as 2h, not nothing"),
        ("#zzzz 4h please", "I expected nothing, not please"),
    ],
)
async def test_an_ack_that_cannot_be_is_told(place, typed, part):
    assert part in await place.ask(f"/ack {typed}".strip())
    assert await place.store.acks() == []


async def test_an_ack_after_the_end_says_so(place):
    row = await place.fire()
    await place.fire(kind="end")
    assert "has ended already" in await place.ask(f"/ack {row.view.short_id}")
    assert await place.store.acks() == []


async def test_nobody_acknowledges_what_is_told_elsewhere(place):
    row = await place.fire(to="discord")
    assert "I know no firing" in await place.ask(f"/ack {row.view.short_id}", GUEST)


async def test_quiet_hours_of_a_chat(place):
    assert await place.ask("/quiet") == "No quiet hours at telegram. Try /quiet 23:00-07:00 Europe/Berlin."
    assert await place.ask("/quiet 23:00-7 berlin", GUEST) == (
        "🌙 Quiet hours 23:00–07:00 Europe/Berlin at telegram.\n"
        "They have begun: until 07:00 Europe/Berlin.\n"
        "Critical alerts still come through. The rest is kept, and told or summarised at their end."
    )
    assert await place.ask("/quiet") == "Quiet hours at telegram: 23:00–07:00 Europe/Berlin · quiet now."
    said = await place.ask("/quiet 1:00 – 2:30")
    assert "No time zone was given: I took Europe/Berlin." in said
    assert [(q.starts_min, q.ends_min, q.zone) for q in await place.store.quiet_hours()] == [(60, 150, "Europe/Berlin")]
    for typed in (
        *("1am-2:30AM", "1:00 to 2:30", "1am to 2:30am", "1 am to 2:30 am", "from 1 to 2:30", "01.00-02.30", "1h-2h30"),
        *(
            "between 1:00 and 2:30",
            "1:00 02:30",
            "1:00~2:30",
            "1:00-2:30.",
            "on 1:00-2:30",
            "１：００－２：３０",
            "1:00 → 2:30",
        ),
        *("0100-0230", "1-0230"),
        *("1:00 until 2:30", "europe/berlin 1:00-2:30", "1:00-2:30 in berlin", "1:00-2:30 (Europe/Berlin)"),
    ):
        if "erlin" in typed:
            said = said.replace("No time zone was given: I took Europe/Berlin.\n", "")
        assert await place.ask(f"/quiet {typed}") == said
    await place.ask("/quiet 1:00-2:00 at discord")
    assert [(q.destination, q.zone) for q in place.muting.quiet_hours()] == [
        ("discord", "UTC"),
        ("telegram", "Europe/Berlin"),
    ]
    assert await place.ask("/quiet off") == "No more quiet hours at telegram."
    for typed in ("off", "OFF!", "none", "stop", "no"):
        assert await place.ask(f"/quiet {typed}") == "There are no quiet hours at telegram."
    assert [q.destination for q in await place.store.quiet_hours()] == ["discord"]


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("25:00-07:00", "I expected hours such as 23:00-07:00, or off"),
        ("tonight", "I expected hours"),
        ("10-7am", "I expected hours"),
        ("7-7", "an end other than their start"),
        ("for 2 hours", "Write it like /silence all here 2h."),
        ("7d", "Write it like /silence all here 7d."),
        ("1:00 2:00 3:00", "I don't know the time zone 3:00"),
        ("23-7 Europe/Berlni", "I don't know the time zone Europe/Berlni. Did you mean Europe/Berlin?"),
        ("23-7 ../../etc/passwd", "I don't know the time zone"),
        # `Etc/GMT+3` is three hours behind Greenwich, whatever its name says.
        ("23-7 GMT+3", "I don't know the time zone GMT+3. Did you mean Europe/Moscow?"),
        ("23-7 utc-05:00", "Did you mean America/Bogota?"),
        ("23-7 +5:30", "Did you mean Asia/Kolkata?"),
        ("23-7 UTC+0", "Did you mean UTC?"),
        ("23-7 UTC+99", "I don't know the time zone UTC+99."),
        ("23-7 MSK", "Did you mean Europe/Moscow?"),
        ("23-7 PST", "Did you mean America/Los_Angeles?"),
        ("23-7 at mars", "I tell nothing at mars"),
    ],
)
async def test_quiet_hours_that_cannot_be_are_told(place, typed, part):
    assert part in await place.ask(f"/quiet {typed}")
    assert await place.store.quiet_hours() == []


async def test_a_zone_that_was_meant_is_a_button_with_the_same_hours(place):
    await place.ask("/quiet 23-7:30 GMT+3")
    assert "/quiet 23:00-07:30 Europe/Moscow" in place.commands
    await place.ask("/quiet 23-7:30 GMT+3 at discord")
    assert "/quiet 23:00-07:30 Europe/Moscow at discord" in place.commands
    await place.ask("/quiet 23:00-07:30 Europe/Moscow")
    assert [q.zone for q in await place.store.quiet_hours()] == ["Europe/Moscow"]


async def test_at_the_terminal_everything_may_be_silenced_though_nothing_is_told_there(place):
    await place.ask("/silence btc 1h", AT_TERMINAL)
    assert (await place.only()).destination == ""
    assert "Nothing is told in this chat" in await place.ask("/quiet 23-7", AT_TERMINAL)


async def test_without_them_it_says_so(actions):
    for text in ("/silence btc", "/silences", "/unsilence all", "/ack #7q4m", "/quiet"):
        assert to_plain(await actions.answer(parse(text), asker=replace(OWNER))) == "I keep nothing quiet here."


async def test_several_symbols_are_a_silence_each_and_end_together(place):
    said = await place.ask("/silence oi_surge btc,eth 1h both")
    made = sorted(await place.store.all(), key=lambda one: one.symbol)
    assert [(one.rule, one.symbol, one.comment) for one in made] == [
        ("oi_surge", "BTCUSDT", "both"),
        ("oi_surge", "ETHUSDT", "both"),
    ]
    assert said.startswith(
        f"🔕 {made[0].id} rule oi_surge, BTCUSDT\n🔕 {made[1].id} rule oi_surge, ETHUSDT\nQuiet everywhere"
    )
    said = await place.ask(f"/unsilence {made[0].id} {made[1].id}")
    assert said.splitlines()[:2] == [f"🔔 Ended {one.id} rule oi_surge, {one.symbol}." for one in made]
    assert place.muting.silences(place.now_ms) == []


@pytest.mark.parametrize(
    ("typed", "made", "hours"),
    [
        ("btc eth 1h", ["BTCUSDT", "ETHUSDT"], 1),
        ("btc, eth 1h", ["BTCUSDT", "ETHUSDT"], 1),
        ("btc,eth and doge 1h", ["BTCUSDT", "DOGEUSDT", "ETHUSDT"], 1),
        ("btc & eth", ["BTCUSDT", "ETHUSDT"], 2),
        ("btc BTCUSDT 1h", ["BTCUSDT"], 1),
        ("oi_surge oi_flush 1h", ["oi_flush", "oi_surge"], 1),
        ("OI surge 1h", ["oi_surge"], 1),
        ("oi SURGE btc eth 1h", ["oi_surge BTCUSDT", "oi_surge ETHUSDT"], 1),
        ("BTC OI surge and OI-flush 1h", ["oi_flush BTCUSDT", "oi_surge BTCUSDT"], 1),
        ("New high, OI off its high 1h", ["oi_top"], 1),
        ("for 2 hours", [""], 2),
        ("2 hours", [""], 2),
        ("btc for 2 hours", ["BTCUSDT"], 2),
        ("BTC FOR THE NEXT 2 HOURS.", ["BTCUSDT"], 2),
        ("btc half a day", ["BTCUSDT"], 12),
        ("btc an hour", ["BTCUSDT"], 1),
        ("btc for the next hour", ["BTCUSDT"], 1),
        ("btc 1h30m", ["BTCUSDT"], 1.5),
        ("btc 1w", ["BTCUSDT"], 168),
        ("btc 1,5h", ["BTCUSDT"], 1.5),
        ("btc 1 hour 30 minutes", ["BTCUSDT"], 1.5),
        ("btc for 2 hours and 30 minutes", ["BTCUSDT"], 2.5),
        ("btc til 18:00", ["BTCUSDT"], 18),
        ("btc ２ｈ", ["BTCUSDT"], 2),
        ("alerts for btc 2h", ["BTCUSDT"], 2),
        ("all alerts for 2 hours", [""], 2),
        ("btc until 6 pm", ["BTCUSDT"], 18),
        ("btc until 18.00.", ["BTCUSDT"], 18),
        ("$btc #eth 2h", ["BTCUSDT", "ETHUSDT"], 2),
        ("btc. 2h", ["BTCUSDT"], 2),
    ],
)
async def test_what_people_type_to_have_it_quiet(place, typed, made, hours):
    await place.ask(f"/silence {typed}")
    found = await place.store.all()
    assert sorted(f"{one.rule} {one.symbol}".strip() for one in found) == made
    assert {(one.ends_ms - NOW_MS) / HOUR for one in found} == {hours}
    assert {one.comment for one in found} == {""}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("OI surg 1h", "/silence oi_surge 60m"),
        ("OI surg btc 1h", "/silence oi_surge btc 60m"),
        ("eth oi_surg here 2h", "/silence eth oi_surge here 120m"),
        ("btc 30", "/silence btc 30m"),
        ("for 45", "/silence for 45m"),
        ("btc 18:00", "/silence btc until 18:00"),
    ],
)
async def test_a_near_name_is_offered_with_all_else(place, typed, offered):
    reply = await place.actions.answer(parse(f"/silence {typed}"), asker=OWNER)
    assert reply.buttons[0][0].command == offered


async def test_a_symbol_behind_unsilence_is_loud_again(place):
    await place.ask("/silence btc 2h")
    await place.ask("/silence OI surge 2h")
    assert "BTCUSDT" in await place.ask("/unsilence BTC")
    assert "oi_surge" in await place.ask("/unmute OI surge")
    assert parse("/unmute OI_surge").try_instead[-1] == "/silence oi_surge off"
    assert "No silence begins with zzz" in await place.ask("/unsilence zzz")
    assert "There is no silence to end" in await place.ask("/unsilence eth")
    for typed in ("/unsilence everything", "/silence EVERYTHING off", "/silence ALL off", "/unsilence all!"):
        await place.ask("/silence btc eth 2h")
        assert (await place.ask(typed)).startswith("Ended ")
        assert place.muting.silences(NOW_MS) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/silence btc,nosuch 1h", "nosuch"),
        ("/silence btc nosuch eth 1h", "nosuch"),
        ("/silence " + " ".join(f"c{n}" for n in range(21)), "That is 21 symbols; I take up to 20 at once."),
        ("/silence all btc,eth", "All, or btc? I take one of them."),
        ("/silence " + ",".join(f"c{n}" for n in range(21)), "That is 21 symbols; I take up to 20 at once."),
        ("/unsilence s-all", "I expected the first characters of a silence's id, or all."),
        ("/unsilence s-0 s-1", "No silence begins with 0."),
    ],
)
async def test_of_several_one_that_is_wrong_stops_all(place, typed, said):
    assert said in await place.ask(typed)
    assert await place.store.all() == []


async def test_one_person_cannot_take_the_room_of_all(place):
    member = in_telegram(5, 5, role=Role.MEMBER)
    for n in range(MAX_PER_PERSON):
        await place.ask(f"/silence btc {n + 1}m", asker=member)
    assert f"You have {MAX_PER_PERSON} silences" in await place.ask("/silence eth 1h", asker=member)
    assert "ETHUSDT" in await place.ask("/silence eth 1h", asker=GUEST)
    for n in range(MAX_PER_PERSON + 1):
        await place.ask(f"/silence sol {n + 1}m", asker=OWNER)
    await place.ask("/unsilence all", asker=member)
    assert "ETHUSDT" in await place.ask("/silence eth 1h", asker=member)


@pytest.mark.parametrize("typed", ["all here 8h", "all 8h here", "8h here", "here 8h"])
async def test_here_and_critical_may_stand_behind_the_time(typed):
    wish = read_silence(tuple(typed.split()))
    assert (wish.is_here, wish.duration_ms, wish.comment) == (True, 8 * 3_600_000, "")
    assert read_silence((*typed.split(), "critical")).also_critical


def test_times_of_half_a_day():
    read = [read_clock(typed) for typed in ("6pm", "6:30pm", "12am", "12pm", "6AM", "13pm", "0am")]
    assert read == [1080, 1110, 0, 720, 360, None, None]


async def test_what_is_silenced_is_loud_again_by_the_same_words(place):
    for typed in ("btc 2h", "oi_surge btc 2h", "eth 2h"):
        await place.ask(f"/silence {typed}")
    assert "rule oi_surge" in await place.ask("/silence oi_surge BTC off")
    assert "BTCUSDT" in await place.ask("/silence bitcoin off")
    assert await place.ask("/silence btc off") == "There is no silence to end."
    assert "ETHUSDT" in await place.ask("/silences")
    assert "I know zzz neither" in await place.ask("/silence zzz off")
    assert await place.ask("/silence off") == "Ended 1 silence."


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("2h btc", "btc 2h"),
        ("2h btc,btcusdt", "btc btcusdt 2h"),
        ("here for 2h oi_surge BTC", "oi_surge BTC here for 2h"),
        ("until 18:00 #7q4m", ""),
    ],
)
async def test_what_is_named_behind_the_time_does_not_silence_everything(place, typed, instead):
    said = await place.ask(f"/silence {typed}")
    if instead:
        assert said.endswith(f" I take one of them. Write it like /silence {instead}.")
        assert await place.store.all() == []
        await place.ask(f"/silence {instead}")
        assert (await place.only()).symbol == "BTCUSDT"
        assert (await place.ask("/silence 2h btc off")).endswith("Write it like /silence btc off.")
        assert len(await place.store.all()) == 1
    else:
        assert "Comment: #7q4m" in said, "there is no such alert"


@pytest.mark.parametrize("typed", ["2h lunch", "2h btc lunch", "all 2h btc"])
async def test_a_comment_of_what_is_silenced_as_a_whole(place, typed):
    await place.ask(f"/silence {typed}")
    assert (await place.only()).symbol == ""


async def test_a_comment_may_end_with_off(place):
    await place.ask("/silence btc 2h")
    assert "Comment: taking the day off" in await place.ask("/silence eth 8h taking the day off")
    assert sorted(one.symbol for one in await place.store.all()) == ["BTCUSDT", "ETHUSDT"]
    assert "ETHUSDT" in await place.ask("/silence eth 8h off")
    assert "BTCUSDT" in await place.ask("/silence off btc")


async def test_without_words_it_asks_for_how_long(place):
    assert (await place.ask("/mute")).startswith("For how long is everything but critical alerts to be quiet here?")
