"""What is said about people: cards, lists, answers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from bot.chat.people import name_of
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line
from bot.model import numbers
from bot.model.access import Change, Group, Standing, Stranger
from bot.model.members import Role

PAGE: Final = 10
AUDIT_PAGE: Final = 20


def private() -> Reply:
    return Reply((line("This bot is private."),))


def private_ask() -> Reply:
    return Reply(private().blocks, ((Button("Ask for access", "/start ask"),),), is_personal=True)


def asked() -> Reply:
    return Reply((line("This bot is private."), line("Request sent. I will message you here.")))


LET_IN: Final = "You are in, as {role}. /help shows what I can do."


def declined() -> Reply:
    return Reply((line("Your request was declined."),))


def taken_back() -> Reply:
    return Reply((line("That was taken back for now; I will message you here."),))


def only_private() -> Reply:
    return Reply((line("That stays between us: ask me in a private chat."),))


def not_admins() -> Reply:
    return Reply((line("Only the owner may make or change admins."),))


def not_owner() -> Reply:
    return Reply((line("The owner stays the owner; on the machine, oibot claim makes another."),))


def not_yourself() -> Reply:
    return Reply((line("Nobody changes their own role; ask another admin."),))


A: Final = {Role.OWNER: "the owner", Role.ADMIN: "an admin", Role.MEMBER: "a member", Role.VIEWER: "a viewer"}
_MARK: Final = {Role.OWNER: "👑", Role.ADMIN: "🛠", Role.MEMBER: "✅", Role.VIEWER: "👁"}
_FATE: Final = {Standing.ASKED: "asks for access", Standing.DECLINED: "was declined", Standing.BLOCKED: "is blocked"}


def let_in(role: Role) -> Reply:
    return Reply((line(LET_IN.format(role=A[role])),), ((Button("Help", "/help"), Button("Open interest", "/oi")),))


def number_of(user: str) -> str:
    return user.partition(":")[2]


def _who(stranger: Stranger) -> tuple[str, ...]:
    handle = f"@{stranger.handle}, " if stranger.handle else ""
    return name_of(stranger.name, stranger.user), f" ({handle}id {number_of(stranger.user)})"


def card(stranger: Stranger) -> Reply:
    """To the owner and admins: somebody asks to be let in."""
    number = number_of(stranger.user)
    name, rest = _who(stranger)
    return Reply(
        (line("👤 ", bold(name), rest, " asks for access."),),
        (
            (Button("✅ Member", f"/admit {number} member"), Button("👁 Look only", f"/admit {number} viewer")),
            (Button("Decline", f"/admit {number} decline"), Button("Block", f"/admit {number} block")),
        ),
    )


def decided(name: str, fate: Role | Standing | None, *, at_ms: int, undo: str) -> Reply:
    """In the place of a card or a page: what was decided, and how to take it back."""
    if isinstance(fate, Role):
        mark, words = _MARK[fate], f"is {A[fate]}"
    else:
        mark, words = "⛔" if fate is Standing.BLOCKED else "➖", _FATE[fate] if fate is not None else "is removed"
    return Reply(
        (line(f"{mark} ", bold(name), f" {words} · by you, {numbers.clock_time(at_ms)} UTC"),),
        ((Button("Undo", undo),),),
    )


def known_already(name: str, role: Role | None, standing: Standing | None, number: int) -> Reply:
    """A card that somebody else has answered."""
    words = f"is {A[role]} already" if role is not None else _FATE[standing] if standing else "does not ask any more"
    return Reply((line(bold(name), f" {words}."),), ((Button("Show", f"/user {number}"),),))


def person(number: int, name: str, role: Role | None, standing: Standing | None, *, note: str = "") -> Reply:
    """One person, with what may become of them."""
    words = A[role] if role is not None else _FATE[standing] if standing is not None else "unknown to me"
    said = (line(bold(name), f" · id {number} · {words}"), *([line(note)] if note else []))
    if role is Role.OWNER:
        return Reply(said, ((Button("‹ Back", "/users"),),))
    roles = [Button(one.value.title(), f"/user {number} {one.value}") for one in list(Role)[1:] if one is not role]
    ends = [Button("Remove", f"/user {number} remove")] if role is not None or standing is not None else []
    ends += [Button("Block", f"/user {number} block")] if standing is not Standing.BLOCKED else []
    return Reply(said, (tuple(roles), tuple(ends), (Button("‹ Back", "/users"),)))


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
        (line(f"{_MARK[role]} ", bold(names[n]), f" · {role.value} · id {n}"), Button(names[n], f"/user {n}"))
        for n, role in members
    ]
    for one in strangers:
        label = name_of(one.name, one.user)
        rows.append(
            (line("· ", label, f" {_FATE[one.standing]}"), Button(label, f"/user {number_of(one.user)}")),
        )
    rows += [(line("👥 ", name_of(g.title, g.chat), f" · group {number_of(g.chat)}"), None) for g in groups]
    n_pages = max(1, -(-len(rows) // PAGE))
    page = min(page, n_pages)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    buttons = [button for _, button in shown if button is not None]
    turns = [Button("‹", f"/users {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/users {page + 1}")] if page < n_pages else []
    head = line(bold("People"), f" · page {page} of {n_pages}" if n_pages > 1 else "")
    keyboard = tuple(tuple(buttons[i : i + 2]) for i in range(0, len(buttons), 2))
    return Reply((head, BLANK, *(text for text, _ in shown)), (*keyboard, *((tuple(turns),) if turns else ())))


def audit(changes: Sequence[Change], names: Mapping[str, str], *, page: int, is_more: bool) -> Reply:
    """The newest first."""
    if not changes:
        return Reply((line("Nothing was changed." if page == 1 else "Nothing more was changed."),))
    lines = [
        line(code(_date_time(c.at_ms)), f" {names.get(c.user, c.user)}: {_readable(c.what, names)}") for c in changes
    ]
    turns = [Button("‹ Newer", f"/audit {page - 1}")] if page > 1 else []
    turns += [Button("Older ›", f"/audit {page + 1}")] if is_more else []
    return Reply((line(bold("Who changed what"), " · UTC"), BLANK, *lines), ((tuple(turns),) if turns else ()))


def _date_time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%d %H:%M")


def _readable(what: str, names: Mapping[str, str]) -> str:
    return " ".join(names.get(word, word) for word in what.split(" "))


def invitation(link: str, role: Role) -> Reply:
    return Reply(
        (
            line(f"Whoever opens this link first is {A[role]}. It counts once, for 24 hours:"),
            line(code(link)),
            line("Send it to that person alone."),
        )
    )


def no_link_here(role: Role) -> Reply:
    return Reply(
        (
            line("I show links to the owner alone, in private. On my machine, this prints one:"),
            line(code(f"oibot invite {role.value}")),
            line("Or let them write to me and ask for access: you get a card, and one tap lets them in."),
        )
    )


def came_in(name: str, number: int, role: Role) -> Reply:
    return Reply(
        (line(bold(name), f" opened an invitation and is {A[role]}."),), ((Button("Show", f"/user {number}"),),)
    )


def listed() -> Reply:
    return Reply(
        (
            line("I answer here from now on."),
            line("Everyone may look: /oi BTC, /price BTC, /status. Members make alerts, which come to this chat."),
            line("Admins change alerts of others; /join off sends me away."),
        ),
        ((Button("Open interest", "/oi"), Button("Status", "/status")),),
    )


def listed_already() -> Reply:
    return Reply((line("I answer here already. /join off sends me away."),))


def of_settings() -> Reply:
    return Reply((line("The settings name this chat; only they can take it off the list."),))


def goodbye() -> Reply:
    return Reply((line("I leave, and the alerts of this group end."),))


def ask_admin() -> Reply:
    return Reply((line("An admin of mine has to say that I may work here."),), ((Button("Use me here", "/join"),),))


def not_here() -> Reply:
    return Reply((line("This bot is private: only its admins can add it to groups."),))


def only_groups() -> Reply:
    return Reply((line("Write that in the group that is meant, once I am in it."),))


def full_of_groups() -> Reply:
    return Reply((line("I am in as many groups as I can care for."),))
