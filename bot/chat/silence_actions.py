"""Silences, acknowledgements and quiet hours: `/silence`, `/silences`, `/unsilence`, `/ack`, `/quiet`.

Promises: what is confirmed is stored before it counts; my owner may do all of it everywhere, others for the chat in
which they are, and end only what they made. An unknown name is never guessed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.chat import silence_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, clean, shorten
from bot.chat.durations import leading
from bot.chat.reply import Reply
from bot.chat.silence_targets import Targets, usage
from bot.chat.silence_text import (
    DEFAULT_MS,
    SilenceWish,
    all_or,
    read_ack,
    read_quiet,
    read_silence,
)
from bot.chat.spec import Problem
from bot.chat.zones import known_zone, near_zone
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.explanation import RuleName
from bot.model.outbox_ports import Outbox
from bot.model.ports import MarketReader
from bot.model.silence import PREFIX, Ack, QuietHours, Silence, next_local_ms, silence_id
from bot.model.silence_ports import Mutes, SilenceStore
from bot.rules.ast import duration_text
from bot.texts import ENGLISH, say, speaking

MAX_SILENCES: Final = 200
MAX_PER_PERSON: Final = 40
"""Of those; the owner may have all."""
MAX_NAME_CHARS: Final = 40
_UTC: Final = "UTC"


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
        rules: Callable[[], Sequence[RuleName]],
        destination_of: Callable[[str], str | None],
        destinations: Callable[[], Sequence[str]],
        venue_now: Callable[[], int],
        zone_of_chat: Callable[[str], str] = lambda _: _UTC,
    ) -> None:
        """`destination_of`: where a chat is told, None where it is not; `venue_now`: venue time in ms.

        `zone_of_chat`: in which a chat wants its times, where it has no quiet hours.
        """
        self._targets = Targets(market=market, outbox=outbox, chat_alerts=chat_alerts, rules=rules)
        self._store = store
        self._outbox = outbox
        self._mutes = mutes
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
        if not command.words:
            return silence_pages.for_how_long()
        if _ends(command.words):
            return await self._end_like(tuple(word for word in command.words if word.casefold() != "off"), asker)
        wish = read_silence(command.words)
        if isinstance(wish, Problem):
            return usage(wish, "/silence BTC 2h")
        place = self._place(asker, wish.at, is_here=wish.is_here or not asker.is_owner)
        if isinstance(place, Reply):
            return place
        named = wish.comment.replace(",", " ").split()
        is_off = bool(named) and named[-1].casefold() == "off"
        if wish.is_open and (meant := await self._targets.targets_in(named[: -1 if is_off else None], asker, place)):
            # All would be quiet, where one thing was meant and stands behind the time.
            time = ("off",) if is_off else command.words[: len(command.words) - len(wish.comment.split())]
            return usage(all_or(meant[0]), " ".join(("/silence", *meant, *time)))
        matchers = await self._targets.matchers(wish, asker, place)
        if isinstance(matchers, Reply):
            return matchers
        now_ms = self._venue_now()
        silences, n_more = self._mutes.silences(now_ms), len(matchers)
        if len(silences) + n_more > MAX_SILENCES:
            return silence_pages.full(MAX_SILENCES)
        if not asker.is_owner and sum(one.author == asker.user for one in silences) + n_more > MAX_PER_PERSON:
            return silence_pages.full_of_yours(MAX_PER_PERSON)
        zone = self._zone(asker)
        made = [await self._add(_silence(wish, one, place, asker, now_ms, zone), now_ms) for one in matchers]
        whats = "; ".join(f"{silence.id}: {_in_english(silence)}" for silence in made)
        reply = silence_pages.created(made, zone, assumed_time=wish.assumed_time)
        return replace(reply, did=f"silenced {whats} {_at(place)}")

    async def _end_like(self, words: tuple[str, ...], asker: Asker) -> Reply:
        """`/silence off`, `/silence BTC off`: as what would be made with these words."""
        if not words or {"all", "everything"}.issuperset(word.casefold() for word in words):
            return await self.end(Command("unsilence", ("all",)), asker)
        wish = read_silence(words)
        if isinstance(wish, Problem):
            return usage(wish, "/silence BTC off")
        place = self._place(asker, wish.at, is_here=wish.is_here or not asker.is_owner)
        if isinstance(place, Reply):
            return place
        matchers = await self._targets.matchers(wish, asker, place)
        if isinstance(matchers, Reply):
            return matchers
        now_ms, zone = self._venue_now(), self._zone(asker)
        wanted = {_matched(_silence(wish, one, place, asker, now_ms, zone)) for one in matchers}
        seen = self._mutes.silences(now_ms)
        found = [one for one in seen if self._concerns(one, asker) and _matched(one) in wanted]
        if not found:
            return silence_pages.nothing_to_end()
        return await self.end(Command("unsilence", tuple(one.id.removeprefix(PREFIX) for one in found)), asker)

    async def _add(self, silence: Silence, now_ms: int) -> Silence:
        while not await self._store.add(silence):
            text = f"{silence_pages.what(silence)}\n{now_ms}"
            silence = replace(silence, id=silence_id(silence.id, text, now_ms))  # the id of another one
        self._mutes.add(silence)
        return silence

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
        """`/unsilence ID…` by the first characters of each, or `/unsilence all`."""
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
        ended: list[tuple[Silence, tuple[int, int]]] = []
        for digits in command.words:
            found = [one for one in seen if one.id.startswith(PREFIX + digits)]
            if not found and await self._targets.targets_in(command.words, asker, self._here(asker) or ""):
                return await self._end_like(command.words, asker)
            if not found:
                return silence_pages.no_silence(digits)
            if len(found) > 1:
                return silence_pages.ambiguous(digits, [one.id for one in found[:3]])
            if not asker.may_change(found[0].author):
                return silence_pages.not_yours()
            ended.append((found[0], self._mutes.kept_by(found[0])))
        for silence, _ in ended:
            await self._end(silence, now_ms)
        authors = ", ".join(f"{silence.id} of {silence.author}" for silence, _ in ended)
        return replace(silence_pages.ended(ended), did=f"ended silence {authors}")

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
            return usage(wish, "/ack #7q4m for 4h", is_button=False)
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
            # A length of time is no hours of each day.
            length = leading(command.words[1:] if command.words[0].casefold() == "for" else command.words)
            silence = f"/silence all here {duration_text(length[0])}" if length is not None and length[0] else ""
            return usage(wish, silence or "/quiet 23:00-07:00 Europe/Berlin")
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
            return silence_pages.no_zone(wish, meant)
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


def _ends(words: tuple[str, ...]) -> bool:
    """`off BTC` or `BTC off`; at the end of a comment it is a word like others."""
    first, last = words[0].casefold(), words[-1].casefold()
    if first == "off" or last != "off":
        return first == "off"
    wish = read_silence(words[:-1])
    return isinstance(wish, Problem) or not wish.comment


def _in_english(silence: Silence) -> str:
    """For the audit log, which is read by others."""
    with speaking(ENGLISH):
        return silence_pages.what(silence)


def _at(place: str) -> str:
    return f"at {place}" if place else "everywhere"


def _name(asker: Asker) -> str:
    return shorten(clean(asker.name), MAX_NAME_CHARS) or asker.user


def _matched(silence: Silence) -> tuple[str, str, str, tuple[str, ...]]:
    return silence.rule, silence.symbol, silence.tag, silence.severities


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
