"""`/alerts`: the list, and one of them with what may be done to it. Pure, as `pages`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bot.chat.alert_lines import capital, now_text, stage_text, standing_text, tuning_buttons, what, why_button
from bot.chat.commands import shorten
from bot.chat.rehearsal_text import Rehearsal
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, rows_of
from bot.chat.silence_pages import when
from bot.model.chat_alert import AlertLife, ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import RuleLife
from bot.model.explanation import Hush
from bot.texts import say

PAGE: Final = 10
_SNOOZES: Final = (("💤", "1h"), ("💤", "8h"), ("🔕", "30d"))
Listed = tuple[ChatAlert, AlertLife | None]


def listing(
    listed: Sequence[Listed],
    *,
    rules: Sequence[tuple[ChatRule, RuleLife]] = (),
    page: int,
    n: int,
    now_ms: int,
    today: Mapping[str, int],
    zone: str = "UTC",
    hushes: Mapping[str, Hush] = MappingProxyType({}),
    of: str = "",
) -> Reply:
    """One page of a chat's alerts, each with its state. `today`: how often they fired, `hushes`: what keeps them quiet, by id;
    `of`: the contract of which they are.
    """
    n_pages = -(-n // PAGE)
    which = say(" · page {page} of {n_pages}", page=page, n_pages=n_pages) if n_pages > 1 else ""
    which = f" · {shorten(of)}" if of else which
    blocks: list[Line] = [line(bold(say("Alerts of this chat ({n}){of}", n=n, of=which)))]

    ids = [*(rule.id for rule, _ in rules), *(alert.id for alert, _ in listed)]
    by_all = len({hush.id for hush in hushes.values()}) == 1 and len(ids) > 1 and all(id_ in hushes for id_ in ids)
    if by_all:
        blocks.append(line(_quiet(hushes[ids[0]], zone, now_ms)))

    def quiet(id_: str) -> str:
        return f" · {_quiet(hushes[id_], zone, now_ms)}" if id_ in hushes and not by_all else ""

    for rule, standing in rules:
        blocks += [
            BLANK,
            line(code(rule.id), what(rule, zone)),
            line(standing_text(standing) + _today(today.get(rule.id, 0)) + quiet(rule.id)),
        ]
    for alert, life in listed:
        value = life.value if life is not None else None
        state = stage_text(alert, life, now_ms=now_ms)
        tail = f" · {now_text(alert, value)}" if value is not None else ""
        tail += _today(today.get(alert.id, 0)) + quiet(alert.id)
        blocks += [BLANK, line(code(alert.id), what(alert, zone)), line(state + tail)]
    turns = [Button("‹", f"/alerts {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/alerts {page + 1}")] if page < n_pages else []
    each = rows_of([Button(id_, f"/alerts {id_}") for id_ in ids], 3)
    more = (Button(say("＋ New"), "/new"), Button(say("🔕 All quiet 8h"), "/silence all here 8h"))
    return Reply(tuple(blocks), (*each, *((tuple(turns),) if turns else ()), more))


def _quiet(hush: Hush, zone: str, now_ms: int) -> str:
    """`💤 until 18:00 UTC`."""
    if hush.until_ms is None:
        return say("💤 quiet")
    return say("💤 until {time}", time=when(hush.until_ms, zone, now_ms=now_ms))


def _today(n: int) -> str:
    return say(" · {n} today", n=n) if n else ""


def one(
    alert: ChatAlert,
    life: AlertLife | None,
    *,
    n_today: int,
    now_ms: int,
    zone: str = "UTC",
    hush: Hush | None = None,
) -> Reply:
    """One alert, how far it is, and what may be done to it."""
    value = life.value if life is not None else None
    blocks = (
        line("🔔 ", code(alert.id), bold(what(alert, zone))),
        line(capital(stage_text(alert, life, now_ms=now_ms)) + f" · {now_text(alert, value)}" + _today(n_today)),
        *_quiet_lines(hush, zone, now_ms),
    )
    look = Button(say("Chart"), f"/chart {alert.instrument}"), Button(say("Why"), f"/why {alert.id}")
    return Reply(blocks, (*tuning_buttons(alert, Rehearsal(None)), *_care_buttons(alert.id, look, hush)))


def one_rule(
    rule: ChatRule, life: RuleLife, *, n_today: int, now_ms: int, zone: str = "UTC", hush: Hush | None = None
) -> Reply:
    """One condition, where it stands, and what may be done to it."""
    blocks = (
        line("🔔 ", code(rule.id), bold(what(rule, zone))),
        line(capital(standing_text(life)) + _today(n_today)),
        *_quiet_lines(hush, zone, now_ms),
    )
    return Reply(blocks, _care_buttons(rule.id, (why_button(rule),), hush))


def _quiet_lines(hush: Hush | None, zone: str, now_ms: int) -> tuple[Line, ...]:
    return () if hush is None else (line(_quiet(hush, zone, now_ms)),)


def _care_buttons(id_: str, look: tuple[Button, ...], hush: Hush | None) -> tuple[tuple[Button, ...], ...]:
    if hush is not None and hush.id:
        snooze: tuple[Button, ...] = (Button(say("End 💤"), f"/unsilence {hush.id}"),)
    else:
        snooze = tuple(Button(f"{mark} {span}", f"/silence {id_} {span}") for mark, span in _SNOOZES)
    return (*snooze,), look, (Button(say("Delete"), f"/delete {id_}"), Button(say("‹ Alerts"), "/alerts"))
