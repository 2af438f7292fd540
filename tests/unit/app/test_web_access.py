import pytest

from bot.app.web_access import TERMINAL, WebPeople
from bot.app.web_desk import WebDesk
from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.reply import Reply, Table, line
from bot.clock import ManualClock
from bot.model.members import Role
from bot.settings_sections import WebSection
from bot.web.door import Visitor

ROLES = {71: Role.OWNER, 72: Role.ADMIN, 73: Role.MEMBER}


class People:
    def role_of(self, user_id: int) -> Role | None:
        return ROLES.get(user_id)


def visitor(number: int) -> Visitor:
    return Visitor(f"telegram:{number}", f"telegram:{number}")


def known(asked=None) -> WebPeople:
    async def alert(command, asker):
        asked.append((command, asker))
        return Reply((line("Created ", "it."), Table(("Symbol", "OI"), (("BTC", "1"),))))

    return WebPeople(People(), Actions({"alert": alert}), ManualClock())


@pytest.mark.parametrize(
    ("number", "looks", "owns"), [(71, True, True), (72, True, False), (73, False, False), (9, False, False)]
)
def test_owner_and_admins_may_look(number, looks, owns):
    assert (known().may_look(visitor(number)), known().is_owner(visitor(number))) == (looks, owns)


def test_whoever_types_at_the_terminal_owns_the_bot():
    assert known().asker(TERMINAL) is AT_TERMINAL
    assert not known().may_look(Visitor("terminal", "telegram:9"))
    assert not known().may_look(Visitor("x", "x"))


async def test_what_is_said_has_the_rights_of_the_visitor_in_their_private_chat():
    asked = []
    said = await known(asked).say(visitor(72), "/alert BTCUSDT oi > 5% 15m")
    ((command, asker),) = asked
    assert (command.name, command.words[0]) == ("alert", "BTCUSDT")
    assert (asker.user, asker.role, asker.is_private) == ("telegram:72", Role.ADMIN, True)
    assert said.is_done
    assert said.lines[0] == "Created it."
    refused = await known(asked).say(visitor(9), "/alert BTCUSDT oi > 5% 15m")
    assert not refused.is_done
    assert len(asked) == 1
    assert not (await known(asked).say(visitor(72), "nonsense")).is_done


@pytest.mark.parametrize(
    ("section", "is_open", "expected"),
    [
        (WebSection(enabled=True), True, TERMINAL),
        (WebSection(enabled=True), False, None),
        (WebSection(enabled=True, host="0.0.0.0", public=True), True, None),
    ],
)
def test_only_what_this_machine_alone_can_reach_opens_without_a_login(section, is_open, expected):
    desk = WebDesk(section, ManualClock(), is_open=is_open)
    assert desk.access(People(), Actions()).open_as == expected


def test_without_pages_there_is_no_command():
    clock = ManualClock()
    assert set(WebDesk(WebSection(enabled=True), clock).handlers) == {"dashboard"}
    for section in (WebSection(), WebSection(enabled=True, dashboard=False)):
        assert not WebDesk(section, clock).handlers
