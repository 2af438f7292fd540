"""The `ScoreDesk` port: scores what went out, tells it under the alerts, and once a week says which rules add nothing.

Alerts are found in the outbox, so that none is missed over a crash. What was scored is stored before it is told; ids of rows are
derived from what they say, so that telling it again after a crash changes nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.app.live import Live
from bot.app.routing import MAIN
from bot.chat import score_pages
from bot.clock import Clock
from bot.engine.aftermath import RingAftermath
from bot.engine.engine import Engine
from bot.engine.result import NOTHING
from bot.errors import StorageError
from bot.history import score_stats
from bot.history.scorecard import Scorer, is_scored
from bot.model.alert import FOREVER_MS, TellKind, alert_key, short_id
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Outbox
from bot.model.ports import KeyValues
from bot.model.scorecard import (
    HORIZONS_MS,
    LAST_DUE_MS,
    Replies,
    RuleTotals,
    Score,
    Scored,
    ScoredAlert,
    Totals,
    marks_of,
)
from bot.model.scorecard_ports import ScoreStore
from bot.model.view import AlertView
from bot.storage.database import Database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox
from bot.storage.scores import SqliteScoreStore
from bot.texts import speaking

EVERY_S: Final = 5.0
PAUSE_S: Final = 60.0
"""After a fault of our own."""
SOURCE: Final = "scorecard"
WEEKLY_KEY: Final = "scorecard.weekly_ms"
WEEK_MS: Final = 7 * 86_400_000
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
TOGETHER_MS: Final = 60_000
"""Alerts of one message that are scored within so long are told together."""
MAX_NEW: Final = 200
MAX_KEPT: Final = 5_000
"""Alerts whose scores are kept: some 20 MB."""
PRIVATE_MS: Final = 2 * DAY_MS
"""So long the scores of alerts that were made in chats are kept: until all is told."""
LATE_MS: Final = 2 * HOUR_MS
"""What was scored so long after it was due is not told any more; it counts in the totals."""
MAX_DOWN_MS: Final = HORIZONS_MS[-1]
"""Firings of before a start that are still taken up."""

_log = log.get("scores")


@dataclass(frozen=True, slots=True)
class Manner:
    """What the settings say."""

    replies: Replies
    weekly: bool
    keep_days: int


class ScoreDesk:
    """One per bot. `run` is a component."""

    def __init__(
        self,
        *,
        store: ScoreStore,
        outbox: Outbox,
        values: KeyValues,
        scorer: Callable[[int], Scorer],
        live: Live,
        manner: Manner,
        names: Callable[[], Collection[str]],
        rule_ids: Callable[[], Collection[str]],
        clock: Clock,
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`scorer`: makes one, given the time of the start; `names`: of the destinations that are told; `rule_ids`: of the rules
        of the files that are on; `language_of`: what is spoken at a destination, empty for English.
        """
        self._store, self._outbox, self._values = store, outbox, values
        self._make = scorer
        self._scorer: Scorer | None = None
        self._live = live
        self._manner = manner
        self._names, self._rule_ids = names, rule_ids
        self._clock = clock
        self._language_of = language_of
        self._place = 0
        self._unsettled: list[Score] = []
        self._tell_ms = 0
        """When to look for what is to be told."""
        self._n_given_up = 0
        self._weekly_ms = 0
        self._pruned_ms = 0

    # -- the port ------------------------------------------------------------------------------------------------------

    def _since_ms(self) -> int:
        return self._live.venue_now() - self._manner.keep_days * DAY_MS

    async def totals(self, *, rule_id: str = "", symbol: str = "") -> Totals:
        found = await self._store.scored(since_ms=self._since_ms(), rule_id=rule_id, symbol=symbol)
        return await asyncio.to_thread(score_stats.totals, found)

    async def rules(self) -> Sequence[RuleTotals]:
        found = await self._store.scored(since_ms=self._since_ms())
        return await asyncio.to_thread(score_stats.by_rule, found)

    async def title_of(self, rule_id: str) -> str | None:
        return await self._store.title(rule_id)

    def place(self, chat: str) -> str | None:
        return self._live.routes.by_chat.get(chat)

    async def replies_of(self, destination: str) -> tuple[Replies, bool]:
        own = (await self._store.replies()).get(destination)
        return (self._manner.replies, False) if own is None else (own, True)

    async def set_replies(self, destination: str, replies: Replies | None) -> None:
        await self._store.set_replies(destination, replies)

    async def forget(self, chat: str) -> None:
        """What a chat has set, when the bot leaves it."""
        if (place := self.place(chat)) is not None:
            await self._store.set_replies(place, None)

    # -- scoring -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Score until cancelled."""
        while True:
            await self._clock.sleep(EVERY_S)
            # Before venue time is known nothing ticks, so nothing can be read.
            if not (self._live.venue_time.is_known and self._live.n_ticks):
                continue
            try:
                await self.look()
            except Exception:  # noqa: BLE001, alerts are worth more than their scores
                _log.exception("scores.failed")
                await self._clock.sleep(PAUSE_S)

    async def look(self) -> None:
        """Take up what fired, score what is due, tell what was scored."""
        now_ms = self._live.venue_now()
        try:
            scorer = await self._loaded(now_ms)
            await self._take_new(scorer, now_ms)
            self._unsettled += scorer.due(now_ms)
            if (n_given_up := scorer.n_given_up - self._n_given_up) > 0:
                self._n_given_up += n_given_up
                _log.warning("scores.given_up", given_up=n_given_up)
            if self._unsettled:
                await self._store.settle(self._unsettled)
                self._tell_ms = now_ms
                self._unsettled.clear()
            if now_ms >= self._tell_ms:
                await self._tell(scorer, now_ms)
            await self._weekly(now_ms)
            await self._prune(now_ms)
        except StorageError as error:
            # Everything is found again at the next look.
            _log.warning("scores.not_stored", reason=str(error))

    async def _loaded(self, now_ms: int) -> Scorer:
        if self._scorer is None:
            scorer = self._make(now_ms)
            for one in await self._store.open(since_ms=now_ms - LAST_DUE_MS - DAY_MS):
                scorer.add(one.moment, one.scores)
            self._scorer = scorer
        return self._scorer

    async def _take_new(self, scorer: Scorer, now_ms: int) -> None:
        while True:
            rows, place = await self._store.unseen(after=self._place, since_ms=now_ms - MAX_DOWN_MS, limit=MAX_NEW)
            moments = [scorer.take(row) for row in rows if is_scored(row)]
            if moments:
                await self._store.add(moments)
                for moment in moments:
                    scorer.add(moment)
            self._place = place
            if len(rows) < MAX_NEW:
                return

    # -- telling -------------------------------------------------------------------------------------------------------

    async def _tell(self, scorer: Scorer, now_ms: int) -> None:
        """What is scored and not told; some of it may have to wait for others of its message, or for the message itself."""
        waiting = await self._store.untold(since_ms=now_ms - HORIZONS_MS[-1] - LATE_MS)
        messages: dict[tuple[str, str], list[str]] = {}
        for told in await self._store.told_in([one.moment.key for one in waiting]):
            messages.setdefault((told.destination, told.message_id), []).append(told.key)
        fellows = {key for group in messages.values() for key in group}
        scored = {one.moment.key: one for one in await self._store.own(sorted(fellows))}
        rows: list[OutboxRow] = []
        held: set[str] = set()
        for (destination, message_id), group in messages.items():
            found = sorted((scored[key] for key in group if key in scored), key=_firing)
            horizon_ms = max((s.horizon_ms for one in found for s in one.scores), default=0)
            if len(found) > 1 and scorer.soon(group, horizon_ms, now_ms=now_ms, within_ms=TOGETHER_MS):
                held.update(group)
            elif (row := await self._row(found, destination, message_id, now_ms)) is not None:
                rows.append(row)
        if rows:
            await self._live.store(NOTHING, rows)
        unsent = {one.moment.key for one in waiting if now_ms - _newest_ms([one]) <= LATE_MS} - fellows
        done = [one for one in waiting if one.moment.key not in held | unsent]
        await self._store.mark_told([(one.moment.key, s.horizon_ms) for one in done for s in one.scores])
        self._tell_ms = now_ms if held else now_ms + TOGETHER_MS if unsent else FOREVER_MS

    async def _row(self, found: Sequence[Scored], destination: str, message_id: str, now_ms: int) -> OutboxRow | None:
        """None where nobody wants it, or it comes too late."""
        replies, _ = await self.replies_of(destination)
        if replies == "off" or destination not in self._names() or now_ms - _newest_ms(found) > LATE_MS:
            return None
        fire = await self._outbox.row_of(found[0].moment.key, TellKind.FIRE, destination)
        if fire is None:
            return None
        key = hashlib.sha256(f"score\n{message_id}".encode()).hexdigest()
        n = sum(len(one.scores) for one in found)
        view = _view(fire.view, found, key, now_ms, is_silent=replies == "quiet")
        # It is no urgent news, whatever it is about.
        severity = "warning" if fire.severity == "critical" else fire.severity
        return OutboxRow(
            id=row_id(key, TellKind.SCORE, n, destination),
            key=key,
            kind=TellKind.SCORE,
            destination=destination,
            severity=severity,
            created_ms=now_ms,
            view=replace(view, severity=severity),
        )

    # -- once a week ---------------------------------------------------------------------------------------------------

    async def _weekly(self, now_ms: int) -> None:
        if not self._manner.weekly or now_ms < self._weekly_ms:
            return
        stored = await self._values.get(WEEKLY_KEY)
        last_ms = int(stored) if stored is not None and stored.isdecimal() else None
        if last_ms is None or last_ms > now_ms:
            # The first comes a week after the first start.
            await self._values.put(WEEKLY_KEY, str(now_ms))
            last_ms = now_ms
        elif now_ms - last_ms >= WEEK_MS:
            await self._tell_week(last_ms, now_ms)
            await self._values.put(WEEKLY_KEY, str(now_ms))
            last_ms = now_ms
        self._weekly_ms = min(last_ms + WEEK_MS, now_ms + HOUR_MS)

    async def _tell_week(self, last_ms: int, now_ms: int) -> None:
        known = self._rule_ids()
        rules = [one for one in await self.rules() if one.rule_id in known]
        if not rules:
            return
        # Of the week that is over: told again after a crash it is the same.
        key = alert_key(SOURCE, "weekly", last_ms)
        rows = []
        for name in self._live.routes.by_name[MAIN]:
            with speaking(self._language_of(name)):
                told = score_pages.weekly(rules, since_ms=last_ms)
            news = AlertView.news(
                SOURCE, told.title, told.text, symbol=MARKET, severity="info", short_id=short_id(key), at_ms=now_ms
            )
            view = replace(news, offers=told.offers, silent=True)
            rows.append(OutboxRow(row_id(key, TellKind.FIRE, 0, name), key, TellKind.FIRE, name, "info", now_ms, view))
        await self._live.store(NOTHING, rows)
        _log.info("scores.week_told", rules=len(rules))

    async def _prune(self, now_ms: int) -> None:
        if now_ms - self._pruned_ms >= DAY_MS:
            self._pruned_ms = now_ms
            await self._store.prune(before_ms=self._since_ms(), private_before_ms=now_ms - PRIVATE_MS, keep=MAX_KEPT)


