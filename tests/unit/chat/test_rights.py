"""Who may do what: user, chat type, command, button, edited message, channel post, all against one written-out table."""

import itertools

import pytest

from bot.chat.asker import Asker
from bot.chat.commands import COMMANDS, find, menu, parse
from bot.chat.rights import may, refusal
from bot.model.access import is_least
from bot.model.members import Role
from tests.support.chat_world import ADMIN, GROUP, MEMBER, NEW_GROUP, OWNER, STRANGER, VIEWER, ChatWorld

pytestmark = pytest.mark.promise("P12")

V, M, A, O, N = Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER, None
CASES = {
    # What is typed: who may in private, and in a listed group.
    "/oi BTC": (V, V),
    "/price": (V, V),
    "/why BTC": (V, V),
    "/funding": (V, V),
    "/top oi 15m": (V, V),
    "/whynot BTC": (V, V),
    "/pins": (V, V),
    "/pin BTC": (M, M),
    "/unpin BTC": (M, M),
    "/watch": (V, V),
    "/watch majors": (V, V),
    "/watch majors BTC ETH": (M, M),
    "/unwatch majors": (M, M),
    "/board": (V, V),
    "/board resume": (V, V),
    "/board on": (M, A),
    "/board off": (M, A),
    "/score": (V, V),
    "/score oi_surge BTC": (V, V),
    "/score replies": (V, V),
    "/score replies off": (M, A),
    "/status": (V, V),
    "/status details": (V, V),
    "/backup": (O, O),
    "/logs": (O, O),
    "/dashboard": (A, A),
    "/chart BTC": (V, V),
    "/reload": (O, O),
    "/help": (V, V),
    "/start": (V, V),
    "/alerts": (V, V),
    "/alert BTC oi > 5% 15m": (M, M),
    "/delete a-7q4m": (M, M),
    "/tune a-7q4m 8%": (M, M),
    "/undo a-7q4mk2px": (M, M),
    "/new": (M, M),
    "/rules": (V, V),
    "/rules 2": (V, V),
    "/rules oi_surge": (V, V),
    "/rules OFF oi_surge": (M, A),
    "/rules fewer": (M, A),
    "/rules set oi_surge 8%": (M, A),
    "/rules reset": (M, A),
    "/backtest": (M, M),
    "/backtest oi_surge 30d": (M, M),
    "/language": (V, V),
    "/language zh": (M, A),
    "/settings": (M, A),
    "/settings detail short": (M, A),
    "/here": (A, A),
    "/here oi_surge": (A, A),
    "/silences": (V, V),
    "/silence BTC 2h": (M, A),
    "/unsilence s-7q4m": (M, M),
    "/ack #7q4m": (M, M),
    "/quiet": (V, V),
    "/quiet off": (M, A),
    "/quiet 23:00-07:00 Europe/Berlin": (M, A),
    "/stop BTC long": (V, V),
    "/stop BTC long watch": (M, M),
    "/stop BTC long FOLLOW": (M, M),
    "/stops": (V, V),
    "/stops off all": (M, M),
    "/risk": (M, M),
    "/deadletters": (O, O),
    "/deadletters retry all": (O, O),
    "/revive": (O, O),
    "/revive discord": (O, O),
    "/users": (A, A),
    "/user 99 member": (A, A),
    "/admit 99 member": (A, A),
    "/invite": (A, A),
    "/join": (A, A),
    "/audit": (A, A),
    "/mydata": (V, V),
    "/forget me": (V, V),
}
PEOPLE = {OWNER: O, ADMIN: A, MEMBER: M, VIEWER: V, STRANGER: N}
OWN_FAMILIES = {"users", "user", "admit", "invite", "join", "audit", "mydata", "forget"}


def test_every_command_of_the_table_is_in_these_cases():
    assert {parse(text).name for text in CASES} == {spec.name for spec in COMMANDS}


