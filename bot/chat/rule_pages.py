"""What is said of the rules, settings and topics of a chat. Pure, as `pages`."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.model.silence import QuietHours
from bot.model.subscriptions import DETAILS, EVERYTHING, LEVELS, Level, Look, RuleTold, TopicRoute
from bot.rules.ast import Number, number_text
from bot.texts import ENGLISH, LANGUAGES, mark, say, say_n

PAGE_ROWS: Final = 10
MAX_CONDITION: Final = 300
_WINDOW: Final = re.compile(r", ([0-9]+[smhd])\)")
"""The first in the canonical text of a condition."""


NAMES: Final = {
    "fewer": mark("fewer"),
    "normal": mark("normal"),
    "more": mark("more"),
    "short": mark("short"),
    "full": mark("full"),
}
"""Of levels and of details."""


def _all_button() -> Button:
    return Button(say("‹ All rules"), "/rules")


def _settings_button() -> Button:
    return Button(say("‹ Settings"), "/settings")


def not_told() -> Reply:
    return refusal(say("Alerts are not told in this chat, so there is nothing to set."))


def number(rule: RuleTold, value: float | None) -> str:
    """`8%`, `12B`."""
    return "" if value is None else number_text(Number(value, "%" if rule.is_ratio else ""))


def list_page(
    rules: Sequence[RuleTold], level: Level, page: int, today: Mapping[str, int], problems: Sequence[str] = ()
) -> Reply:
    """Ten rules with marks, a button for each, and how often. `today`: how often they fired, by id; `problems`: what is wrong
    with those on the disk.
    """
    n_pages = max(1, -(-len(rules) // PAGE_ROWS))
    page = min(max(page, 1), n_pages)
    first = (page - 1) * PAGE_ROWS
    shown = rules[first : first + PAGE_ROWS]
    n_told = sum(rule.is_told for rule in rules)
    of = say(" · page {page} of {n}", page=page, n=n_pages) if n_pages > 1 else ""
    blocks = [line(bold(say("Rules told here · {n_told} of {n}", n_told=n_told, n=len(rules))), of)]
    blocks += [_row(n, rule, today.get(rule.id, 0)) for n, rule in enumerate(shown, first + 1)]
    if not shown:
        blocks.append(line(say("No rules are loaded.")))
    blocks += [line(f"⚠️ {shorten(problem, MAX_CONDITION)}") for problem in problems]
    numbered = [Button(str(n), f"/rules {rule.id}") for n, rule in enumerate(shown, first + 1)]
    turns = [Button("‹", f"/rules {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/rules {page + 1}")] if page < n_pages else []
    rows = [tuple(numbered[i : i + 5]) for i in range(0, len(numbered), 5)]
    rows += [tuple(turns)] if turns else []
    return Reply(tuple(blocks), (*rows, _levels(level, "")))


def _row(n: int, rule: RuleTold, n_today: int) -> Line:
    if not rule.is_enabled:
        return line(say("▫️ {n} {title} · off in its file", n=n, title=rule.title))
    firing = say(" · {n} today", n=n_today) if n_today else ""
    firing += say(" · {n} firing", n=rule.n_firing) if rule.n_firing else ""
    if not rule.is_told:
        return line(f"☐ {n} {rule.title}{firing}")
    return line(f"✅ {n} {rule.title}", f" · {_numbers(rule)}" if rule.number is not None else "", firing)


def _numbers(rule: RuleTold) -> str:
    """`8% 15m, file 5%`."""
    own, of_file = number(rule, rule.number), number(rule, rule.number_of_file)
    window = f" {found[1]}" if (found := _WINDOW.search(rule.condition)) else ""
    return f"{own}{window}" if own == of_file else say("{own}, file {file}", own=f"{own}{window}", file=of_file)


def _levels(level: Level, rule: str, ends: Sequence[Level] = ()) -> tuple[Button, ...]:
    return tuple(
        Button(f"{say(NAMES[one]).capitalize()}{' ✓' if one == level else ''}", f"/rules {one} {rule}".rstrip())
        for one in LEVELS
        if one not in ends
    )


def rule_page(rule: RuleTold, said: str = "", *, n_today: int | None = None) -> Reply:
    """One rule as it is told here. `said`: what was just done; `n_today`: how often it fired, where that is to be shown."""
    blocks = [line(said), BLANK] if said else []
    blocks.append(line(bold(rule.title), " · ", code(rule.id)))
    if not rule.is_enabled:
        return Reply(
            (*blocks, line(say("Its file says "), code("enabled: false"), say(", so nobody is told."))),
            ((_all_button(),),),
        )
    blocks.append(line(say("Fires when "), code(shorten(rule.condition, MAX_CONDITION))))
    if not rule.is_told:
        blocks.append(line(say("Not told in this chat.")))
    elif rule.number is not None and rule.number != rule.number_of_file:
        blocks.append(
            line(
                say(
                    "Told here at {own}; its file says {file}.",
                    own=number(rule, rule.number),
                    file=number(rule, rule.number_of_file),
                )
            )
        )
    else:
        blocks.append(line(say("Told here as its file says.")))
    if rule.number is None:
        blocks.append(line(say("It has no number of its own: fewer and more change nothing.")))
    if n_today is not None:
        fired = say_n("Fired {n} time today.", "Fired {n} times today.", n_today)
        blocks.append(line(fired if n_today else say("It has not fired today.")))
    if rule.n_dropped:
        blocks.append(line(say("{n} firings were not told here by it since my start.", n=rule.n_dropped)))
    toggle = (
        Button(say("Off here"), f"/rules off {rule.id}")
        if rule.is_told
        else Button(say("On here"), f"/rules on {rule.id}")
    )
    rows = [(toggle, Button(say("As in the file"), f"/rules reset {rule.id}"))]
    return Reply(
        tuple(blocks),
        (*rows, *([_levels(rule.level, rule.id, rule.ends)] if rule.number is not None else []), (_all_button(),)),
    )


def unknown(word: str, near: Sequence[str], command: str) -> Reply:
    buttons = tuple(Button(one, f"{command} {one}") for one in near)
    return Reply(
        (line(say("I don't know the rule "), code(shorten(word)), "."),),
        (buttons, (_all_button(),)) if buttons else ((_all_button(),),),
        is_refusal=True,
        is_gone=True,
    )


def at_end(rule: RuleTold, level: str) -> Reply:
    """There is nothing fewer, or nothing more."""
    usual = number(rule, rule.number_of_file)
    if level == "fewer":
        said = say(
            "{title} cannot be told less often: beyond {number} it would never be true.", title=rule.title, number=usual
        )
    else:
        said = say(
            "{title} cannot be told more often: beyond {number} it would always be true.",
            title=rule.title,
            number=usual,
        )
    return Reply((line(said),), (_levels(rule.level, rule.id, rule.ends), (_all_button(),)), is_refusal=True)


def no_number(rule: RuleTold) -> Reply:
    return Reply(
        (line(say("{title} compares no figure with a number, so there is none to set.", title=rule.title)),),
        ((_all_button(),),),
        is_refusal=True,
    )


def odd_number(rule: RuleTold, typed: str) -> Reply:
    example = f"/rules set {rule.id} {number(rule, rule.number_of_file)}"
    usual = number(rule, rule.number_of_file)
    why = (
        say("The number of {title} is a percentage such as {number}", title=rule.title, number=usual)
        if rule.is_ratio
        else say("The number of {title} is a number such as {number}", title=rule.title, number=usual)
    )
    return Reply(
        (
            line(say("{why}, at most a hundred times more or less. I read {typed}.", why=why, typed=shorten(typed))),
            line(code(example)),
        ),
        is_refusal=True,
    )


def refused(rule: RuleTold, why: str) -> Reply:
    return Reply(
        (line(say("{title} cannot be told so: {why}", title=rule.title, why=shorten(why, 200))),),
        ((_all_button(),),),
        is_refusal=True,
    )


# -- settings ------------------------------------------------------------------------------------------------------


def settings(look: Look, quiet: QuietHours | None, *, risk: str = "", said: str = "") -> Reply:
    """What is set, and buttons that change it. `risk`: what whoever asks may lose; empty where that is nobody's business."""
    is_private = bool(risk)
    hours = say("none")
    if quiet is not None:
        start, end = (f"{m // 60:02d}:{m % 60:02d}" for m in (quiet.starts_min, quiet.ends_min))
        hours = f"{start}–{end} {quiet.zone}"
    blocks = [line(said), BLANK] if said else []
    blocks += [
        line(bold(say("Settings of this chat"))),
        line(say("Time zone · {zone}", zone=look.zone)),
        line(say("Quiet hours · {hours}", hours=hours)),
        line(say("Detail · {detail}", detail=say(NAMES[look.detail]))),
        line(say("Charts · on") if look.has_charts else say("Charts · off")),
        *([line(say("Risk · {risk}", risk=risk))] if risk else []),
        line(say("Language · {language}", language=language_name(look))),
    ]
    details = tuple(
        Button(f"{say(NAMES[one]).capitalize()}{' ✓' if one == look.detail else ''}", f"/settings detail {one}")
        for one in DETAILS
    )
    charts = (
        Button(say("Charts off"), "/settings charts off")
        if look.has_charts
        else Button(say("Charts on"), "/settings charts on")
    )
    more = (Button(say("Quiet hours"), "/quiet"), *([Button(say("Risk"), "/risk")] if is_private else []))
    zone = Button(say("Time zone"), "/settings zone")
    own = (
        ((Button(say("Export my data"), "/mydata"), Button(say("Delete my data"), "/forget me")),) if is_private else ()
    )
    language = Button(say("Language"), "/language")
    return Reply(tuple(blocks), (details, (zone, charts, language), (*more, Button(say("Rules"), "/rules")), *own))


