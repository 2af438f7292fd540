"""What is said of silences, acknowledgements and quiet hours. Pure, as `pages`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.chat.silence_text import QuietWish
from bot.model import numbers
from bot.model.instrument import MARKET
from bot.model.numbers import zone_of
from bot.model.silence import Fired, QuietHours, Silence
from bot.texts import say, say_n

MARKET_GLOB: Final = "[*]"


def _silences() -> tuple[Button, ...]:
    return (Button(say("Silences"), "/silences"),)


def when(ms: int, zone: str, *, now_ms: int) -> str:
    """`16:31 UTC`, with the day where it is another: `Fri 27 Nov 16:31 Europe/Berlin`."""
    local, today = (datetime.fromtimestamp(t / 1000, zone_of(zone)) for t in (ms, now_ms))
    day = "" if local.date() == today.date() else f"{local:%a} {local.day} {local:%b} "
    return f"{day}{local:%H:%M} {zone}"


def hours(quiet: QuietHours) -> str:
    """`23:00–07:00 Europe/Berlin`."""
    start, end = (f"{m // 60:02d}:{m % 60:02d}" for m in (quiet.starts_min, quiet.ends_min))
    return f"{start}–{end} {quiet.zone}"


def what(silence: Silence) -> str:
    """What it matches: `rule oi_surge, BTCUSDT`."""
    symbol = say("the market as a whole") if silence.symbol == MARKET_GLOB else silence.symbol.replace("[[]", "[")
    parts = [say("rule {rule}", rule=silence.rule)] if silence.rule else []
    parts += [symbol] if symbol else []
    parts += [say("tag {tag}", tag=silence.tag)] if silence.tag else []
    if not parts:
        parts.append(say("everything"))
    if silence.severities == ("info", "warning"):
        return say("{what} but critical alerts", what=", ".join(parts))
    if silence.severities:
        parts.append(say("severity {names}", names=say(" or ").join(silence.severities)))
    return ", ".join(parts)


def _where(silence: Silence) -> str:
    return say("at {place}", place=silence.destination) if silence.destination else say("everywhere")


def _left(silence: Silence, zone: str, now_ms: int) -> str:
    """`until 16:31 UTC (2h)`; the length in whole units, as it was asked for."""
    return say(
        "until {time} ({duration})",
        time=when(silence.until_ms, zone, now_ms=now_ms),
        duration=numbers.duration(silence.until_ms - now_ms),
    )


def created(made: Sequence[Silence], zone: str, *, assumed_time: bool) -> Reply:
    """What was understood, canonically. Several differ by their symbols alone."""
    first, now_ms = made[0], made[0].created_ms
    blocks = [line("🔕 ", code(silence.id), bold(f" {what(silence)}")) for silence in made]
    blocks.append(line(say("Quiet {where} {left}.", where=_where(first), left=_left(first, zone, now_ms))))
    blocks += [line(say("No time was given: I took 2h."))] if assumed_time else []
    blocks += [line(say("Comment: {comment}", comment=first.comment))] if first.comment else []
    blocks.append(
        line(say("What fires meanwhile is kept: at the end you are told what still fires, and the rest in a summary."))
    )
    end = f"/unsilence {' '.join(silence.id for silence in made)}"
    return Reply(tuple(blocks), ((Button(say("End now"), end), *_silences()),))


def full(n: int) -> Reply:
    text = say("There are {n} silences, as many as there may be. End one first.", n=n)
    return Reply((line(text),), (_silences(),), is_refusal=True)


def listing(
    silences: Sequence[tuple[Silence, tuple[int, int]]], quiet: Sequence[QuietHours], zone: str, *, now_ms: int
) -> Reply:
    """What is quiet now and why, and what is kept."""
    blocks: list[Line] = []
    if silences:
        blocks.append(line(bold(say("Silences ({n})", n=len(silences)))))
    for silence, (n_firing, n_ended) in silences:
        comment = f" · {silence.comment}" if silence.comment else ""
        kept = (
            say(" · kept: {n_firing} firing, {n_ended} ended", n_firing=n_firing, n_ended=n_ended)
            if n_firing or n_ended
            else ""
        )
        starts = (
            say("from {time} ", time=when(silence.starts_ms, zone, now_ms=now_ms)) if silence.starts_ms > now_ms else ""
        )
        blocks += [
            BLANK,
            line(code(silence.id), f" {what(silence)}{comment}"),
            line(f"{_where(silence)} · {starts}{_left(silence, zone, now_ms)}{kept}"),
        ]
    if quiet:
        blocks += [BLANK] if blocks else []
        blocks.append(line(bold(say("Quiet hours"))))
        blocks += [line(f"{one.destination} · {hours(one)}{_now(one, now_ms)}") for one in quiet]
    if not blocks:
        return Reply((line(say("Nothing is quiet. Try /silence BTC 2h.")),))
    ends = [Button(say("End {id}", id=silence.id), f"/unsilence {silence.id}") for silence, _ in silences[:4]]
    return Reply(tuple(blocks), tuple((button,) for button in ends))


def _now(quiet: QuietHours, now_ms: int) -> str:
    return say(" · quiet now") if quiet.until_ms(now_ms) is not None else ""


def ended(ended: Sequence[tuple[Silence, tuple[int, int]]]) -> Reply:
    """Silences, and how many alerts each kept that fire and that ended."""
    n_firing, n_ended = sum(kept[0] for _, kept in ended), sum(kept[1] for _, kept in ended)
    blocks = [line(say("🔔 Ended "), code(silence.id), f" {what(silence)}.") for silence, _ in ended]
    if n_firing or n_ended:
        parts = [say_n("{n} still fires", "{n} still fire", n_firing)] if n_firing else []
        parts += [say("{n} ended meanwhile", n=n_ended)] if n_ended else []
        blocks.append(
            line(
                say(
                    "Kept: {alerts}. You are told now, unless something else keeps them quiet.",
                    alerts=" · ".join(parts),
                )
            )
        )
    return Reply(tuple(blocks), (_silences(),))


def ended_all(n: int, n_left: int) -> Reply:
    kept = say(" {n} made by others stay.", n=n_left) if n_left else ""
    return Reply((line(say_n("Ended {n} silence.{kept}", "Ended {n} silences.{kept}", n, kept=kept)),))


def no_silence(typed: str) -> Reply:
    text = line(say("No silence begins with "), code(shorten(typed)), say(". /silences lists them."))
    return Reply((text,), (_silences(),), is_refusal=True, is_gone=True)


def ambiguous(typed: str, names: Sequence[str]) -> Reply:
    listed = say(" and ").join(names)
    return Reply(
        (
            line(
                say("More than one begins with "),
                code(shorten(typed)),
                say(": {names}. Write more of it.", names=listed),
            ),
        ),
        is_refusal=True,
    )


def full_of_yours(n: int) -> Reply:
    text = say("You have {n} silences, as many as you may, or would have more. End some first.", n=n)
    return Reply((line(text),), (_silences(),), is_refusal=True)


def nothing_to_end() -> Reply:
    return replace(refusal(say("There is no silence to end.")), is_gone=True)


def not_yours() -> Reply:
    return refusal(say("Only who made a silence, or an admin, may end it."))


def not_here() -> Reply:
    return refusal(say("Nothing is told in this chat, so there is nothing to keep quiet here."))


def owner_only() -> Reply:
    return refusal(say("Only my owner may do that for another place than this chat."))


def no_place(typed: str, known: Sequence[str]) -> Reply:
    names = say(". I know {names}.", names=", ".join(known))
    hint = say(" Write it like {usage}.", usage=f"/silence BTC 2h at {known[0]}") if known else ""
    return refusal(say("I tell nothing at "), code(shorten(typed)), names + hint)


def no_alert(typed: str) -> Reply:
    hint = say(". An alert shows its id at its end, as in /why #7q4m.")
    return refusal(say("I know no firing whose id begins with "), code(f"#{shorten(typed)}"), hint)


def unknown(typed: str, suggestions: Sequence[str], commands: Sequence[str]) -> Reply:
    """Neither a rule nor a symbol; the nearest as buttons, never a guess."""
    meant = say(" Did you mean {names}?", names=say(" or ").join(suggestions)) if suggestions else ""
    hint = "" if suggestions else say(" A comment comes after the time, as in /silence BTC 2h maintenance.")
    text = say(" neither as a rule nor as a symbol.{meant}{hint}", meant=meant, hint=hint)
    buttons = tuple(Button(label, command) for label, command in zip(suggestions, commands, strict=True))
    return Reply((line(say("I know "), code(shorten(typed)), text),), (buttons,) if buttons else (), is_refusal=True)


def _alert(fired: Fired) -> str:
    view = fired.view
    name = say("Market") if view.symbol == MARKET else view.symbol
    return f" {shorten(name)} · {shorten(view.title, 60)}"


def acknowledged(fired: Fired, until_ms: int | None, zone: str, *, now_ms: int) -> Reply:
    until = (
        say("until it ends")
        if until_ms is None
        else say("until {time}, or its end", time=when(until_ms, zone, now_ms=now_ms))
    )
    return Reply(
        (
            line("👍 ", code(f"#{fired.view.short_id}"), bold(_alert(fired))),
            line(say("No repeats and escalations {until}. Its end is told.", until=until)),
        )
    )


def over(fired: Fired) -> Reply:
    return Reply((line(code(f"#{fired.view.short_id}"), say("{alert} has ended already.", alert=_alert(fired))),))


def for_how_long() -> Reply:
    """Asked where nothing was typed behind `/silence`."""
    lengths = [Button(span, f"/silence all here {span}") for span in ("1h", "2h", "8h", "1d")]
    until = Button(say("Until 08:00"), "/silence all here until 08:00")
    text = say("For how long is everything but critical alerts to be quiet here? Or name a symbol or a rule:")
    return Reply(
        (line(text), line(code("/silence BTC 2h"))),
        (tuple(lengths), (until, Button(say("Silences"), "/silences"))),
    )


def quiet_is(quiet: QuietHours | None, destination: str, *, now_ms: int) -> Reply:
    """What is set."""
    if quiet is None:
        return Reply(
            (
                line(
                    say(
                        "No quiet hours at {destination}. Try /quiet 23:00-07:00 Europe/Berlin.",
                        destination=destination,
                    )
                ),
            ),
            ((Button("22:00–07:00", "/quiet 22:00-07:00"), Button("23:00–08:00", "/quiet 23:00-08:00")),),
        )
    return Reply(
        (
            line(
                say(
                    "Quiet hours at {destination}: {hours}{now}.",
                    destination=destination,
                    hours=hours(quiet),
                    now=_now(quiet, now_ms),
                )
            ),
        ),
        ((Button(say("Off"), "/quiet off"),),),
    )


def quiet_set(quiet: QuietHours, *, assumed_zone: bool, now_ms: int) -> Reply:
    until_ms = quiet.until_ms(now_ms)
    blocks = [
        line(
            "🌙 ",
            bold(say("Quiet hours {hours}", hours=hours(quiet))),
            say(" at {destination}.", destination=quiet.destination),
        )
    ]
    if assumed_zone:
        blocks.append(line(say("No time zone was given: I took {zone}.", zone=quiet.zone)))
    if until_ms is not None:
        blocks.append(line(say("They have begun: until {time}.", time=when(until_ms, quiet.zone, now_ms=now_ms))))
    blocks.append(
        line(say("Critical alerts still come through. The rest is kept, and told or summarised at their end."))
    )
    return Reply(tuple(blocks), ((Button(say("Off"), "/quiet off"), *_silences()),))


def quiet_off(destination: str, *, was_set: bool) -> Reply:
    text = (
        say("No more quiet hours at {destination}.", destination=destination)
        if was_set
        else say("There are no quiet hours at {destination}.", destination=destination)
    )
    return Reply((line(text),))


def no_zone(wish: QuietWish, meant: str | None) -> Reply:
    """The same hours in the zone that was meant are a button."""
    near = say(" Did you mean {names}?", names=meant) if meant else ""
    hint = say(" Write it like {usage}.", usage="/quiet 23:00-07:00 Europe/Berlin")
    start, end = (f"{m // 60:02d}:{m % 60:02d}" for m in (wish.starts_min, wish.ends_min))
    at = f" at {wish.at}" if wish.at else ""
    button = ((Button(meant, f"/quiet {start}-{end} {meant}{at}"),),) if meant else ()
    text = line(say("I don't know the time zone "), code(shorten(wish.zone)), f".{near}{hint}")
    return Reply((text,), button, is_refusal=True)
