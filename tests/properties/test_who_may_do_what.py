"""People, chats, roles and commands in any order, against a model of who may do what that is small enough to read."""

import asyncio
import itertools
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.chat.commands import parse
from bot.model.access import DAY_MS
from bot.model.members import Role
from tests.support.chat_world import GROUP, NEW_GROUP, OWNER, ChatWorld

USERS = (OWNER, 1, 2, 3, 4)
GROUPS = (GROUP, NEW_GROUP, -100_700)
RANK = {None: 0, Role.VIEWER: 1, Role.MEMBER: 2, Role.ADMIN: 3, Role.OWNER: 4}
# What is typed: the rank that it takes in private, and in a group.
COMMANDS = {
    "/oi BTC": (1, 1),
    "/stops": (1, 1),
    "/alert BTC oi > 5% 15m": (2, 2),
    "/ack #7q4m": (2, 2),
    "/silence BTC 2h": (2, 3),
    "/quiet off": (2, 3),
    "/deadletters": (4, 4),
    "/revive x": (4, 4),
}
FATES = {
    "viewer": Role.VIEWER,
    "member": Role.MEMBER,
    "admin": Role.ADMIN,
    "remove": None,
    "decline": None,
    "block": None,
}

deciders = st.sampled_from((OWNER, OWNER, 1, 2, 3))
users, groups, commands = st.sampled_from(USERS), st.sampled_from(GROUPS), st.sampled_from(sorted(COMMANDS))
fates = st.sampled_from(sorted(FATES))


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.at = ChatWorld()
        self.roles = dict.fromkeys(USERS) | {OWNER: Role.OWNER}
        self.blocked, self.asked = {4}, set()
        for user, fate in ((1, "admin"), (2, "admin"), (3, "member"), (4, "block")):
            self.run(self.at.says(f"/user {user} {fate}", OWNER))
            self.roles[user] = FATES[fate]
        self.listed = {GROUP}
        self.answers = defaultdict(list)
        """To strangers, by person: when."""
        self.cards = defaultdict(list)

    def teardown(self):
        self.runner.close()

    def run(self, work):
        return self.runner.run(work)

    def pause(self):
        """Nobody is too fast here; how fast one may be is tested elsewhere."""
        self.run(self.at.clock.advance(30))

    # What people do.

    def may(self, user, chat, text):
        if user in self.blocked and self.roles[user] is None:
            return False
        if chat > 0:
            return RANK[self.roles[user]] >= COMMANDS[text][0]
        return chat in self.listed and max(1, RANK[self.roles[user]]) >= COMMANDS[text][1]

    @rule(user=users, chat=st.one_of(st.none(), groups), text=commands, by_button=st.booleans())
    def command(self, user, chat, text, by_button):
        self.pause()
        chat, n = chat or user, len(self.at.said)
        if by_button:
            names = self.run(self.at.presses(self.run(self.at.data_of(text, chat)), user, chat))
        else:
            names = self.run(self.at.says(text, user, chat))
        assert names == ([parse(text).name] if self.may(user, chat, text) else [])
        said = self.at.said[n:]
        if chat == user and self.roles[user] is None:
            self.answers[user] += [self.at.clock.wall_ms()] * len(said)
            assert not said or said[0].text == "This bot is private."
        if user in self.blocked or (chat < 0 and chat not in self.listed):
            assert said == []

    @rule(
        user=users,
        chat=st.one_of(st.none(), groups),
        text=commands,
        kind=st.sampled_from(["edited_message", "channel_post"]),
    )
    def not_typed_here_and_now(self, user, chat, text, kind):
        n = len(self.at.said)
        assert self.run(self.at.says(text, user, chat or user, kind=kind)) == []
        assert len(self.at.said) == n

    @rule(user=users)
    def ask(self, user):
        """By a button that was issued at some time, pressed at any time."""
        self.pause()
        n, now_ms = len(self.at.texts(OWNER)), self.at.clock.wall_ms()
        data = self.run(self.at.data_of("/start ask", user, user=f"telegram:{user}"))
        names = self.run(self.at.presses(data, user))
        if self.roles[user] is not None:
            assert names == ["start"]
        elif user not in self.blocked and len(self.at.texts(OWNER)) > n:
            self.asked.add(user)
            self.cards[user].append(now_ms)

    @rule(user=deciders, whom=users, fate=fates)
    def decide(self, user, whom, fate):
        self.pause()
        self.run(self.at.says(f"/user {whom} {fate}", user))
        may = RANK[self.roles[user]] >= 3 and whom not in {OWNER, user}
        if may and (self.roles[user] is Role.OWNER or (self.roles[whom] is not Role.ADMIN and fate != "admin")):
            self.decided(whom, fate)
        else:
            self.answered(user)

    def decided(self, whom, fate):
        self.roles[whom] = FATES[fate]
        self.asked.discard(whom)
        self.blocked.discard(whom)
        if fate == "remove":
            # Nothing is known of them any more, so not when a card about them was shown either.
            self.cards.pop(whom, None)
        if fate == "block":
            self.blocked.add(whom)

    def answered(self, user):
        """A stranger may have had the one answer of the day."""
        if self.roles[user] is None and user not in self.blocked:
            texts = [one for one in self.at.said if one.chat_id == user and one.text == "This bot is private."]
            self.answers[user] += [self.at.clock.wall_ms()] * (len(texts) - len(self.answers[user]))

    @rule(user=deciders, whom=users, fate=st.sampled_from(["viewer", "member", "decline", "block"]))
    def answer_a_card(self, user, whom, fate):
        self.pause()
        self.run(self.at.presses(self.run(self.at.data_of(f"/admit {whom} {fate}", user)), user))
        if RANK[self.roles[user]] >= 3 and whom in self.asked and whom not in {OWNER, user}:
            self.decided(whom, fate)

    @rule(user=users, role=st.sampled_from([Role.VIEWER, Role.MEMBER, Role.ADMIN]))
    def open_a_link(self, user, role):
        """Once; the second time it opens nothing, not even for somebody else."""
        self.pause()
        code = self.run(self.at.invites.issue(role, by=f"telegram:{OWNER}"))
        self.run(self.at.says(f"/start inv_{code}", user))
        if user == OWNER or user in self.blocked:
            return
        if RANK[role] > RANK[self.roles[user]]:
            self.decided(user, role.value)
        self.run(self.at.says(f"/start inv_{code}", next(one for one in USERS if one not in {OWNER, user})))

    @rule(user=users, chat=groups)
    def add_to_group(self, user, chat):
        self.pause()
        n = len(self.at.client.left)
        self.run(self.at.membership(chat, user, "left", "member"))
        if chat in self.listed:
            return
        if RANK[self.roles[user]] >= 3:
            self.listed.add(chat)
        assert (len(self.at.client.left) > n) is (self.roles[user] is None)

    @rule(user=users, chat=groups, is_off=st.booleans())
    def here(self, user, chat, is_off):
        self.pause()
        self.run(self.at.says("/join off" if is_off else "/join", user, chat))
        if RANK[self.roles[user]] < 3:
            return
        if not is_off:
            self.listed.add(chat)
        elif chat != GROUP:
            self.listed.discard(chat)

    @rule(user=users, chat=groups)
    def throw_out(self, user, chat):
        self.run(self.at.membership(chat, user, "member", "kicked"))
        if chat != GROUP:
            self.listed.discard(chat)

    @rule(user=users)
    def forget(self, user):
        self.pause()
        self.run(self.at.says("/forget me", user))
        self.run(self.at.says("/forget me yes", user))
        self.answered(user)
        if self.roles[user] not in {None, Role.OWNER}:
            self.roles[user] = None
            self.cards.pop(user, None)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours):
        self.run(self.at.clock.advance(hours * 3_600))

    @rule()
    def restart(self):
        """Everything that counts is stored."""
        self.run(self.at.people.load())

    # What must hold.

    @invariant()
    def roles_are_those_of_the_model(self):
        for user in USERS:
            assert self.at.people.role_of(user) is self.roles[user]
            if self.roles[user] is None:
                assert self.at.people.is_blocked(user) is (user in self.blocked)
        assert {chat for chat in GROUPS if self.at.gate.is_listed(chat)} == self.listed

    @invariant()
    def strangers_are_answered_once_a_day(self):
        for found in (self.answers, self.cards):
            for times in found.values():
                assert all(later - earlier >= DAY_MS for earlier, later in itertools.pairwise(times))

    @invariant()
    def there_is_one_owner(self):
        assert [n for n, role in self.at.people.members if role is Role.OWNER] == [OWNER]


TestWhoMayDoWhat = pytest.mark.promise("P12")(Machine.TestCase)
TestWhoMayDoWhat.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