def _firing(one: Scored) -> tuple[int, str]:
    """In a message alerts stand in the order of their firing."""
    return one.moment.fired_ms, one.moment.key


def _newest_ms(found: Sequence[Scored]) -> int:
    """When the newest of their scores was due."""
    return max((one.moment.fired_ms + s.horizon_ms for one in found for s in one.scores), default=0)


def _view(fire: AlertView, found: Sequence[Scored], key: str, now_ms: int, *, is_silent: bool) -> AlertView:
    """What the message says, with what silences and fronts look at taken from the first alert that it is about."""
    alerts = tuple(
        ScoredAlert(
            one.moment.symbol,
            one.moment.title,
            short_id(one.moment.key),
            one.moment.fired_ms,
            marks_of(one.moment, one.scores),
        )
        for one in found
    )
    is_single = len(found) == 1
    same_rule = len({one.moment.rule_id for one in found}) == 1
    same_symbol = len({one.moment.instrument for one in found}) == 1
    news = AlertView.news(
        fire.rule_id if same_rule else SOURCE,
        fire.title if same_rule else "",
        "",
        symbol=fire.symbol if same_symbol else MARKET,
        severity=fire.severity,
        short_id=fire.short_id if is_single else short_id(key),
        at_ms=now_ms,
    )
    return replace(
        news,
        venue=fire.venue if same_symbol else "",
        base=fire.base if same_symbol else "",
        kind=TellKind.SCORE.value,
        fired_ms=fire.fired_ms,
        tags=fire.tags if same_rule else (),
        silent=is_silent,
        zone=fire.zone,
        scored=alerts,
        answers=found[0].moment.key,
    )


def open_scores(
    database: Database,
    engine: Engine,
    live: Live,
    manner: Mapping[str, object],
    *,
    names: Callable[[], Collection[str]],
    rule_ids: Callable[[], Collection[str]],
    clock: Clock,
    language_of: Callable[[str], str],
) -> ScoreDesk:
    """`manner`: the section of the settings, by name."""
    return ScoreDesk(
        store=SqliteScoreStore(database),
        outbox=SqliteOutbox(database),
        values=SqliteKeyValues(database),
        scorer=lambda started_ms: Scorer(RingAftermath(engine), started_ms=started_ms),
        live=live,
        manner=Manner(**manner),  # type: ignore[arg-type]
        names=names,
        rule_ids=rule_ids,
        clock=clock,
        language_of=language_of,
    )
