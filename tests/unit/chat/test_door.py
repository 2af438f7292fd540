"""The door: requests and their cards, links, groups, what admins decide, what people may ask about themselves."""

import json

import pytest

from bot.chat import people_pages as pages
from bot.chat.people import CARDS_PER_DAY
from bot.chat.telegram_door import GOODBYES_PER_HOUR
from bot.model.access import DAY_MS, FORGOTTEN, Standing
from bot.model.chat_alert import ChatAlert, alert_id
from bot.model.members import MAX_WRONG, Member, Role
from tests.support.chat_world import ADMIN, GROUP, MEMBER, NEW_GROUP, OTHER, OWNER, STRANGER, VIEWER, ChatWorld

pytestmark = pytest.mark.promise("P12")


@pytest.fixture
async def at():
    world = ChatWorld()
    await world.says(f"/user {ADMIN} admin", OWNER)
    await world.says(f"/user {MEMBER} member", OWNER)
    world.said.clear()
    return world


async def asks(at, user_id=STRANGER):
    """A stranger asks to be let in."""
    await at.says("/start", user_id)
    await at.presses(at.latest(user_id).button("Ask"), user_id)


def alert(user_id, chat_id):
    chat, user = f"telegram:{chat_id}", f"telegram:{user_id}"
    return ChatAlert(
        alert_id(chat, "x", user_id), chat, user, "binance:BTCUSDT", "price", ">", 1.0, False, 1, cooldown_ms=1
    )


# -- requests


async def test_a_stranger_asks_once_and_each_admin_gets_one_card(at):
    await asks(at)
    assert at.texts(STRANGER) == [
        "This bot is private.",
        "This bot is private.\nRequest sent. I will message you here.",
    ]
    for admin in (OWNER, ADMIN):
        assert at.texts(admin) == ["👤 P99 (@p99, id 99) asks for access."]
    assert at.texts(MEMBER) == []
    n = len(at.said)
    for text in ("/start", "/oi BTC", "hello", "/start ask"):
        await at.says(text, STRANGER)
    assert len(at.said) == n


async def test_a_press_again_sends_no_second_card_before_a_day_is_over(at):
    await at.says("/start", STRANGER)
    ask = at.latest(STRANGER).button("Ask")
    for _ in range(5):
        await at.presses(ask, STRANGER)
    assert len(at.texts(OWNER)) == 1
    await at.clock.advance(DAY_MS / 1000)
    await at.presses(ask, STRANGER)
    assert len(at.texts(OWNER)) == 2


async def test_the_button_of_a_stranger_serves_nobody_else_and_no_other_button_serves_a_stranger(at):
    await at.says("/start", STRANGER)
    ask = at.latest(STRANGER).button("Ask")
    await at.presses(ask, OTHER)
    await at.presses(await at.data_of("/oi BTC", STRANGER), STRANGER)
    assert await at.strangers.all() == []
    assert at.done == []


async def test_a_crowd_gets_few_answers_and_makes_few_cards(at):
    for n in range(200):
        await at.clock.advance(600)
        await at.says("/start", 1_000 + n)
        said = [one for one in at.said if one.chat_id == 1_000 + n]
        if said:
            await at.presses(said[-1].button("Ask"), 1_000 + n)
    assert len(at.texts(OWNER)) <= CARDS_PER_DAY * 2
    assert len(await at.strangers.all()) > CARDS_PER_DAY * 2


