"""Silences, acknowledgements and quiet hours: `/silence`, `/silences`, `/unsilence`, `/ack`, `/quiet`.

Promises: what is confirmed is stored before it counts; my owner may do all of it everywhere, others for the chat in
which they are, and end only what they made. An unknown name is never guessed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from bot.chat import pages, silence_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, clean, shorten
from bot.chat.reply import Reply
from bot.chat.silence_text import (
    DEFAULT_MS,
    MIN_ID_CHARS,
    SilenceWish,
    read_ack,
    read_id,
    read_quiet,
    read_silence,
)
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.chat.zones import known_zone, near_zone
from bot.model import chat_alert
from bot.model.instrument import Instrument
from bot.model.ports import ChatAlertStore, MarketReader, Mutes, Outbox, SilenceStore
from bot.model.silence import PREFIX, Ack, QuietHours, Silence, next_local_ms, silence_id
from bot.rules.language import did_you_mean
from bot.texts import ENGLISH, say, speaking

MAX_SILENCES: Final = 200
MAX_NAME_CHARS: Final = 40
_SEVERITIES: Final = ("info", "warning", "critical")
_UTC: Final = "UTC"

Matcher = tuple[Literal["rule", "symbol", "tag", "severity"], str]


class SilenceActions:
    """The five commands, over what is stored and the muting that follows it."""

    def __init__(
        self,
        *,
        market: MarketReader,
        store: SilenceStore,
        outbox: Outbox,
        chat_alerts: ChatAlertStore,
        mutes: Mutes,
        rule_ids: Callable[[], Sequence[str]],
        destination_of: Callable[[str], str | None],
        destinations: Callable[[], Sequence[str]],
        venue_now: Callable[[], int],
        zone_of_chat: Callable[[str], str] = lambda _: _UTC,
    ) -> None:
        """`destination_of`: where a chat is told, None where it is not; `venue_now`: venue time in ms.

        `zone_of_chat`: in which a chat wants its times, where it has no quiet hours.
        """
        self._market = market
        self._store = store
        self._outbox = outbox
        self._chat_alerts = chat_alerts
        self._mutes = mutes
        self._rule_ids = rule_ids
        self._destination_of = destination_of
        self._destinations = destinations
        self._venue_now = venue_now
        self._zone_of_chat = zone_of_chat

    # -- silences --------------------------------------------------------------------------------------------------

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "silence": self.create,
            "silences": self.show,
            "unsilence": self.end,
            "ack": self.acknowledge,
            "quiet": self.quiet,
        }

    async def create(self, command: Command, asker: Asker) -> Reply:
        """`/silence TARGET… [2h|until 18:00] [COMMENT]`"""
        if command.words[0].casefold() == "off":
            return _usage(Problem(say("A silence is ended by its id, or all of them.")), "/unsilence all")
        wish = read_silence(command.words)
        if isinstance(wish, Problem):
            return _usage(wish, "/silence BTC 2h")
        place = self._place(asker, wish.at, is_here=wish.is_here or not asker.is_owner)
        if isinstance(place, Reply):
            return place
        now_ms = self._venue_now()
        if len(self._mutes.silences(now_ms)) >= MAX_SILENCES:
            return silence_pages.full(MAX_SILENCES)
        matchers = await self._matchers(wish, asker, place)
        if isinstance(matchers, Reply):
            return matchers
        zone = self._zone(asker)
        silence = _silence(wish, matchers, place, asker, now_ms, zone)
        while not await self._store.add(silence):
            text = f"{silence_pages.what(silence)}\n{now_ms}"
            silence = replace(silence, id=silence_id(silence.id, text, now_ms))  # the id of another one
        self._mutes.add(silence)
        reply = silence_pages.created(silence, zone, assumed_time=wish.assumed_time)
        return replace(reply, did=f"silenced {silence.id}: {_in_english(silence)} {_at(place)}")

    def _place(self, asker: Asker, at: str, *, is_here: bool) -> str | Reply:
        """The destination that is meant; empty for all of them."""
        here = self._here(asker)
        if at:
            if not asker.is_owner and at != here:
                return silence_pages.owner_only()
            names = self._destinations()
            return at if at in names else silence_pages.no_place(at, names)
        if not is_here:
            return ""
        return here if here is not None else silence_pages.not_here()

    async def _matchers(self, wish: SilenceWish, asker: Asker, place: str) -> dict[str, str] | Reply:
        found: dict[str, str] = {}
        book = SymbolBook(self._market.instruments())
        for target in wish.targets:
            matched = await self._matched(target, book, asker, place)
            if matched is None:
                return self._unknown(target, wish, book)
            if isinstance(matched, Reply):
                return matched
            for kind, value in matched:
                if kind in found:
                    problem = Problem(
                        say(
                            "A silence has one {kind}: {first}, or {second}?",
                            kind=say(kind),
                            first=found[kind],
                            second=value,
                        )
                    )
                    return _usage(problem, "/silence BTC 2h")
                found[kind] = value
        return found

    async def _matched(
        self, target: str, book: SymbolBook, asker: Asker, place: str
    ) -> tuple[Matcher, ...] | Reply | None:
        """What a target means; None where it means nothing."""
        lowered = target.casefold()
        rules = {one.casefold(): one for one in self._rule_ids()}
        if target.startswith("#"):
            return await self._firing(target, place)
        if lowered.startswith("tag:") and len(lowered) > len("tag:"):
            return (("tag", target.partition(":")[2]),)
        if lowered.startswith("severity:"):
            severity = lowered.partition(":")[2]
            if severity in _SEVERITIES:
                return (("severity", severity),)
            return _usage(
                Problem(say("A severity is {severities}.", severities=", ".join(_SEVERITIES))),
                "/silence severity:info 2h",
            )
        if lowered in rules:
            return (("rule", rules[lowered]),)
        prefix = lowered.removeprefix(chat_alert.PREFIX)
        if lowered.startswith(chat_alert.PREFIX) and len(prefix) >= MIN_ID_CHARS:
            return await self._asked(target, asker)
        if any(mark in target for mark in "*?"):
            if any(fnmatchcase(rule, lowered) for rule in rules):
                return (("rule", lowered),)
            upper = target.upper()
            if any(fnmatchcase(one.symbol, upper) for one in self._market.instruments()):
                return (("symbol", upper),)
            return None
        instrument = book.resolve(target)
        return (("symbol", _literal(instrument.symbol)),) if isinstance(instrument, Instrument) else None

    async def _firing(self, target: str, place: str) -> tuple[Matcher, ...] | Reply:
        """Of an alert's id: its rule on its instrument."""
        prefix = read_id(target)
        if isinstance(prefix, Problem):
            return _usage(prefix, "/silence BTC 2h")
        found = await self._outbox.fired(prefix, destination=place, limit=2)
        if not found:
            return silence_pages.no_alert(prefix)
        if len(found) > 1:
            return silence_pages.ambiguous(target, [f"#{one.view.short_id}" for one in found])
        view = found[0].view
        return (("rule", view.rule_id), ("symbol", _literal(view.symbol)))

    async def _asked(self, target: str, asker: Asker) -> tuple[Matcher, ...] | Reply | None:
        """An alert that was made in this chat."""
        found = await self._chat_alerts.find(asker.chat, target.casefold(), limit=2)
        if len(found) > 1:
            return silence_pages.ambiguous(target, [one.id for one in found])
        return (("rule", found[0].id),) if found else None

    def _unknown(self, target: str, wish: SilenceWish, book: SymbolBook) -> Reply:
        names = [name] if (name := did_you_mean(target, set(self._rule_ids()))) else []
        lost = book.resolve(target)
        names += [book.ask_for(one) for one in lost.suggestions] if isinstance(lost, NotFound) else []
        names = names[:3]
        length = f"{wish.duration_ms // 60_000}m" if wish.duration_ms is not None else ""
        if wish.until_min is not None:
            length = f"until {wish.until_min // 60:02d}:{wish.until_min % 60:02d}"
        typed = [[name if one == target else one for one in wish.targets] for name in names]
        commands = [" ".join(["/silence", *one, *(["here"] if wish.is_here else []), length]).strip() for one in typed]
        return silence_pages.unknown(target, names, commands)

    async def show(self, _command: Command, asker: Asker) -> Reply:
        """`/silences`: those that concern the asker."""
        now_ms = self._venue_now()
        listed = [(one, self._mutes.kept_by(one)) for one in self._mutes.silences(now_ms) if self._concerns(one, asker)]
        here = self._here(asker)
        quiet = [one for one in self._mutes.quiet_hours() if asker.is_owner or one.destination == here]
        return silence_pages.listing(listed, quiet, self._zone(asker), now_ms=now_ms)

    def _concerns(self, silence: Silence, asker: Asker) -> bool:
        return asker.is_owner or silence.destination in {"", self._here(asker)}

    def _here(self, asker: Asker) -> str | None:
        """Where the asker is told: the destination whose button was pressed, else that of the chat."""
        return asker.place or self._destination_of(asker.chat)

    async def end(self, command: Command, asker: Asker) -> Reply:
        """`/unsilence ID` by the first characters of it, or `/unsilence all`."""
        typed, now_ms = command.words[0], self._venue_now()
        seen = [one for one in self._mutes.silences(now_ms) if self._concerns(one, asker)]
        if typed == "all":
            mine = [one for one in seen if asker.may_change(one.author)]
            for one in mine:
                await self._end(one, now_ms)
            reply = (
                silence_pages.ended_all(len(mine), len(seen) - len(mine)) if seen else silence_pages.nothing_to_end()
            )
            return replace(reply, did=f"ended {len(mine)} silences") if mine else reply
        found = [one for one in seen if one.id.startswith(PREFIX + typed)]
        if not found:
            return silence_pages.no_silence(typed)
        if len(found) > 1:
            return silence_pages.ambiguous(typed, [one.id for one in found[:3]])
        if not asker.may_change(found[0].author):
            return silence_pages.not_yours()
        kept = self._mutes.kept_by(found[0])
        await self._end(found[0], now_ms)
        return replace(
            silence_pages.ended(found[0], kept),
            did=f"ended silence {found[0].id} of {found[0].author}",
        )

    async def _end(self, silence: Silence, now_ms: int) -> None:
        await self._store.expire(silence.id, at_ms=now_ms)
        self._mutes.expire(silence.id, now_ms)

    async def clear(self, chat: str) -> None:
        """End all that keeps a chat quiet and nothing else: nobody is told there any more."""
        place, now_ms = self._destination_of(chat), self._venue_now()
        if place is None:
            return
        for silence in self._mutes.silences(now_ms):
            if silence.destination == place:
                await self._end(silence, now_ms)
        if self._mutes.quiet_of(place) is not None:
            await self._store.drop_quiet(place)
            self._mutes.drop_quiet(place)

    # -- acknowledgements ------------------------------------------------------------------------------------------

    async def acknowledge(self, command: Command, asker: Asker) -> Reply:
        """`/ack #ID [for 4h]`"""
        wish = read_ack(command.words)
        if isinstance(wish, Problem):
            return _usage(wish, "/ack #7q4m for 4h", is_button=False)
        place = self._place(asker, "", is_here=not asker.is_owner)
        if isinstance(place, Reply):
            return place
        found = await self._outbox.fired(wish.prefix, destination=place, limit=9)
        # An id that is typed now is most likely of something that still fires.
        found = [one for one in found if not one.ended] or found
        if not found:
            return silence_pages.no_alert(wish.prefix)
        if len(found) > 1:
            return silence_pages.ambiguous(wish.prefix, [f"#{one.view.short_id}" for one in found[:3]])
        fired, now_ms, zone = found[0], self._venue_now(), self._zone(asker)
        if fired.ended:
            return silence_pages.over(fired)
        until_ms = None if wish.duration_ms is None else now_ms + wish.duration_ms
        ack = Ack(fired.key, place, _name(asker), now_ms, until_ms)
        await self._store.acknowledge(ack)
        until = "" if until_ms is None else say(" until {time}", time=silence_pages.when(until_ms, zone, now_ms=now_ms))
        if not self._mutes.acknowledge(ack, fired, f"{ack.by}{until}"):
            return silence_pages.over(fired)
        return silence_pages.acknowledged(fired, until_ms, zone, now_ms=now_ms)

    # -- quiet hours -----------------------------------------------------------------------------------------------

    async def quiet(self, command: Command, asker: Asker) -> Reply:
        """`/quiet 23:00-07:00 [ZONE] [at NAME]`, `/quiet off`, `/quiet`"""
        wish = read_quiet(command.words)
        if isinstance(wish, Problem):
            return _usage(wish, "/quiet 23:00-07:00 Europe/Berlin")
        place = self._place(asker, wish.at, is_here=True)
        if isinstance(place, Reply):
            return place
        now_ms, before = self._venue_now(), self._mutes.quiet_of(place)
        if wish.is_look:
            return silence_pages.quiet_is(before, place, now_ms=now_ms)
        if wish.is_off:
            await self._store.drop_quiet(place)
            self._mutes.drop_quiet(place)
            reply = silence_pages.quiet_off(place, was_set=before is not None)
            return replace(reply, did=f"ended the quiet hours {_at(place)}")
        here = _UTC if wish.at else self._zone_of_chat(asker.chat)
        assumed = before.zone if before else here
        zone = assumed if not wish.zone else await asyncio.to_thread(known_zone, wish.zone)
        if zone is None:
            meant = await asyncio.to_thread(near_zone, wish.zone)
            return silence_pages.no_zone(wish.zone, meant)
        quiet = QuietHours(place, wish.starts_min, wish.ends_min, zone, asker.user)
        await self._store.put_quiet(quiet)
        self._mutes.set_quiet(quiet)
        reply = silence_pages.quiet_set(quiet, assumed_zone=not wish.zone, now_ms=now_ms)
        return replace(reply, did=f"set quiet hours {_at(place)}")

    def _zone(self, asker: Asker) -> str:
        """In which times are read and shown: that of the chat's quiet hours, else of its settings."""
        here = self._here(asker)
        quiet = self._mutes.quiet_of(here) if here is not None else None
        return quiet.zone if quiet is not None else self._zone_of_chat(asker.chat)