@pytest.mark.parametrize("text", CASES)
def test_the_table_says_who_may(text):
    command = parse(text)
    spec = find(command.name)
    for role, in_group in itertools.product((*Role, None), (False, True)):
        asker = Asker("telegram:-5" if in_group else "telegram:7", "telegram:7", role)
        allowed = is_least(role, CASES[text][in_group])
        assert may(asker, spec, command.words) is allowed, (role, in_group)
        assert (refusal(asker, spec, command.words) is None) is allowed


def test_a_menu_offers_what_may_be_used_there():
    for role, in_group in itertools.product(Role, (False, True)):
        for name, _ in menu(role, in_group=in_group):
            forms = [text for text in CASES if parse(text).name == name]
            assert any(is_least(role, CASES[text][in_group]) for text in forms)
    assert menu(None) == ()
    assert {"alert", "users", "mydata"}.isdisjoint(name for name, _ in menu(Role.VIEWER, in_group=True))


async def world():
    made = ChatWorld()
    owner = Asker("terminal", "terminal", Role.OWNER)
    for user_id, role in ((ADMIN, A), (MEMBER, M), (VIEWER, V)):
        await made.people.give(user_id, role, by=owner)
    return made


def expected(user_id, chat_id, text):
    """Whether a command is carried out."""
    role = PEOPLE[user_id]
    if chat_id == NEW_GROUP:
        return text == "/join" and is_least(role, A)
    if chat_id > 0:
        return is_least(role, CASES[text][0])
    return is_least(role or V, CASES[text][1])


@pytest.mark.parametrize("user_id", PEOPLE)
@pytest.mark.parametrize("where", ["private", "group", "other group"])
async def test_only_the_allowed_command_it(user_id, where):
    """The same by words and by a button; edited, forwarded, by a channel or an anonymous admin never."""
    chat_id = {"private": user_id, "group": GROUP, "other group": NEW_GROUP}[where]
    origin = {"type": "hidden_user", "sender_user_name": "x", "date": 1}
    for text in CASES:
        at = await world()
        is_own = parse(text).name in OWN_FAMILIES
        before = len(at.said)

        def was_done(names, at=at, before=before, is_own=is_own):
            if not is_own:
                return bool(names)
            said = [one.text for one in at.said[before:] if one.how != "press" or one.text]
            return any(not one.startswith(("Only ", "This bot", "This button")) for one in said)

        for kind in ("edited_message", "channel_post", "edited_channel_post"):
            assert await at.says(text, user_id, chat_id, kind=kind) == []
        assert await at.says(text, user_id, chat_id, forward_origin=origin) == []
        anonymous = {"id": GROUP, "type": "supergroup", "title": "G"}
        assert await at.says(text, user_id, chat_id, sender_chat=anonymous) == []
        assert at.said == []
        carried_out = was_done(await at.says(text, user_id, chat_id))
        assert carried_out is expected(user_id, chat_id, text), (text, at.said)

        at = await world()
        data = await at.data_of(text, chat_id)
        before = len(at.said)
        names = await at.presses(data, user_id, chat_id)
        assert was_done(names, at, before) is expected(user_id, chat_id, text), (text, at.said)


async def test_a_button_is_of_its_chat_and_its_person():
    at = await world()
    data = await at.data_of("/oi BTC", GROUP)
    assert await at.presses(data, OWNER, OWNER) == []
    assert await at.presses(data, OWNER, GROUP) == ["oi"]
    mine = await at.data_of("/oi BTC", GROUP, user=f"telegram:{MEMBER}")
    assert await at.presses(mine, ADMIN, GROUP) == []
    assert await at.presses(mine, MEMBER, GROUP) == ["oi"]
    for guess in ("", "x", "a.0", f"{data[:-2]}.99", "/oi BTC", "0" * 64):
        assert await at.presses(guess, OWNER, OWNER) == []


async def test_blocked_people_are_not_answered_anywhere():
    at = await world()
    await at.says(f"/user {STRANGER} block", OWNER)
    n = len(at.said)
    for chat_id in (STRANGER, GROUP):
        assert await at.says("/oi BTC", STRANGER, chat_id) == []
        assert await at.presses(await at.data_of("/oi BTC", chat_id), STRANGER, chat_id) == []
    assert len(at.said) == n