@pytest.mark.parametrize(
    ("label", "role", "told"),
    [
        ("Member", Role.MEMBER, "You are in, as a member."),
        ("Look only", Role.VIEWER, "You are in, as a viewer."),
        ("Decline", None, "Your request was declined."),
        ("Block", None, None),
    ],
)
async def test_a_card_is_answered_by_a_tap_and_taken_back_by_another(at, label, role, told):
    await asks(at)
    card = at.latest(ADMIN)
    n_told = len(at.texts(STRANGER))
    await at.presses(card.button(label), ADMIN)
    assert at.people.role_of(STRANGER) is role
    assert at.people.is_blocked(STRANGER) is (label == "Block")
    edited = at.latest(ADMIN)
    assert edited.how == "edit"
    assert "by you, 00:00 UTC" in edited.text
    assert "UTC UTC" not in edited.text
    assert len(at.texts(STRANGER)) - n_told == (told is not None)
    if told:
        assert at.texts(STRANGER)[-1].startswith(told)
    await at.presses(edited.button("Undo"), ADMIN)
    assert at.people.role_of(STRANGER) is None
    assert at.people.stranger(STRANGER).standing is Standing.ASKED
    assert "asks for access" in at.latest(ADMIN).text
    # The other admin's card still counts, and answers once.
    await at.presses(card.button("Member"), OWNER)
    assert at.people.role_of(STRANGER) is None, "a card of another chat"


async def test_of_two_admins_the_second_is_told_of_the_first(at):
    await asks(at)
    mine, others = at.latest(OWNER), at.latest(ADMIN)
    await at.presses(mine.button("Member"), OWNER)
    await at.presses(others.button("Block"), ADMIN)
    assert at.people.role_of(STRANGER) is Role.MEMBER
    assert at.latest(ADMIN).text == "P99 is a member already."


# -- roles


async def test_only_the_owner_makes_and_changes_admins_and_nobody_the_owner(at):
    for text in (f"/user {MEMBER} admin", "/invite admin"):
        await at.says(text, ADMIN)
        assert at.texts(ADMIN)[-1] == "Only the owner may make or change admins."
    await at.says(f"/user {OTHER} admin", OWNER)
    for fate in ("member", "remove", "block"):
        await at.says(f"/user {OTHER} {fate}", ADMIN)
        await at.says(f"/user {OWNER} {fate}", ADMIN)
        await at.says(f"/user {ADMIN} {fate}", ADMIN)
        await at.says(f"/admit {OTHER}", ADMIN)
    roles = dict(at.people.members)
    assert roles == {OWNER: Role.OWNER, ADMIN: Role.ADMIN, OTHER: Role.ADMIN, MEMBER: Role.MEMBER}


async def test_a_change_of_role_counts_at_once_and_changes_the_menu(at):
    assert await at.says("/alert BTC oi > 5% 15m", MEMBER) == ["alert"]
    n = len(at.client.menus[MEMBER])
    await at.says(f"/user {MEMBER} viewer", OWNER)
    assert await at.says("/alert BTC oi > 5% 15m", MEMBER) == []
    assert len(at.client.menus[MEMBER]) < n
    await at.says(f"/user {MEMBER} remove", OWNER)
    assert MEMBER not in at.client.menus
    assert await at.says("/oi", MEMBER) == []
    await at.presses(at.latest(OWNER).button("Undo"), OWNER)
    assert at.people.role_of(MEMBER) is Role.VIEWER


async def test_who_loses_the_role_loses_the_alerts_of_the_private_chat(at):
    await at.alerts.add(alert(MEMBER, MEMBER))
    await at.alerts.add(alert(MEMBER, GROUP))
    await at.says(f"/user {MEMBER} remove", OWNER)
    assert await at.alerts.count(f"telegram:{MEMBER}") == 0
    assert await at.alerts.count(f"telegram:{GROUP}") == 1


async def test_members_get_a_way_for_their_alerts(at):
    assert at.ways == [ADMIN, MEMBER]
    await at.says(f"/user {OTHER} viewer", OWNER)
    assert at.ways == [ADMIN, MEMBER]


async def test_the_list_and_the_log_say_who_and_what(at):
    await asks(at)
    await at.says("/users", ADMIN)
    assert at.texts(ADMIN)[-1].split("\n")[2:] == [
        "👑 71 · owner · id 71",
        "🛠 72 · admin · id 72",
        "✅ 73 · member · id 73",
        "· P99 asks for access",
    ]
    await at.says(f"/user {STRANGER} block", ADMIN)
    await at.says("/audit", ADMIN)
    lines = at.texts(ADMIN)[-1].split("\n")[2:]
    assert [one[12:] for one in lines] == ["72: blocked P99", "71: made 73 member", "71: made 72 admin"]


