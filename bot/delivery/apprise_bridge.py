"""Services that Apprise knows, as destinations: an optional package, `pip install 'oibot[apprise]'`.

It blocks, so it works in a thread of its own, one message at a time. It says only whether sending worked, not why not, so
whatever failed is tried again. Its messages are plain text; ends and updates are messages of their own.
"""

import asyncio
import contextlib
import importlib.util
import threading
from typing import Final, Protocol

from bot import log
from bot.clock import Clock
from bot.delivery import layout, markup
from bot.delivery.destination import Answer, Order, fingerprint
from bot.delivery.http_destination import Unlimited
from bot.delivery.text import plain
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.texts import mark

SERVICE_TIMEOUT_S: Final = 30.0
"""After which Apprise gives up."""
TIMEOUT_S: Final = 45.0
FAILED_PAUSE_S: Final = 30.0
NOT_INSTALLED: Final = mark("apprise is not installed; run pip install 'oibot[apprise]'")
NOT_KNOWN: Final = mark("the address is none that Apprise knows, such as ntfy://topic")
_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}

_log = log.get("delivery.apprise")


class Notifier(Protocol):
    """What we use of `apprise.Apprise`."""

    def notify(self, body: str, title: str, *, notify_type: str) -> object: ...


def is_installed() -> bool:
    return importlib.util.find_spec("apprise") is not None


def fault_of(url: str) -> str | None:
    """Why an address cannot be used; None when it can. Never says the address itself."""
    if not is_installed():
        return NOT_INSTALLED
    return None if _notifier(url) is not None else NOT_KNOWN


def _notifier(url: str) -> Notifier | None:
    """None for an address that Apprise does not know."""
    import apprise  # noqa: PLC0415, optional and slow to import

    # Without templates, plugins or files of the user: what is sent depends on the address and our text alone.
    asset = apprise.AppriseAsset(
        plugin_paths=[], storage_mode="memory", allow_templates=False, service_timeout=SERVICE_TIMEOUT_S
    )
    made = apprise.Apprise(asset=asset)
    return made if made.add(url.strip()) and len(made) == 1 else None


class AppriseDestination(Unlimited):
    """Sends to one address of Apprise's."""

    def __init__(self, *, name: str = "apprise", url: str, clock: Clock, notifier: Notifier | None = None) -> None:
        """`notifier` takes the place of the one that Apprise makes of `url`."""
        super().__init__(name, fingerprint(url.strip()))
        self._clock = clock
        self._fault = None
        if notifier is None:
            self._fault = fault_of(url)
            notifier = _notifier(url) if self._fault is None else None
        self._notifier = notifier
        self._is_busy = False
        self._worker: threading.Thread | None = None

    async def send(self, order: Order) -> Answer:
        """Make one attempt. One that hangs in its thread lets none begin beside it."""
        notifier = self._notifier
        if notifier is None:
            return Rejected(self._fault or NOT_KNOWN, destination_dead=True)
        if self._is_busy:
            return RetryLater(FAILED_PAUSE_S, mark("the service has not answered the last message yet"))
        title, body = text_of(order)
        kind = _TYPES.get(order.severity, "warning")
        if order.rows and all(row.kind in layout.ENDINGS for row in order.rows[-1:]):
            kind = "success"
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def finish(outcome: str) -> None:
            if not done.done():
                done.set_result(outcome)

        def work() -> None:
            try:
                outcome = "" if notifier.notify(body=body, title=title, notify_type=kind) else "refused"
            except Exception as error:  # noqa: BLE001, a hundred services, each with its own
                outcome = type(error).__name__
            self._is_busy = False  # before the loop hears of it; the thread itself lives a moment longer
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(finish, outcome)

        self._is_busy = True
        self._worker = threading.Thread(target=work, name=f"apprise-{self._name}", daemon=True)
        self._worker.start()
        try:
            async with self._clock.timeout(TIMEOUT_S):
                outcome = await done
        except TimeoutError:
            return RetryLater(FAILED_PAUSE_S, mark("the service did not answer in time"), ambiguous=True)
        if not outcome:
            return Delivered(None)
        _log.debug("attempt.failed", outcome=outcome)
        return RetryLater(FAILED_PAUSE_S, mark("the service did not take the message"), ambiguous=True)


def text_of(order: Order) -> tuple[str, str]:
    """Title and body in plain text. A service without replies gets the name of the coin in every message."""
    card = order.composed()
    title = plain(card.head)
    body = markup.plain_text(card).removeprefix(title).strip()
    return title, body or title
