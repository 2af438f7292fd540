"""Replies about why and why not. Pure; lengths are bounded, and what was left out is counted."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.chat.telegram_html import MAX_UNITS, to_html, utf16_units
from bot.chat.why_text import MARKS, alert_text, clock, distance_text, heading, hush_text, transition_text, tree
from bot.model import numbers
from bot.model.alert import State, Transition
from bot.model.chat_alert import is_alert_id
from bot.model.chat_rule import is_chat_rule_id
from bot.model.explanation import Explanation, Glance, Node, RuleName
from bot.texts import say

MAX_GLANCES: Final = 25
MAX_BUTTONS: Final = 6
MAX_TEXT: Final = 200
"""Of one line; a condition may be a thousand characters long."""
MAX_HUSHED: Final = 5
_ROOM: Final = 60
"""For the line that counts what was left out."""
_PHASES: Final = {"firing": "●", "pending": "◐", "cooling": "◌", "inactive": "○"}


def _units(block: Line) -> int:
    """What a line takes in a Telegram message, the tightest of the fronts."""
    return utf16_units(to_html(Reply((block,)))) + 1


def _bounded(
    head: Sequence[Line],
    body: Sequence[Line],
    tail: Sequence[Line],
    buttons: tuple[tuple[Button, ...], ...],
    what: str,
) -> Reply:
    """As many lines of the body as a message holds, and how many are missing."""
    room = MAX_UNITS - _ROOM - sum(_units(one) for one in (*head, *tail))
    n_kept = 0
    for one in body:
        room -= _units(one)
        if room < 0:
            break
        n_kept += 1
    n_left = len(body) - n_kept
    more = (line(say("… and {n} more {things}.", n=n_left, things=what)),) if n_left else ()
    return Reply((*head, *body[:n_kept], *more, *tail), buttons)


def glance_line(glance: Glance) -> Line:
    """One rule: its state, its value, how far it is."""
    mark = "?" if glance.verdict == "unknown" and glance.phase == "inactive" else _PHASES[glance.phase]
    parts = []
    if glance.phase != "inactive":
        parts.append(alert_text(glance.alert, glance.unit, glance.at_ms))
    if glance.value is not None:
        parts.append(numbers.quantity(glance.value, glance.unit))
    if glance.why:
        parts.append(glance.why)
    elif glance.distance is not None and glance.verdict == "false":
        parts.append(distance_text(glance.distance, is_other=glance.distance.unit != glance.unit))
    elif glance.verdict == "false" and math.isinf(glance.nearness):
        parts.append(say("false, as far as it is known"))
    elif glance.verdict == "true" and glance.phase == "inactive":
        parts.append(say("true"))
    if glance.phase in {"pending", "cooling"} and glance.alert.next:
        parts.append(glance.alert.next)
    what = f" {shorten(glance.title, 60)} ·" if is_alert_id(glance.rule_id) or is_chat_rule_id(glance.rule_id) else ""
    return line(f"{mark} ", bold(glance.rule_id), f"{what} ", " · ".join(parts))


def all_rules(symbol: str, name: str, found: Sequence[Glance], n_more: int) -> Reply:
    """Every rule that may look at a contract, the nearest first."""
    if not found:
        return Reply(
            (line(say("No rule looks at "), code(shorten(symbol)), say(", or the bot has only just started.")),)
        )
    shown = found[:MAX_GLANCES]
    body = [glance_line(glance) for glance in shown]
    n_more += len(found) - len(shown)
    if n_more:
        body.append(line(say("… and {n} rules that are farther away.", n=n_more)))
    names = [Button(g.rule_id, f"/why {name} {g.rule_id}") for g in shown[:MAX_BUTTONS]]
    buttons = tuple(tuple(names[i : i + 2]) for i in range(0, len(names), 2))
    head = (line(bold(symbol), say(" · rules, nearest first")), BLANK)
    return _bounded(head, body, (), buttons, say("rules"))


def _tree(explanation: Explanation) -> list[Line]:
    lines = []
    for one in tree(explanation.when):
        lines.append(line(code(f"{'  ' * one.depth}{one.mark} {shorten(one.text, MAX_TEXT)}")))
        lines += [line(f"{'  ' * one.depth}    {shorten(detail, MAX_TEXT)}") for detail in one.details]
    return lines


def _own_value(explanation: Explanation) -> list[Line]:
    """What the rule measures, where that is none of the numbers of its condition."""
    texts = {part.text for part in _parts(explanation.when)}
    if not explanation.value_text or explanation.value_text in texts or explanation.value is None:
        return []
    shown = numbers.quantity(explanation.value, explanation.unit)
    return [line(say("Shown as its value: {value}, ", value=shown), code(shorten(explanation.value_text, MAX_TEXT)))]


def _parts(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _parts(part)


def one_rule(explanation: Explanation, name: str) -> Reply:
    """The whole tree of one rule at one contract."""
    alert = explanation.alert
    head = [
        line(bold(heading(explanation))),
        line(
            say(
                "{mark} {state} · as of {time} UTC",
                mark=_PHASES[alert.phase],
                state=alert_text(alert, explanation.unit, explanation.at_ms),
                time=clock(explanation.at_ms),
            )
        ),
    ]
    head += [line(f"⚠️ {shorten(reason, MAX_TEXT)}") for reason in explanation.why[:3]]
    head += [
        line(f"🔕 {shorten(hush_text(hush, explanation.at_ms), MAX_TEXT)}") for hush in explanation.hushed[:MAX_HUSHED]
    ]
    head += _own_value(explanation)
    if alert.next:
        head.append(line(shorten(alert.next[0].upper() + alert.next[1:], MAX_TEXT)))
    tail: list[Line] = []
    if alert.phase == "firing":
        end = f"{MARKS[explanation.clear.verdict]} {shorten(explanation.clear.text, MAX_TEXT)}"
        tail.append(line(say("Ends: "), code(end)))
    if explanation.history:
        tail += [BLANK, *(line(transition_text(t, explanation)) for t in explanation.history)]
    is_alert = is_alert_id(explanation.rule_id)
    asked = " ".join(word for word in ("/why", "" if is_alert else name, explanation.rule_id) if word)
    buttons = [Button(say("↻ Refresh"), asked), *([Button(say("All rules"), f"/why {name}")] if name else [])]
    buttons += [Button(say("‹ Alert"), f"/alerts {explanation.rule_id}")] if is_alert else []
    return _bounded((*head, BLANK), _tree(explanation), tail, (tuple(buttons),), say("lines"))


def one_firing(transitions: Sequence[Transition], now: Explanation | None, name: str) -> Reply:
    """A firing as it was stored, and where its rule stands today."""
    newest = transitions[0]
    head = [
        line(bold(f"#{newest.id}"), f" · {newest.rule_id} · {newest.symbol}"),
        *(line(transition_text(t, now)) for t in reversed(transitions)),
    ]
    lasted = _lasted(transitions)
    if lasted:
        head.append(line(lasted))
    if now is None:
        made_here = is_alert_id(newest.rule_id)
        where = (
            say("It was asked for in this chat: /alerts.") if made_here else say("Its rule or its contract is gone.")
        )
        head.append(line(where))
        return Reply(tuple(head))
    rest = one_rule(now, name)
    return _bounded((*head, BLANK), [b for b in rest.blocks if isinstance(b, Line)], (), rest.buttons, say("lines"))


def _lasted(transitions: Sequence[Transition]) -> str:
    fired = next((t for t in transitions if t.state is State.FIRING), None)
    ended = next((t for t in transitions if t.state in {State.RESOLVED, State.CLOSED}), None)
    return say("It lasted {duration}.", duration=numbers.duration(ended.at_ms - fired.at_ms)) if fired and ended else ""


def several(prefix: str, ids: Sequence[str]) -> Reply:
    """More than one firing begins so."""
    buttons = tuple((Button(f"#{one}", f"/why #{one}"),) for one in ids[:MAX_BUTTONS])
    return Reply(
        (line(say("{n} alerts begin with ", n=len(ids)), code(f"#{shorten(prefix)}"), say(". Which one?")),), buttons
    )


def no_such_alert(prefix: str) -> Reply:
    kept = say(". Alerts are kept for 30 days.") + say(" Write it like {usage}.", usage="/why #7q4m")
    return refusal(say("I know no alert "), code(f"#{shorten(prefix)}"), kept)


def made_in_chat(alert_id: str) -> Reply:
    """Nothing can be said of it."""
    text = say(
        "No alert of this chat begins with {id}, or nothing is known of it yet. /alerts lists them.",
        id=shorten(alert_id),
    )
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def no_such_rule(word: str, near: Sequence[RuleName], name: str) -> Reply:
    hint = "" if near else say(" /why {name} lists them all.", name=name)
    buttons = tuple((Button(rule.id, f"/why {name} {rule.id}"),) for rule in near)
    return Reply((line(say("I don't know the rule "), code(shorten(word)), "." + hint),), buttons, is_refusal=True)


def switched_off(rule: RuleName) -> Reply:
    return Reply((line(code(rule.id), say(" is switched off: its file says "), code("enabled: false"), "."),))


def needs_symbol(rule: RuleName, command: str = "why") -> Reply:
    usage = f"/{command} BTC {rule.id}"
    return Reply(
        (line(code(rule.id), say(" looks at each contract. Name one, such as {usage}.", usage=usage)),),
        ((Button(usage, usage),),),
        is_refusal=True,
    )


def not_yet() -> Reply:
    return refusal(say("The rules have not been evaluated yet. Try again in a few seconds."))
