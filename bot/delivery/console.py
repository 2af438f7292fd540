"""Alerts in the terminal: two or three lines each, readable at a glance, the severity as a coloured bar on the left.

Nothing that comes from outside is read as markup. Printing happens in a thread of its own, because a terminal that is
stopped (Ctrl-S) or a full pipe would hold up the whole bot; while it does, attempts answer "later". So they do while the disk
is full to which the output goes. A terminal that is gone is dead; the next process has another one.
"""

import asyncio
import contextlib
import threading
import uuid
from typing import Final

from rich.console import Console
from rich.text import Text

from bot.delivery import layout, wording
from bot.delivery.destination import Answer, Order
from bot.delivery.detail import risk_lines
from bot.delivery.output import PASSING, Output
from bot.delivery.text import Card, Line, clean, plain
from bot.model.alert import TellKind
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.model.view import AlertView
from bot.texts import mark, say

BAR: Final = "▌"
_BLOCKED_S: Final = 5.0
_FULL_S: Final = 15.0
_THIS_PROCESS: Final = uuid.uuid4().hex
_COLOURS: Final = {"info": "bright_black", "warning": "yellow", "critical": "red"}
_STYLES: Final = {"bold": "bold", "code": "cyan", "dim": "dim", "up": "bold green", "down": "bold red", "": ""}


def _append(text: Text, spans: Line) -> None:
    for span in spans:
        text.append(span.text, style=_STYLES[span.style])


def _text(spans: Line) -> Text:
    text = Text()
    _append(text, spans)
    return text


def block(order: Order) -> Text:
    """The lines of one alert."""
    view = order.rows[-1].view
    # A terminal has no message to edit: an end names its coin, and does not repeat what stands above.
    ends = order.rows[-1].kind in layout.ENDINGS
    card = layout.compose(order.rows, fire=None, edit=False)
    if order.rows[-1].kind in layout.FEEDS or order.rows[-1].kind is TellKind.SCORE:
        return card_block(order)
    merged = len(order.rows) > 1
    lines: list[Text] = []
    head = Text()
    _append(head, card.head)
    head.append(f"  #{view.short_id}", style="dim")
    lines.append(head)
    if tags := wording.hashtags(view):
        head.append(f"  {tags}", style="dim")
    if order.rows[-1].kind is TellKind.SUMMARY:
        lines += [_text(spans) for spans in card.body]
    elif not ends or merged:
        lines += _body(card, view)
    else:
        own = (*layout.own_lines(view, only_of_ends=True), *wording.note_lines(view))
        lines += [_text(spans) for spans in own if spans]
    colour = "green" if ends and not (merged and wording.is_event(view)) else _COLOURS.get(view.severity, "yellow")
    out = Text(overflow="fold")
    for n, content in enumerate(lines):
        out.append("\n" if n else "")
        out.append(f"{BAR} ", style=colour)
        out.append_text(content)
    return out


def card_block(order: Order) -> Text:
    """A card that is not the story of one alert."""
    card = order.composed()
    out = Text(overflow="fold")
    is_score = bool(order.rows) and order.rows[-1].kind is TellKind.SCORE
    # Many scorecards follow one another here; which alert each is about is told by its id.
    lines = (card.head, *card.body, *card.details, *((card.footer,) if is_score else ()))
    for n, spans in enumerate(x for x in lines if x):
        out.append("\n" if n else "")
        out.append(f"{BAR} ", style=_COLOURS.get(order.severity, "yellow"))
        _append(out, spans)
    return out


def _body(card: Card, view: AlertView) -> list[Text]:
    """Figures on one line, what they mean and why on the next, then a table where there is one. A text of the rule's
    own stays as it was written, and so does news of the bot: a caret stands below what it means.
    """
    if view.report or (view.message is not None and not card.details):
        return [_text(spans) for spans in card.body if spans]
    figures, rest, notes, totals = Text(), Text(), [], []
    known = {plain(spans) for spans in wording.note_lines(view)}
    for spans in card.body:
        words = plain(spans)
        if words.startswith("📖"):
            rest.append(words.removeprefix("📖 "))
        elif words in known:
            notes.append(_text(spans))
        elif words and view.breadth is not None and figures.plain:
            totals.append(_text(spans))
        elif words:
            figures.append("   " if figures.plain else "")
            _append(figures, spans)
    funding = layout.funding_text(view).partition(" · ")[0]
    for words in (say("Funding {funding}", funding=funding) if funding else "", clean(view.condition, 200)):
        if words and card.details:
            rest.append(("   " if rest.plain else "") + words, style="dim")
    risks = [Text(plain(spans), style="dim") for spans in risk_lines(view)] if card.details else []
    return [text for text in (figures, *totals, rest, *(Text(row) for row in card.table), *notes, *risks) if text.plain]


class ConsoleDestination:
    """Prints to a rich console."""

    def __init__(self, *, name: str = "console", console: Console) -> None:
        self._name = name
        self._console = console
        self._is_printing = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        """Another one for each process: that an earlier one lost its terminal says nothing about this one's."""
        return _THIS_PROCESS

    @property
    def held_s(self) -> float:
        return 0.0

    def hold(self, seconds: float) -> None:
        """Nobody asks a terminal to wait."""

    def take_slot(self, *, urgent: bool) -> float:  # noqa: ARG002
        return 0.0

    def free_slot(self) -> None:
        """None is kept."""

    async def send(self, order: Order) -> Answer:
        """Print one alert; the console has no message ids, so an edit or a reply is printed anew."""
        if self._is_printing:
            return RetryLater(_BLOCKED_S, mark("the terminal takes no output"))
        text = block(order) if order.card is None else card_block(order)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()

        def finish(answer: Answer) -> None:
            if not done.done():
                done.set_result(answer)

        def work() -> None:
            answer = self._print(text)
            self._is_printing = False  # before the loop hears of it; the thread itself lives a moment longer
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(finish, answer)

        self._is_printing = True
        threading.Thread(target=work, name="console", daemon=True).start()
        return await done

    def _print(self, text: Text) -> Answer:
        gone = Rejected(mark("the terminal is gone"), destination_dead=True)
        try:
            self._console.print(text, highlight=False)
        except (OSError, ValueError, SystemExit):  # a closed pipe; rich answers a broken one with SystemExit
            return gone
        out = self._console.file
        failure = out.take_failure() if isinstance(out, Output) else None
        if failure is None:
            return Delivered(None)
        if isinstance(failure, OSError) and failure.errno in PASSING:
            # A part of it may stand there.
            return RetryLater(_FULL_S, mark("there is no room where the output goes"), ambiguous=True)
        return gone