async def test_a_stored_owner_beside_the_one_of_the_settings_is_nobody(at):
    await at.members.put(Member("telegram:5", Role.OWNER, "telegram:5", "Old", 1))
    await at.people.load()
    assert at.people.role_of(5) is None
    assert await at.says("/status", 5) == []


# -- links


async def test_the_owner_gets_a_link_in_private_and_nobody_else_anywhere(at):
    for user_id, chat_id in ((ADMIN, ADMIN), (OWNER, GROUP), (ADMIN, GROUP)):
        await at.says("/invite", user_id, chat_id)
        assert "oibot invite member" in at.texts(chat_id)[-1]
        assert "inv_" not in at.texts(chat_id)[-1]
    await at.says("/invite viewer", OWNER)
    link = next(one for one in at.texts(OWNER)[-1].split("\n") if "t.me" in one)
    await at.says(f"/start {link.partition('start=')[2]}", STRANGER)
    assert at.people.role_of(STRANGER) is Role.VIEWER
    assert at.texts(STRANGER)[0].startswith("You are in, as a viewer.")
    assert at.texts(OWNER)[-1] == "P99 opened an invitation and is a viewer."
    await at.says(f"/start {link.partition('start=')[2]}", OTHER)
    assert at.people.role_of(OTHER) is None
    assert "has been used" in at.texts(OTHER)[-1]


async def test_a_link_counts_for_a_day_in_private_and_not_for_the_blocked(at):
    code = await at.invites.issue(Role.MEMBER)
    await at.says(f"/user {OTHER} block", OWNER)
    for user_id, chat_id, more in ((STRANGER, GROUP, {}), (OTHER, OTHER, {}), (STRANGER, STRANGER, {"via_bot": BOT})):
        await at.says(f"/start inv_{code}", user_id, chat_id, **more)
    assert at.people.role_of(STRANGER) is at.people.role_of(OTHER) is None
    await at.clock.advance(DAY_MS / 1000)
    await at.says(f"/start inv_{code}", STRANGER)
    assert "older than a day" in at.texts(STRANGER)[-1]


BOT = {"id": 5, "is_bot": True, "first_name": "B"}


async def test_guesses_close_the_door_and_are_answered_once_a_day(at):
    code = await at.invites.issue(Role.MEMBER)
    for n in range(MAX_WRONG):
        await at.says(f"/start inv_guess{n}", 1_000 + n % 3)
    assert [len(at.texts(1_000 + n)) for n in range(3)] == [1, 1, 1]
    await at.says(f"/start inv_{code}", STRANGER)
    assert "Too many wrong links" in at.texts(STRANGER)[-1]
    await at.clock.advance(3_600)
    await at.says(f"/start inv_{code}", STRANGER)
    assert at.people.role_of(STRANGER) is Role.MEMBER


# -- groups


async def test_a_group_is_listed_where_an_admin_adds_the_bot(at):
    await at.membership(NEW_GROUP, ADMIN, "left", "member")
    assert at.texts(NEW_GROUP)[0].startswith("I answer here from now on.")
    assert await at.says("/oi BTC", STRANGER, NEW_GROUP) == ["oi"]
    assert at.ways[-1] == NEW_GROUP
    assert [g.title for g in await at.groups.all()] == ["G100600"]
    await at.membership(NEW_GROUP, STRANGER, "member", "administrator")
    assert await at.says("/oi BTC", STRANGER, NEW_GROUP) == ["oi"]
    await at.membership(NEW_GROUP, STRANGER, "administrator", "kicked")
    assert await at.says("/oi BTC", STRANGER, NEW_GROUP) == []
    assert await at.groups.all() == []


async def test_a_member_may_only_propose_a_group(at):
    await at.membership(NEW_GROUP, MEMBER, "left", "member")
    button = at.latest(NEW_GROUP).button("Use me here")
    for user_id in (MEMBER, STRANGER):
        await at.presses(button, user_id, NEW_GROUP)
        assert await at.groups.all() == []
    await at.presses(button, ADMIN, NEW_GROUP)
    assert [g.title for g in await at.groups.all()] == ["G100600"]
    assert at.client.left == []


