"""Chat over Telegram: an own polling loop, watched by the age of its last answer.

Promises: an update that cannot be read is skipped and never stops the others; the offset is stored once an update is
handled, so a restart answers none twice that was done; a second copy, a flood limit, a lost network and a refused token
each end in a pause of known length and one line in the log; nothing is said in chats that are not ours. Commands that
were being handled when the process died may be lost: people see that no answer came.
Never: sends alerts (that is delivery), changes rules, raises but for cancellation.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, Final

from telegram import Update

from bot import log
from bot.chat.access import Gate
from bot.chat.actions import Actions
from bot.chat.asker import telegram_number
from bot.chat.buttons import Buttons
from bot.chat.claims import Claims
from bot.chat.people import People
from bot.chat.telegram_client import BATCH, TelegramClient
from bot.chat.telegram_dispatch import Dispatcher
from bot.chat.telegram_door import Door
from bot.chat.telegram_failure import Failure, Kind
from bot.chat.update_ledger import UpdateLedger
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.chart_ports import ChartMaker
from bot.model.chat_ports import ChatFollower
from bot.model.members import Member, Role
from bot.model.news import Report, SecondCopy, TokenRefused, unheard
from bot.model.ports import KeyValues, SendLimits
from bot.texts import mark, say

POLL_S: Final = 30.0
STALE_S: Final = 60.0
"""Older than this, the last answer means that the connection is dead whatever it says: it is replaced."""
MAX_AT_ONCE: Final = 8
HANDLE_DEADLINE_S: Final = 60.0
OLD_UPDATE_MS: Final = 300_000
CONFLICT_PAUSE_S: Final = 60.0
NOT_FOUND_PAUSE_S: Final = 600.0
MAX_BACKOFF_S: Final = 30.0
LOG_AGAIN_MS: Final = 60_000

STRANGER_MENU: Final = (("start", mark("what I do")), ("help", mark("what I can do")))

_log = log.get("chat.telegram")


class TelegramChat:
    """Answers commands and buttons of one bot until cancelled."""

    last_poll_ok_ms: float | None = None
    """`Clock.monotonic_ms` of the last good answer to getUpdates; None before the first. For the watchdog."""
    stopped_reason: str | None = None
    """Set when polling was given up for good."""
    _was_away = False
    """Whether what waited may be older than an answer is worth."""
    _answered_ms: int | None = None
    """The machine's time of the last good answer to getUpdates."""
    _held: Update | None = None
    _poison_logged_ms: float | None = None
    _last_logged: tuple[Kind, float] | None = None

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        owner_id: int | None,
        chat_ids: Collection[int],
        actions: Actions,
        buttons: Buttons,
        store: KeyValues,
        clock: Clock,
        on_seen: Callable[[int], None] | None = None,
        limits: SendLimits | None = None,
        charts: ChartMaker | None = None,
        claims: Claims | None = None,
        on_claimed: Callable[[Member], None] = lambda _: None,
        people: People | None = None,
        moves: ChatFollower | None = None,
        report: Report = unheard,
        beside: Callable[[TelegramClient], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `run`. Raises what the library raises for a proxy that it cannot use.

        Args:
            token: Never logged.
            api_url: Without a slash at the end, such as `https://api.telegram.org`.
            owner_id: Numeric user id; None means that nobody is answered.
            chat_ids: Chats in which everyone is answered, the chat of the alerts among them.
            actions: What commands do.
            buttons: What stands behind buttons.
            clock: The only source of time.
            store: Keeps the offset and whom we refused.
            on_seen: Told the id of each chat in which someone allowed spoke; delivery re-enables it.
            limits: Shared with the alerts that go out with the same token.
            charts: Draws; None: no pictures.
            claims: Takes links that make an owner; None where the settings name one.
            on_claimed: Told of the new owner, once he has been answered.
            people: Who is known beside the owner; without it nobody is let in.
            moves: Told of groups that became supergroups, and knows those of before.
            report: Told what the owner should know.
            beside: Runs as long as this does, with the same client; it must not end or raise.
        """
        self._claims, self._on_claimed, self._owner_id, self._people = claims, on_claimed, owner_id, people
        self._beside = beside
        self._make_client = partial(
            TelegramClient, token=token, api_url=api_url, clock=clock, buttons=buttons, limits=limits
        )
        self._chat_ids = tuple(dict.fromkeys(chat if moves is None else moves.now(chat) for chat in chat_ids))
        self._gate = Gate(owner_id=owner_id, chat_ids=self._chat_ids, known=people)
        self._actions, self._buttons, self._store, self._charts = actions, buttons, store, charts
        self._moves, self._report, self._clock, self._on_seen = moves, report, clock, on_seen
        self._slots, self._saving, self._alive_ms = asyncio.Semaphore(MAX_AT_ONCE), asyncio.Lock(), clock.monotonic_ms()
        # The offset belongs to the bot, whose id is the part of the token that is no secret.
        bot_id = token.partition(":")[0]
        self._offset_key, self._refused_key = f"telegram.offset.{bot_id}", f"telegram.refused.{bot_id}"
        self._ledger, self._saved, self._is_backlog = UpdateLedger(), "", True
        self._client, self._is_used = self._make_client(), False
        self.counts: Counter[str] = Counter()
        """What happened, by name; for metrics."""

    async def run(self) -> None:
        """Poll and answer until cancelled."""
        if self._is_used:
            # The last run closed its own.
            self._client = self._make_client()
        self._is_used = True
        self._door = Door(
            client=self._client,
            gate=self._gate,
            clock=self._clock,
            claims=self._claims,
            people=self._people,
            save_refusals=self._save_refusals,
            on_seen=self._on_seen if self._on_seen is not None else lambda _: None,
            language_of=self._actions.language_of,
        )
        self._dispatcher = Dispatcher(
            client=self._client,
            gate=self._gate,
            actions=self._actions,
            buttons=self._buttons,
            clock=self._clock,
            counts=self.counts,
            save_refusals=self._save_refusals,
            on_seen=self._on_seen,
            charts=self._charts,
            moves=self._moves,
            door=self._door,
        )
        self._follow_moves()
        try:
            await self._load()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._dispatcher.later.run(), name="later answers")
                if self._beside is not None:
                    tasks.create_task(self._beside(self._client), name="beside chat")
                failures = 0
                while self.stopped_reason is None:
                    failure = await self._poll(tasks)
                    failures = 0 if failure is None else failures + 1
                    if failure is None:
                        self.last_poll_ok_ms = self._alive_ms = self._clock.monotonic_ms()
                        self._last_logged = None
                    else:
                        await self._after_failure(failure, failures)
                # Returning would look like a crash to whoever restarts us, and a refused token must not be tried again.
                while True:
                    await self._clock.sleep(3_600)
        finally:
            await self._client.close()

    def _follow_moves(self) -> None:
        """Chats that move, and those that moved before this began."""
        if self._moves is None:
            return
        for chat_id in self._chat_ids:
            if (new := self._moves.now(chat_id)) != chat_id:
                self._gate.follow(chat_id, new)
        follow = [self._gate.follow, *([self._people.moved] if self._people is not None else [])]
        self._moves.listeners += [one for one in follow if one not in self._moves.listeners]

    async def _load(self) -> None:
        try:
            self._ledger.load(await self._store.get(self._offset_key), now_ms=self._clock.wall_ms())
            self._gate.load_refusals(await self._store.get(self._refused_key))
            if self._people is not None:
                await self._people.load()
                self._people.front = self._door
        except Exception:  # noqa: BLE001 - without its memory the chat still works
            _log.exception("chat_state.load_failed")

    # Polling

    async def _poll(self, tasks: asyncio.TaskGroup) -> Failure | None:
        if not self._dispatcher.bot_name:
            name = await self._client.name()
            if isinstance(name, Failure):
                return name
            self._dispatcher.bot_name = self._door.bot_name = name
            _log.info("chat.opened", bot=name)
            tasks.create_task(self._announce())
        started_ms = self._clock.monotonic_ms()
        self._ledger.forget_if_idle(now_ms=self._clock.wall_ms())
        raw = await self._client.get_updates(self._ledger.next_offset, poll_s=max(1, round(POLL_S / self._clock.speed)))
        if isinstance(raw, Failure):
            return raw
        now_ms = self._clock.wall_ms()
        if self._answered_ms is not None and now_ms - self._answered_ms > OLD_UPDATE_MS:
            # No network, or a machine that slept: what waits now waited as it does for a start.
            self._is_backlog = self._was_away = True
        self._answered_ms = now_ms
        if self._is_backlog:
            # Also without a network at the start they waited.
            self._was_away |= now_ms - self._ledger.moved_ms > OLD_UPDATE_MS
        is_of_absence = self._is_backlog and self._was_away
        updates = [update for item in raw if (update := self._read(item)) is not None]
        if self._is_backlog:
            updates = self._without_old(updates, is_last=len(raw) < BATCH)
        for update in updates:
            await self._slots.acquire()
            tasks.create_task(self._handle(update, is_of_absence=is_of_absence))
        await self._save_offset()
        # A server that answers at once with nothing new must not be asked in a hot loop, however fast the clock.
        left_ms = max(1_000.0, 200.0 * self._clock.speed) - (self._clock.monotonic_ms() - started_ms)
        if not updates and left_ms > 0:
            await self._clock.sleep(left_ms / 1000.0)
        return None

    def _read(self, item: Any) -> Update | None:
        """Take one raw update; None for one that is old, unreadable or without an id."""
        update_id = item.get("update_id") if isinstance(item, dict) else None
        if not isinstance(update_id, int) or not self._ledger.is_new(update_id):
            return None
        self._ledger.start(update_id, now_ms=self._clock.wall_ms())
        try:
            return Update.de_json(item, self._client.bot)
        except Exception as error:  # noqa: BLE001 - one update
            self._ledger.finish(update_id)
            self.counts["poison"] += 1
            now_ms = self._clock.monotonic_ms()
            if self._poison_logged_ms is None or now_ms - self._poison_logged_ms >= LOG_AGAIN_MS:
                self._poison_logged_ms = now_ms
                _log.warning(
                    "update.skipped", update_id=update_id, error=type(error).__name__, n_so_far=self.counts["poison"]
                )
            return None

    def _without_old(self, updates: list[Update], *, is_last: bool) -> list[Update]:
        """After an absence, what people asked long ago is not answered any more, except the newest of all."""
        kept = []
        for update in updates:
            if self._held is not None:
                self._drop(self._held)
                self._held = None
            if update.message and self._clock.wall_ms() - update.message.date.timestamp() * 1000 > OLD_UPDATE_MS:
                self._held = update
            else:
                kept.append(update)
        if is_last:
            self._is_backlog = False
            kept += [self._held] if self._held is not None else []
            self._held = None
        return kept

    def _drop(self, update: Update) -> None:
        self.counts["too_old"] += 1
        self._ledger.finish(update.update_id)

    async def _announce(self) -> None:
        """Put the commands into Telegram's menus."""
        await self._client.set_menu(lambda: tuple((name, say(does)) for name, does in STRANGER_MENU))
        for chat_id in (*([self._owner_id] if self._owner_id is not None else []), *self._chat_ids):
            in_group = chat_id < 0
            role = Role.VIEWER if in_group else self._gate.role_of(chat_id)
            await self._door.show_menu(chat_id, role, in_group=in_group)
        if self._people is not None:
            for user_id, role in self._people.members:
                await self._door.show_menu(user_id, role, in_group=False)
            for group in self._people.groups:
                await self._door.show_menu(telegram_number(group.chat) or 0, Role.VIEWER, in_group=True)

    async def _after_failure(self, failure: Failure, failures: int) -> None:
        now_ms = self._clock.monotonic_ms()
        self.counts[f"poll_{failure.kind}"] += 1
        match failure.kind:
            case Kind.UNAUTHORIZED:
                self.stopped_reason = "Telegram refused the token"
                _log.error(
                    "chat.stopped",
                    reason=self.stopped_reason,
                    fix="get the token from @BotFather, put it into OIBOT_TELEGRAM__TOKEN, restart",
                )
                self._report(TokenRefused())
                return
            case Kind.CONFLICT | Kind.WEBHOOK:
                await self._say_conflict(failure, now_ms)
                pause_s = CONFLICT_PAUSE_S if failure.kind is Kind.CONFLICT else 1.0
            case Kind.NOT_FOUND:
                self._log_failure(failure, now_ms, fix="check OIBOT_TELEGRAM__API_URL and the form of the token")
                pause_s = NOT_FOUND_PAUSE_S
            case Kind.FLOOD:
                self._log_failure(failure, now_ms)
                pause_s = failure.retry_after_s
            case _:
                self._log_failure(failure, now_ms)
                pause_s = min(MAX_BACKOFF_S, 2.0 ** min(failures - 1, 10))
        await self._clock.sleep(pause_s)
        is_hung = failure.kind is Kind.TIMED_OUT
        if is_hung or self._clock.monotonic_ms() - self._alive_ms > STALE_S * 1000:
            self._alive_ms = self._clock.monotonic_ms()
            self.counts["client_renewed"] += 1
            await self._client.renew_poller()

    def _log_failure(self, failure: Failure, now_ms: float, **more: str) -> None:
        """On change, then at most once a minute."""
        last = self._last_logged
        if last is None or last[0] is not failure.kind or now_ms - last[1] >= LOG_AGAIN_MS:
            self._last_logged = (failure.kind, now_ms)
            _log.warning("poll.failed", kind=failure.kind.value, reason=failure.text, **more)

    async def _say_conflict(self, failure: Failure, now_ms: float) -> None:
        if failure.kind is Kind.WEBHOOK:
            self._log_failure(failure, now_ms, fix="the webhook is removed: this bot polls")
            await self._client.delete_webhook()
            return
        self._log_failure(failure, now_ms, fix="stop the other copy of this bot")
        self._report(SecondCopy())

    # Handling

    async def _handle(self, update: Update, *, is_of_absence: bool) -> None:
        """One update, with a deadline; whatever comes of it, it is done."""
        try:
            async with self._clock.timeout(max(HANDLE_DEADLINE_S, 10.0 * self._clock.speed)):
                await self._dispatcher.dispatch(update, is_of_absence=is_of_absence)
        except TimeoutError:
            self.counts["handling_timed_out"] += 1
            _log.warning("update.timed_out", update_id=update.update_id)
        except Exception as error:  # noqa: BLE001 - one update
            self.counts["handling_failed"] += 1
            _log.exception("update.failed", update_id=update.update_id, error=type(error).__name__)
        finally:
            self._slots.release()
        self._ledger.finish(update.update_id)
        await self._save_offset()
        if self._door.claimed is not None:
            self._on_claimed(self._door.claimed)

    async def _save_offset(self) -> None:
        async with self._saving:
            text = self._ledger.dump()
            if self._ledger.next_offset and text != self._saved and await self._put(self._offset_key, text):
                self._saved = text

    async def _save_refusals(self) -> None:
        await self._put(self._refused_key, self._gate.dump_refusals())

    async def _put(self, key: str, text: str) -> bool:
        try:
            await self._store.put(key, text)
        except StorageError as error:  # a full disk must not stop answers; whoever watches over storage says it once
            self.counts["store_failed"] += 1
            _log.debug("chat_state.not_saved", key=key, reason=str(error))
            return False
        except Exception:  # noqa: BLE001 - neither must anything else
            self.counts["store_failed"] += 1
            _log.exception("chat_state.save_failed", key=key)
            return False
        return True