def elsewhere(name: str) -> Reply:
    """What is set by a command of its own."""
    text = line(say("That is set by {command}.", command=f"/{name}"))
    return Reply((text,), ((Button(f"/{name}", f"/{name}"), _settings_button()),), is_refusal=True)


def language_name(look: Look) -> str:
    """What the language of a chat calls itself."""
    return LANGUAGES.get(look.language, LANGUAGES[ENGLISH])[0]


def languages(look: Look, *, said: str = "") -> Reply:
    """Which one is spoken, and a button for each."""
    spoken = look.language if look.language in LANGUAGES else ENGLISH
    text = said or say("I speak {language} in this chat.", language=language_name(look))
    buttons = tuple(
        Button(f"{names[0]}{' ✓' if code == spoken else ''}", f"/language {code}") for code, names in LANGUAGES.items()
    )
    more = line(say("Commands, names and numbers are the same in each."))
    return Reply((line(text), more), (buttons, (_settings_button(),)))


def no_language(typed: str) -> Reply:
    known = ", ".join(names[0] for names in LANGUAGES.values())
    buttons = tuple(Button(names[0], f"/language {code}") for code, names in LANGUAGES.items())
    text = line(say("I don't speak "), code(shorten(typed)), say(". I know {languages}.", languages=known))
    return Reply((text,), (buttons,), is_refusal=True)