async def test_the_bot_leaves_groups_of_strangers_and_soon_without_a_word(at):
    for n in range(GOODBYES_PER_HOUR + 5):
        await at.membership(-200_000 - n, STRANGER, "left", "member")
    assert len(at.client.left) == GOODBYES_PER_HOUR + 5
    assert len(at.said) == GOODBYES_PER_HOUR
    await at.membership(-300_000, STRANGER, "left", "administrator", type="channel", title="C")
    assert at.client.left[-1] == -300_000


async def test_here_off_leaves_and_ends_what_was_made_there(at):
    await at.says("/join", ADMIN, NEW_GROUP)
    await at.alerts.add(alert(MEMBER, NEW_GROUP))
    await at.says("/join off", MEMBER, NEW_GROUP)
    assert at.texts(NEW_GROUP)[-1] == "Only admins may do that."
    await at.says("/join off", ADMIN, NEW_GROUP)
    assert at.client.left == [NEW_GROUP]
    assert await at.alerts.count(f"telegram:{NEW_GROUP}") == 0
    await at.says("/join off", ADMIN, GROUP)
    assert at.texts(GROUP)[-1].startswith("The settings name this chat")


# -- what is stored


async def test_somebody_gets_what_is_stored_and_may_have_it_forgotten(at):
    await at.says("/mydata", MEMBER)
    document = at.latest(MEMBER).reply.file
    stored = json.loads(document.content)["stored"]
    assert stored["members"][0]["user"] == f"telegram:{MEMBER}"
    await at.alerts.add(alert(MEMBER, MEMBER))
    await at.says("/forget me yes", MEMBER)
    assert at.people.role_of(MEMBER) is Role.MEMBER, "it asks first"
    await at.clock.advance(61)
    await at.presses(at.latest(MEMBER).button("Delete"), MEMBER)
    assert at.people.role_of(MEMBER) is Role.MEMBER, "the question was a minute ago"
    await at.presses(at.latest(MEMBER).button("Delete"), MEMBER)
    assert at.people.role_of(MEMBER) is None
    assert await at.data.export(f"telegram:{MEMBER}") == {}
    assert await at.alerts.count(f"telegram:{MEMBER}") == 0
    assert at.audit.changes[-1].what == f"deleted what was stored about {FORGOTTEN}"
    await at.says("/forget me", OWNER)
    assert "cannot be forgotten" in at.texts(OWNER)[-1]


async def test_viewers_have_fewer_commands_a_minute(at):
    await at.says(f"/user {VIEWER} viewer", OWNER)
    carried_out = [await at.says("/oi", VIEWER) for _ in range(30)]
    assert carried_out == [["oi"]] * 10 + [[]] * 20
    assert at.texts(VIEWER)[-1] == "That was a lot at once: I answer 10 commands a minute."
    assert len(at.texts(VIEWER)) == 12


async def test_a_menu_is_in_the_language_of_its_chat(at):
    await at.says("/language zh", MEMBER)
    assert ("oi", "持仓量、变动、资金费率") in at.client.menus[MEMBER]
    await at.says(f"/user {MEMBER} admin", OWNER)
    assert ("oi", "持仓量、变动、资金费率") in at.client.menus[MEMBER]
    assert at.texts(MEMBER)[-1].startswith("您已获准，角色为管理员")
    await at.says("/language en", MEMBER)
    assert ("oi", "open interest, changes, funding") in at.client.menus[MEMBER]


async def test_each_is_told_in_the_language_of_their_own_chat(at):
    await at.says("/language zh", OWNER)
    await at.says(f"/user {MEMBER} viewer", OWNER)
    assert at.texts(MEMBER)[-1].startswith("You are in, as a viewer.")
    assert "观察者" in at.texts(OWNER)[-1]


def test_where_nobody_is_known_that_is_said():
    [one] = pages.users((), {}, (), (), page=1).blocks
    assert one.spans[0].text.startswith("Nobody yet.")
