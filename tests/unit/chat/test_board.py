"""The live board over a chat made by hand, minute by minute."""

import asyncio

import pytest

from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.board import KEY, MAX_BOARDS, BoardActions, Boards, off_page, page
from bot.chat.commands import Command, parse
from bot.chat.telegram_board import BoardKeeper
from bot.chat.telegram_client import Failure, Kind
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.errors import StorageError
from bot.model.cards import BotStatus
from bot.model.members import Role
from bot.model.overview import Mover, Overview
from bot.storage.memory import MemoryKeyValues

OWNER, GROUP = 71, -100_500
STATUS = BotStatus(
    version="1", uptime_s=1.0, n_instruments=1, n_price_fresh=1, price_age_ms=None, n_oi_fresh=1, oi_slowest_ms=None,
    weight_share=None, banned_until_ms=None, feeds=(), n_rules=1, n_firing=0, n_pending=0, n_alerts_today=0, n_outbox=0,
    rss_mb=1.0, disk_free_gb=1.0, warming="",
)  # fmt: skip


class World:
    """Figures that the test sets, and a screen that remembers."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryKeyValues()
        self.change = 0.1
        self.calls: list[tuple] = []
        self.fails: dict[str, Failure] = {}
        self.n_looks = 0
        self.begin()

    def begin(self) -> None:
        """A process that has just started."""
        self.boards = Boards(self.store, self.clock)
        self.keeper = BoardKeeper(self.boards, self, self, self.clock)
        self.actions = BoardActions(self.boards, self)

    async def overview(self, window_ms, n):
        self.n_looks += 1
        rows = tuple(Mover("binance", f"C{k}USDT", 1.0, -0.02, 1e8, self.change - k / 100) for k in range(20))
        return Overview(self.clock.wall_ms(), window_ms, STATUS, rows[:n], (), (), ())

    async def status(self):
        return STATUS

    async def send(self, chat_id, reply):
        self.calls.append(("send", chat_id, to_plain(reply)))
        return self.fails.pop("send", 500 + len(self.calls))

    async def edit(self, chat_id, message_id, reply):
        self.calls.append(("edit", message_id, to_plain(reply)))
        return self.fails.pop("edit", message_id)

    async def pin(self, chat_id, message_id):
        self.calls.append(("pin", message_id))
        return self.fails.pop("pin", None)

    async def unpin(self, chat_id, message_id):
        self.calls.append(("unpin", message_id))

    async def ask(self, text, *, chat=OWNER, user=OWNER):
        self.boards.seen(chat)
        asker = in_telegram(chat, user, is_owner=user == OWNER)
        return await Actions(self.actions.handlers).answer(parse(text), asker=asker)

    async def after(self, seconds: float) -> list[tuple]:
        """What is done within the time, looked at every two seconds."""
        before = len(self.calls)
        for _ in range(int(seconds / 2)):
            await self.clock.advance(2)
            await self.keeper.step()
        return self.calls[before:]

    async def posted(self) -> int:
        await self.ask("/board on")
        await self.keeper.step()
        assert [call[0] for call in self.calls] == ["send", "pin"]
        return self.calls[-1][1]


@pytest.fixture
def world():
    return World()


def test_it_shows_eight_movers_and_when(world):
    rows = tuple(Mover("binance", f"C{k}USDT", 1.0, None, 1e8, 0.1 - k / 100) for k in range(20))
    text = to_plain(page(Overview(1_767_225_600_000, 900_000, STATUS, rows, (), (), ())))
    lines = text.splitlines()
    assert lines[0] == "Top OI moves · 15m"
    assert len(lines) == 1 + 1 + 8 + 1
    assert lines[2].split() == ["1", "C0", "+10.0%", "–"]
    assert lines[-1] == "00:00 UTC"
    assert "Nothing is known yet." in to_plain(page(Overview(0, 900_000, STATUS, (), (), (), ())))


async def test_it_is_posted_and_pinned_once_and_edited_only_when_it_changed(world):
    message = await world.posted()
    assert await world.after(180) == []
    world.change = 0.2
    done = await world.after(60)
    assert [call[:2] for call in done] == [("edit", message)]
    assert "+20.0%" in done[0][2]


async def test_it_is_edited_once_a_minute_at_most_and_looked_at_no_oftener(world):
    await world.posted()
    edits = []
    for n in range(300):
        world.change = 0.1 + n / 1_000
        edits += await world.after(2)
    assert 9 <= len(edits) <= 10
    world.n_looks = 0
    await world.after(600)
    assert world.n_looks <= 10


async def test_a_restart_goes_on_with_the_same_message(world):
    message = await world.posted()
    world.begin()
    await world.boards.load()
    world.change = 0.3
    assert [call[:2] for call in await world.after(62)] == [("edit", message)]


async def test_it_stops_after_a_day_unseen_and_goes_on_when_asked(world):
    message = await world.posted()
    await world.clock.advance(86_400 - 30)
    assert await world.after(10) == []
    done = await world.after(80)
    assert [call[:2] for call in done] == [("edit", message)]
    assert "It stopped" in done[0][2]
    world.change = 0.4
    assert await world.after(300) == []
    shown = await world.ask("/board resume")
    assert "It stopped" not in to_plain(shown)
    done = await world.after(62)
    assert "It stopped" not in done[0][2]


async def test_any_press_in_the_chat_counts_as_being_looked_at(world):
    await world.posted()
    for _ in range(3):
        await world.clock.advance(80_000)
        world.boards.seen(OWNER)
        assert not any("stopped" in call[2] for call in await world.after(62) if call[0] == "edit")


async def test_one_that_was_deleted_is_posted_again(world):
    await world.posted()
    world.fails["edit"] = Failure(Kind.CANNOT_EDIT, "message to edit not found")
    world.change = 0.2
    assert [call[0] for call in await world.after(66)] == ["edit", "send", "pin"]
    assert await world.after(120) == []


async def test_it_gives_way_and_comes_back_a_minute_later(world):
    await world.posted()
    world.change = 0.2
    world.fails["edit"] = Failure(Kind.BUSY, "others need the room")
    assert len(await world.after(62)) == 1
    world.change = 0.3
    assert "+30.0%" in (await world.after(62))[0][2]


async def test_a_chat_that_takes_no_messages_has_none(world):
    await world.posted()
    world.change = 0.2
    world.fails["edit"] = Failure(Kind.FORBIDDEN, "bot was kicked")
    await world.after(62)
    assert world.boards.all() == ()


async def test_a_group_that_moves_takes_it_along(world):
    await world.ask("/board on", chat=GROUP)
    await world.keeper.step()
    world.fails["edit"] = Failure(Kind.MIGRATED, "upgraded", new_chat_id=-1_000_500)
    world.change = 0.2
    done = await world.after(66)
    assert [call[:2] for call in done if call[0] == "send"] == [("send", -1_000_500)]


async def test_off_unpins_it_and_says_so(world):
    message = await world.posted()
    await world.ask("/board off")
    assert await world.after(2) == [("edit", message, to_plain(off_page())), ("unpin", message)]
    assert world.boards.all() == ()
    assert (await world.ask("/board off")).is_refusal


async def test_on_again_while_it_is_being_ended_posts_it_anew(world):
    message = await world.posted()
    await world.ask("/board off")
    edit = world.edit

    async def on_meanwhile(chat_id, message_id, reply):
        await world.ask("/board on")
        return await edit(chat_id, message_id, reply)

    world.edit = on_meanwhile
    assert await world.after(2) == [("edit", message, to_plain(off_page())), ("unpin", message)]
    assert [call[0] for call in await world.after(2)] == ["send", "pin"]


async def test_where_it_may_not_be_pinned_it_says_so(world):
    world.fails["pin"] = Failure(Kind.BAD_REQUEST, "not enough rights to manage pinned messages in the chat")
    await world.posted()
    world.change = 0.2
    assert "I may not pin it here." in (await world.after(62))[0][2]


async def test_in_a_group_only_admins_turn_it_on_and_off_and_anyone_looks(world):
    assert (await world.ask("/board on", chat=GROUP, user=99)).is_refusal
    assert world.boards.all() == ()
    assert "C0" in to_plain(await world.ask("/board", chat=GROUP, user=99))
    await world.ask("/board on", chat=GROUP)
    assert (await world.ask("/board off", chat=GROUP, user=99)).is_refusal
    assert "C0" in to_plain(await world.ask("/board resume", chat=GROUP, user=99))


async def test_what_an_admin_turns_on_and_off_for_a_group_is_for_the_audit_log(world):
    board, admin = BoardActions(world.boards, None), in_telegram(GROUP, OWNER, role=Role.ADMIN)
    did = [(await board.answer(Command("board", (word,)), admin)).did for word in ("on", "off")]
    assert did == [f"turned the board on in telegram:{GROUP}", f"turned the board off in telegram:{GROUP}"]
    in_private = in_telegram(OWNER, OWNER, role=Role.ADMIN)
    assert not (await board.answer(Command("board", ("on",)), in_private)).did


async def test_a_button_of_a_board_that_is_gone_makes_no_new_one(world):
    assert "not kept up to date" in to_plain(await world.ask("/board resume"))
    assert world.boards.all() == ()


async def test_in_the_terminal_it_is_shown_once(world):
    reply = await world.actions.answer(Command("board", ("on",)), AT_TERMINAL)
    assert "C0" in to_plain(reply)
    assert "shown once here" in to_plain(reply)
    assert world.boards.all() == ()


async def test_there_are_not_too_many(world):
    for n in range(MAX_BOARDS):
        assert await world.boards.turn_on(-n - 1)
    assert (await world.ask("/board on")).is_refusal
    assert await world.boards.turn_on(-1)


@pytest.mark.parametrize("stored", ["{", '[{"chat_id": "x"}]', "[1]"])
async def test_what_cannot_be_read_is_as_if_there_were_none(world, stored):
    await world.store.put(KEY, stored)
    await world.boards.load()
    assert world.boards.all() == ()


async def test_a_full_disk_stops_no_board(world):
    async def refuse(_key, _text):
        raise StorageError("disk is full")

    world.store.put = refuse
    await world.posted()
    world.change = 0.2
    assert len(await world.after(62)) == 1


async def test_one_failure_does_not_end_the_keeper(world):
    await world.boards.turn_on(OWNER)
    good, world.overview = world.overview, None
    looking = asyncio.ensure_future(world.keeper.run())
    await world.clock.advance(3)
    world.overview = good
    await world.clock.advance(3)
    looking.cancel()
    assert [call[0] for call in world.calls] == ["send", "pin"]