def zones(look: Look) -> Reply:
    common = (
        "UTC",
        "Europe/London",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Singapore",
        "Asia/Tokyo",
    )
    buttons = [Button(one, f"/settings zone {one}") for one in common]
    text = line(
        say("Times are told here in {zone}. Type ", zone=look.zone),
        code("/settings zone Europe/Berlin"),
        say(" for any other."),
    )
    return Reply((text,), (*(tuple(buttons[i : i + 2]) for i in range(0, len(buttons), 2)), (_settings_button(),)))


def no_zone(typed: str, meant: str | None) -> Reply:
    buttons = ((Button(meant, f"/settings zone {meant}"),),) if meant else ()
    hint = "" if meant else say(" Write it like {usage}.", usage="/settings zone Europe/Berlin")
    return Reply(
        (line(say("I don't know the time zone "), code(shorten(typed)), "." + hint),), buttons, is_refusal=True
    )


# -- topics --------------------------------------------------------------------------------------------------------


def no_topic() -> Reply:
    return refusal(say("Write that inside a topic of a group; this is none."))


def topics(routes: Sequence[TopicRoute], here: int | None, said: str = "") -> Reply:
    """What goes where in a group."""
    blocks = [line(said), BLANK] if said else []
    if not routes:
        blocks.append(line(say("All alerts of this chat are told in the chat itself.")))
    for topic in dict.fromkeys(route.topic for route in routes):
        whats = ", ".join(what(route) for route in routes if route.topic == topic)
        blocks.append(line(say("This topic") if topic == here else say("Topic {n}", n=topic), f" · {whats}"))
    if here is None:
        return Reply(tuple(blocks))
    buttons = [Button(say("Everything here"), "/here all")]
    buttons += [Button(say("Nothing here"), "/here off")] if any(route.topic == here for route in routes) else []
    return Reply(tuple(blocks), (tuple(buttons),))


def what(route: TopicRoute) -> str:
    """`everything`, `rule oi_surge`, `tag whale`."""
    kind, _, name = route.what.partition(":")
    if kind == EVERYTHING:
        return say("everything")
    return say("rule {name}", name=name) if kind == "rule" else say("tag {name}", name=name)


def unknown_target(word: str, near: Sequence[str]) -> Reply:
    hint = "" if near else say(" /rules lists the rules.")
    text = line(say("I know neither a rule nor a tag "), code(shorten(word)), "." + hint)
    return Reply((text,), (tuple(Button(one, f"/here {one}") for one in near),) if near else (), is_refusal=True)
