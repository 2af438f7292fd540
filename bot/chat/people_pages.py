"""What is said about people: cards, lists, answers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from bot.chat.people import name_of
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.model import numbers
from bot.model.access import Change, Group, Standing, Stranger
from bot.model.members import Role
from bot.texts import mark, say

PAGE: Final = 10
AUDIT_PAGE: Final = 20


def private() -> Reply:
    return Reply((line(say("This bot is private.")),))


def private_ask() -> Reply:
    return Reply(private().blocks, ((Button(say("Ask for access"), "/start ask"),),), is_personal=True)


def asked() -> Reply:
    return Reply((line(say("This bot is private.")), line(say("Request sent. I will message you here."))))


LET_IN: Final = mark("You are in, as {role}. /help shows what I can do.")


def declined() -> Reply:
    return Reply((line(say("Your request was declined.")),))


def taken_back() -> Reply:
    return Reply((line(say("That was taken back for now; I will message you here.")),))


def only_private() -> Reply:
    return refusal(say("That stays between us: ask me in a private chat."))


def not_admins() -> Reply:
    return refusal(say("Only the owner may make or change admins."))


def not_owner() -> Reply:
    return refusal(say("The owner stays the owner; on the machine, oibot claim makes another."))


def not_yourself() -> Reply:
    return refusal(say("Nobody changes their own role; ask another admin."))


A: Final = {
    Role.OWNER: mark("the owner"),
    Role.ADMIN: mark("an admin"),
    Role.MEMBER: mark("a member"),
    Role.VIEWER: mark("a viewer"),
}
_SHORT: Final = {
    Role.OWNER: mark("owner"),
    Role.ADMIN: mark("admin"),
    Role.MEMBER: mark("member"),
    Role.VIEWER: mark("viewer"),
}
_MARK: Final = {Role.OWNER: "👑", Role.ADMIN: "🛠", Role.MEMBER: "✅", Role.VIEWER: "👁"}
_FATE: Final = {
    Standing.ASKED: mark("asks for access"),
    Standing.DECLINED: mark("was declined"),
    Standing.BLOCKED: mark("is blocked"),
}


def let_in(role: Role) -> Reply:
    return Reply(
        (line(say(LET_IN, role=say(A[role]))),), ((Button(say("Help"), "/help"), Button(say("Open interest"), "/oi")),)
    )


def number_of(user: str) -> str:
    return user.partition(":")[2]


def _who(stranger: Stranger) -> tuple[str, ...]:
    handle = f"@{stranger.handle}, " if stranger.handle else ""
    return name_of(stranger.name, stranger.user), say(
        " ({handle}id {number})", handle=handle, number=number_of(stranger.user)
    )


def card(stranger: Stranger) -> Reply:
    """To the owner and admins: somebody asks to be let in."""
    number = number_of(stranger.user)
    name, rest = _who(stranger)
    return Reply(
        (line("👤 ", bold(name), rest, say(" asks for access.")),),
        (
            (
                Button(say("✅ Member"), f"/admit {number} member"),
                Button(say("👁 Look only"), f"/admit {number} viewer"),
            ),
            (Button(say("Decline"), f"/admit {number} decline"), Button(say("Block"), f"/admit {number} block")),
        ),
    )


def decided(name: str, fate: Role | Standing | None, *, at_ms: int, undo: str) -> Reply:
    """In the place of a card or a page: what was decided, and how to take it back."""
    if isinstance(fate, Role):
        mark, words = _MARK[fate], say("is {role}", role=say(A[fate]))
    else:
        mark, words = (
            "⛔" if fate is Standing.BLOCKED else "➖",
            say(_FATE[fate]) if fate is not None else say("is removed"),
        )
    return Reply(
        (
            line(
                f"{mark} ",
                bold(name),
                say(" {words} · by you, {time}", words=words, time=numbers.clock_time(at_ms)),
            ),
        ),
        ((Button(say("Undo"), undo),),),
    )


def known_already(name: str, role: Role | None, standing: Standing | None, number: int) -> Reply:
    """A card that somebody else has answered."""
    words = (
        say("is {role} already", role=say(A[role]))
        if role is not None
        else say(_FATE[standing])
        if standing
        else say("does not ask any more")
    )
    return Reply((line(bold(name), f" {words}."),), ((Button(say("Show"), f"/user {number}"),),), is_refusal=True)


def _words(role: Role | None, standing: Standing | None) -> str:
    if role is not None:
        return say(A[role])
    return say(_FATE[standing]) if standing is not None else say("unknown to me")


def person(number: int, name: str, role: Role | None, standing: Standing | None, *, note: str = "") -> Reply:
    """One person, with what may become of them."""
    words = _words(role, standing)
    said = (
        line(bold(name), say(" · id {number} · {words}", number=number, words=words)),
        *([line(note)] if note else []),
    )
    if role is Role.OWNER:
        return Reply(said, ((Button(say("‹ Back"), "/users"),),))
    roles = [
        Button(say(_SHORT[one]).title(), f"/user {number} {one.value}") for one in list(Role)[1:] if one is not role
    ]
    ends = [Button(say("Remove"), f"/user {number} remove")] if role is not None or standing is not None else []
    ends += [Button(say("Block"), f"/user {number} block")] if standing is not Standing.BLOCKED else []
    return Reply(said, (tuple(roles), tuple(ends), (Button(say("‹ Back"), "/users"),)))


def users(
    members: Sequence[tuple[int, Role]],
    names: Mapping[int, str],
    strangers: Sequence[Stranger],
    groups: Sequence[Group],
    *,
    page: int,
) -> Reply:
    """Everyone, page by page: members, then people at the door, then groups."""
    rows: list[tuple[Line, Button | None]] = [
        (
            line(f"{_MARK[role]} ", bold(names[n]), say(" · {role} · id {number}", role=say(_SHORT[role]), number=n)),
            Button(names[n], f"/user {n}"),
        )
        for n, role in members
    ]
    for one in strangers:
        label = name_of(one.name, one.user)
        rows.append(
            (line("· ", label, f" {say(_FATE[one.standing])}"), Button(label, f"/user {number_of(one.user)}")),
        )
    rows += [
        (line("👥 ", name_of(g.title, g.chat), say(" · group {number}", number=number_of(g.chat))), None)
        for g in groups
    ]
    n_pages = max(1, -(-len(rows) // PAGE))
    page = min(page, n_pages)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    buttons = [button for _, button in shown if button is not None]
    turns = [Button("‹", f"/users {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/users {page + 1}")] if page < n_pages else []
    if not rows:
        return Reply((line(say("Nobody yet. On my machine, oibot claim prints a link that makes an owner.")),))
    head = line(bold(say("People")), say(" · page {page} of {n}", page=page, n=n_pages) if n_pages > 1 else "")
    keyboard = tuple(tuple(buttons[i : i + 2]) for i in range(0, len(buttons), 2))
    return Reply((head, BLANK, *(text for text, _ in shown)), (*keyboard, *((tuple(turns),) if turns else ())))


def audit(changes: Sequence[Change], names: Mapping[str, str], *, page: int, is_more: bool) -> Reply:
    """The newest first."""
    if not changes:
        if page > 1:
            return refusal(say("Nothing more was changed. /audit shows the latest."))
        return Reply((line(say("Nothing was changed.")),))
    lines = [
        line(code(_date_time(c.at_ms)), f" {names.get(c.user, c.user)}: {_readable(c.what, names)}") for c in changes
    ]
    turns = [Button(say("‹ Newer"), f"/audit {page - 1}")] if page > 1 else []
    turns += [Button(say("Older ›"), f"/audit {page + 1}")] if is_more else []
    return Reply((line(bold(say("Who changed what")), " · UTC"), BLANK, *lines), ((tuple(turns),) if turns else ()))


def _date_time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%d %H:%M")


def _readable(what: str, names: Mapping[str, str]) -> str:
    return " ".join(names.get(word, word) for word in what.split(" "))


def invitation(link: str, role: Role) -> Reply:
    return Reply(
        (
            line(say("Whoever opens this link first is {role}. It counts once, for 24 hours:", role=say(A[role]))),
            line(code(link)),
            line(say("Send it to that person alone.")),
        )
    )


def no_link_here(role: Role) -> Reply:
    return Reply(
        (
            line(say("I show links to the owner alone, in private. On my machine, this prints one:")),
            line(code(f"oibot invite {role.value}")),
            line(say("Or let them write to me and ask for access: you get a card, and one tap lets them in.")),
        ),
        is_refusal=True,
    )


def came_in(name: str, number: int, role: Role) -> Reply:
    return Reply(
        (line(bold(name), say(" opened an invitation and is {role}.", role=say(A[role]))),),
        ((Button(say("Show"), f"/user {number}"),),),
    )


def listed() -> Reply:
    return Reply(
        (
            line(say("I answer here from now on.")),
            line(say("Everyone may look: /oi BTC, /price BTC, /status. Members make alerts, which come to this chat.")),
            line(say("Admins change alerts of others; /join off sends me away.")),
        ),
        ((Button(say("Open interest"), "/oi"), Button(say("Status"), "/status")),),
    )


def listed_already() -> Reply:
    return Reply((line(say("I answer here already. /join off sends me away.")),))


def of_settings() -> Reply:
    return refusal(say("The settings name this chat; only they can take it off the list."))


def goodbye() -> Reply:
    return Reply((line(say("I leave, and the alerts of this group end.")),))


def ask_admin() -> Reply:
    return Reply(
        (line(say("An admin of mine has to say that I may work here.")),), ((Button(say("Use me here"), "/join"),),)
    )


def not_here() -> Reply:
    return Reply((line(say("This bot is private: only its admins can add it to groups.")),))


def only_groups() -> Reply:
    return refusal(say("Write that in the group that is meant, once I am in it."))


def full_of_groups() -> Reply:
    return refusal(say("I am in as many groups as I can care for."))
