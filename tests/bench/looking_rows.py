"""Row 18: a question from chat, against a decoded frame.

Each round is one second of the market, and one question right after its tick, so that nothing of it was computed before. The
question goes the way that a typed one goes: grammar, symbol, card, layout as Telegram's HTML. What is measured is how long
it holds up the loop at most: the next tick waits for it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import parse
from bot.chat.looking import Looking
from bot.chat.rank_actions import Rankings
from bot.chat.telegram_html import to_html
from bot.clock import ManualClock
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.cards import BotStatus
from tests.bench.engine_rows import decoder, j_times, js, push
from tests.bench.harness import Context, Group, Result, median_ms, ratio, rounds
from tests.bench.workload import Stage, draw, only

QUESTIONS = ("/oi btc", "/oi", "/top oi 15m", "/funding", "/oi BTCUDST")
GOAL_J = 5.0
"""Some milliseconds: a small part of the second that a tick has."""

Work = tuple[str, Callable[[], object]]


class NoStatus:
    async def status(self) -> BotStatus:
        raise NotImplementedError


def answers_of(engine: Engine) -> Callable[[str], str]:
    """What Telegram would be sent for a typed line."""
    cards = Cards(engine)
    looking = Looking(market=cards, status=NoStatus(), clock=ManualClock())
    actions = Actions(looking.handlers, Rankings(looking=looking, market=cards, ranks=cards).handlers)
    runner = asyncio.Runner()

    def ask(text: str) -> str:
        asked = parse(text)
        assert asked is not None
        return to_html(runner.run(actions.answer(asked, asker=AT_TERMINAL)))

    return ask


def looks(context: Context) -> Sequence[Result]:
    stage = Stage()
    engine = stage.add("looked at", only(draw(10)))
    context.say("filling 24 hours")
    stage.fill(context.step)
    decode, ask = decoder(stage), answers_of(engine)
    names = {question: question.replace("btc", stage.symbols[0]) for question in QUESTIONS}

    def works_of(_k: int) -> Iterator[Work]:
        for n, (question, text) in enumerate(names.items()):
            second = stage.next()
            frames = second.frames(stage.symbols)
            push(engine, decode(frames), second.at_ms)
            engine.tick(second.at_ms)
            if n == 0:
                yield from js(frames, "before")
            yield question, lambda text=text: ask(text)
        yield from js(frames, "after")

    times = rounds(context, works_of)
    base = j_times(times)
    return [
        Result(
            "18",
            f"answer to {question} after a tick, 950 instruments, 24 h",
            ratio(times[question], base),
            GOAL_J,
            "J",
            note=f"{median_ms(times[question]):.2f} ms, J {median_ms(base):.2f} ms",
        )
        for question in QUESTIONS
    ]


GROUPS = (Group(("18",), looks),)
