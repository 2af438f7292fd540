"""`/here` typed in a topic of a group: a lane begins at once, and what matches arrives in that topic."""

import asyncio
import contextlib
import io

import pytest
from rich.console import Console

from bot.app.destinations import Builder, plan_of
from bot.app.extra_rules import ExtraRules
from bot.app.loading import load
from bot.app.rule_desk import RuleShelf
from bot.app.sending import open_sending
from bot.app.subscribing import Subscribing
from bot.chat.actions import Actions
from bot.chat.asker import in_telegram
from bot.chat.commands import parse
from bot.chat.rule_actions import RuleActions
from bot.clock import SystemClock
from bot.engine.engine import Engine
from bot.model.alert import Notice, TellKind, alert_key, short_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.settings import Settings
from bot.sim.chatserver import ChatServer
from bot.storage.memory import MemoryAlertStore, MemoryKeyValues, MemoryOutbox
from bot.storage.memory_subscriptions import MemorySubscriptionStore

OWNER, GROUP, TOPIC = 71, -1001234567890, 12


def firing(at_ms):
    key = alert_key("level", "binance:AUSDT", at_ms)
    view = AlertView(
        "level", "Level", "AUSDT", "binance", "A", "warning", short_id(key), "fire", at_ms, at_ms, "price > 1", "price",
        2.0, value_is_ratio=False,
    )  # fmt: skip
    return Notice(key, TellKind.FIRE, 0, "level", "binance:AUSDT", "warning", ("main",), at_ms, view)


class Middle:
    """What `RuleShelf` asks of the loop."""

    def __init__(self, routes, clock):
        self.routes, self._clock = routes, clock

    def venue_now(self):
        return self._clock.wall_ms()


@pytest.mark.parametrize("how", ["level", "all"])
async def test_what_matches_arrives_in_the_topic_at_once_and_after_a_reload(tmp_path, how):
    (tmp_path / "rules.yaml").write_text("rules:\n- {id: level, name: Level, when: price > 1}\n", encoding="utf-8")
    clock = SystemClock(speed=20)
    async with ChatServer(clock=clock) as server, contextlib.AsyncExitStack() as stack:
        server.telegram.topics[GROUP] = {TOPIC}
        settings = Settings(
            rules_dir=tmp_path,
            telegram={
                "token": server.telegram_token, "api_url": server.telegram_url, "owner_id": OWNER, "chat_id": GROUP,
            },
            _env_file=None,
        )  # fmt: skip
        loaded, plan = load(settings), plan_of(settings)
        subscribing = await Subscribing.load(MemorySubscriptionStore(), ExtraRules(loaded))
        outbox = MemoryOutbox()
        alerts = MemoryAlertStore(outbox)
        sending = await open_sending(
            settings,
            Builder(settings, clock=clock, console=Console(file=io.StringIO()), stack=stack),
            plan,
            clock=clock,
            outbox=outbox,
            store=MemoryKeyValues(),
            venue_now=clock.wall_ms,
            n_instruments=lambda: 1,
            subscribing=subscribing,
        )

        async def outbox_rename(old, new):
            outbox.rename(old, new)

        live = Middle(plan.routes, clock)
        shelf = RuleShelf(
            subscribing,
            engine=Engine(loaded.rules.rules),
            live=live,
            sending=sending,
            rules=lambda: loaded.rules.rules,
            rename=outbox_rename,
            fired=alerts.fired,
        )
        actions = Actions(RuleActions(shelf, lambda _: None).handlers)
        lanes = asyncio.create_task(sending.lanes.run())

        async def fire():
            rows = subscribing.rows(live.routes, [firing(clock.wall_ms())])
            await alerts.commit(Commit((), (), rows))
            sending.tell(())
            await server.until(lambda: len(server.messages(GROUP)) == n_told + 1, within_s=200)
            return server.messages(GROUP)[-1]

        n_told = 0
        assert (await fire()).topic is None
        await clock.sleep(1)
        asker = in_telegram(GROUP, OWNER, is_owner=True, topic=TOPIC)
        await actions.answer(parse(f"/here {how}"), asker=asker)
        n_told = 1
        assert (await fire()).topic == TOPIC
        sending.switch(await sending.prepare(plan, settings))
        n_told = 2
        assert (await fire()).topic == TOPIC
        await clock.sleep(1)
        await actions.answer(parse("/here off"), asker=asker)
        n_told = 3
        assert (await fire()).topic is None
        lanes.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await lanes