def _usage(problem: Problem, example: str, *, is_button: bool = True) -> Reply:
    return pages.usage(
        UsageError(
            say("{text} Write it like {usage}.", text=problem.text, usage=example), (example,) if is_button else ()
        )
    )


def _in_english(silence: Silence) -> str:
    """For the audit log, which is read by others."""
    with speaking(ENGLISH):
        return silence_pages.what(silence)


def _at(place: str) -> str:
    return f"at {place}" if place else "everywhere"


def _name(asker: Asker) -> str:
    return shorten(clean(asker.name), MAX_NAME_CHARS) or asker.user


def _literal(symbol: str) -> str:
    """A glob that matches this symbol alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in symbol)


def _silence(wish: SilenceWish, matchers: dict[str, str], place: str, asker: Asker, now_ms: int, zone: str) -> Silence:
    severities: tuple[str, ...] = (matchers["severity"],) if "severity" in matchers else ()
    if not matchers and not wish.also_critical:
        severities = ("info", "warning")
    ends_ms = now_ms + (wish.duration_ms if wish.duration_ms is not None else DEFAULT_MS)
    if wish.until_min is not None:
        ends_ms = next_local_ms(wish.until_min, zone, now_ms)
    text = f"{place}\n{sorted(matchers.items())}\n{ends_ms}"
    return Silence(
        id=silence_id(asker.user, text, now_ms),
        starts_ms=now_ms,
        ends_ms=ends_ms,
        author=asker.user,
        created_ms=now_ms,
        comment=wish.comment,
        rule=matchers.get("rule", ""),
        symbol=matchers.get("symbol", ""),
        tag=matchers.get("tag", ""),
        severities=severities,
        destination=place,
    )
