"""What Apprise does with a message, as an answer; with a notifier of ours in the place of the optional package."""

import asyncio
import threading

import pytest

from bot.clock import ManualClock, SystemClock
from bot.delivery import apprise_bridge
from bot.delivery.apprise_bridge import TIMEOUT_S, AppriseDestination, text_of
from bot.delivery.destination import Order
from bot.model.outbox import Delivered, Rejected, RetryLater


class Notifier:
    def __init__(self, answer=True):
        self.answer = answer
        self.told = []
        self.may_end = threading.Event()
        self.may_end.set()

    def notify(self, body, title, *, notify_type):
        self.told.append((title, body, notify_type))
        self.may_end.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def destination(notifier, clock=None):
    return AppriseDestination(url="x://canary", clock=clock or SystemClock(), notifier=notifier)


async def test_a_message_has_a_title_a_text_and_how_bad_it_is(make):
    notifier = Notifier()
    found = destination(notifier)
    assert await found.send(Order(rows=(make.row(),))) == Delivered(None)
    assert await found.send(Order(rows=(make.row(severity="critical"),))) == Delivered(None)
    assert await found.send(Order(rows=(make.row("end", after_s=60),), target="5")) == Delivered(None)
    assert [kind for _, _, kind in notifier.told] == ["warning", "failure", "success"]
    title, text, _ = notifier.told[0]
    assert title.startswith("🟠 BTCUSDT · OI surge")
    assert text.startswith("OI +6.06% in 15m")
    assert "BTCUSDT" in notifier.told[2][0], "without the firing beside it, an end says what ended"


@pytest.mark.parametrize("answer", [False, None, TypeError("canary"), OSError("https://canary")])
async def test_what_was_not_taken_is_tried_again_and_no_reason_says_more_than_that(make, answer):
    found = await destination(Notifier(answer)).send(Order(rows=(make.row(),)))
    assert found == RetryLater(30.0, "the service did not take the message", ambiguous=True)


async def test_a_service_that_hangs_is_given_up_and_holds_no_second_thread(make):
    notifier, clock = Notifier(), ManualClock()
    notifier.may_end.clear()
    found = destination(notifier, clock)
    order = Order(rows=(make.row(),))
    attempt = asyncio.ensure_future(found.send(order))
    await clock.advance(TIMEOUT_S + 1)
    try:
        answer = await attempt
        assert isinstance(answer, RetryLater)
        assert answer.ambiguous
        again = await found.send(order)
        assert again.reason == "the service has not answered the last message yet"
        assert len(notifier.told) == 1
    finally:
        notifier.may_end.set()
        found._worker.join(5)
    assert not found._worker.is_alive()


async def test_without_the_package_it_is_dead_and_says_what_to_install(make, monkeypatch):
    monkeypatch.setattr(apprise_bridge, "is_installed", lambda: False)
    answer = await AppriseDestination(url="json://canary", clock=SystemClock()).send(Order(rows=(make.row(),)))
    assert answer == Rejected("apprise is not installed; run pip install 'oibot[apprise]'", destination_dead=True)


def test_a_title_alone_is_also_the_text(make):
    title, text = text_of(Order(rows=(make.row("repeat", n=1, after_s=60, oi=None, price=None),)))
    assert text
    assert title not in text.removeprefix(title)
