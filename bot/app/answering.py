"""What answers people, put together: the families of commands, and the front for this machine's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from bot.app import market_desk
from bot.app.backtests import Backtests
from bot.app.chat_rules import ChatRules
from bot.app.chatrooms import Chatrooms
from bot.app.dashboard import Sources
from bot.app.data_dir import DataDir
from bot.app.desk import Desk
from bot.app.drawing import Drawing
from bot.app.explainer import Explainer
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.overviews import Overviews
from bot.app.owner_files import owner_files
from bot.app.past_desk import PastReading
from bot.app.rehearsals import Rehearser
from bot.app.reloading import Reloader
from bot.app.risk_desk import Desk as RiskDesk
from bot.app.rule_desk import RuleShelf
from bot.app.score_desk import ScoreDesk, open_scores
from bot.app.sending import Sending
from bot.app.society import Society
from bot.app.status import Status
from bot.app.web_desk import WebDesk
from bot.chat.actions import Actions, Handler
from bot.chat.alert_actions import AlertActions
from bot.chat.asker import AT_TERMINAL
from bot.chat.backtest_actions import BacktestActions
from bot.chat.board import BoardActions
from bot.chat.dead_letters import DeadLetters
from bot.chat.ending import Ending
from bot.chat.local import LocalChat
from bot.chat.reload_actions import ReloadActions
from bot.chat.reviving import Reviving
from bot.chat.rule_actions import RuleActions
from bot.chat.score_actions import ScoreActions
from bot.chat.why import Why
from bot.chat.wire import MAX_SYMBOLS, Words
from bot.clock import Clock
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.outbox_ports import AlertStore
from bot.model.overview import OverviewReader
from bot.model.ports import MarketReader, WhyReader
from bot.settings import Settings
from bot.storage.database import Database
from bot.storage.outbox_care import SqliteOutboxCare
from bot.storage.scores import SqliteScoreStore
from bot.storage.told import SqliteFiringStore
from bot.web.site import Site

MAX_IDS: Final = 1_000
"""More alerts are not offered for completion."""


class Answered(NamedTuple):
    """What answers."""

    actions: Actions
    """All that people may ask."""
    local: LocalChat
    """On the control socket."""
    overview: OverviewReader
    scores: ScoreDesk
    """To be run."""
    site: Site | None
    """Pages; None where they are switched off."""


async def _words(market: MarketReader, why: WhyReader, chat_alerts: ChatAlertStore, chat_rules: ChatRules) -> Words:
    """What may be typed in a terminal."""
    mine = [one.id for one in await chat_alerts.of_chat(AT_TERMINAL.chat, limit=MAX_IDS)]
    return Words(
        symbols=tuple(one.symbol for one in market.instruments()[:MAX_SYMBOLS]),
        rules=tuple(rule.id for rule in why.rules() if rule.is_on),
        alerts=(*mine, *(one.id for one in chat_rules.of_chat(AT_TERMINAL.chat))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The parts of a bot that answers are made of."""

    engine: Engine
    live: Live
    cards: Cards
    status: Status
    clock: Clock
    database: Database
    alerts: AlertStore
    chat_alerts: ChatAlertStore
    settings: Settings
    rooms: Chatrooms
    mutes: Mutes
    sending: Sending
    drawing: Drawing
    risk: RiskDesk
    society: Society
    reloader: Reloader
    data_dir: DataDir
    backtests: Backtests
    past: PastReading
    web: WebDesk

    def answered(self) -> Answered:
        """Everything that answers people, but for the fronts themselves."""
        cards, rooms, clock = self.cards, self.rooms, self.clock
        why = Explainer(
            engine=self.engine,
            live=self.live,
            alerts=self.alerts,
            chat_alerts=self.chat_alerts,
            loaded=rooms.extra.of_files,
            muting=self.mutes.muting,
            made_in=lambda chat: [one.id for one in rooms.chat_rules.of_chat(chat)],
            form_of=lambda chat, rule: rooms.subscribing.why(chat, rule)[0],
        )
        overview = Overviews(engine=self.engine, live=self.live, status=self.status, lanes=self.sending.lanes.status)
        charts = self.drawing.actions(cards)
        looking = market_desk.families(
            cards=cards,
            status=self.status,
            clock=clock,
            lists=rooms.lists,
            why=why,
            charts=charts,
            told=rooms.subscribing.why,
        )
        scores = self._scores()
        actions = Actions(
            *looking,
            *self._handlers(why, overview, scores),
            ScoreActions(desk=scores, market=cards, why=why).handlers,
            self.web.handlers,
            note=self.society.people.note,
            lists=rooms.lists,
            language_of=rooms.subscribing.language_of,
        )
        local = LocalChat(
            path=self.data_dir.control,
            market=cards,
            why=why,
            overview=overview,
            clock=clock,
            reloads=self.reloader,
            charts=self.drawing.local,
            actions=actions,
            words=partial(_words, cards, why, self.chat_alerts, rooms.chat_rules),
        )
        site = self.web.site(self._sources(why, overview), self.society.people, actions)
        return Answered(actions, local, overview, scores, site)

    def _sources(self, why: Explainer, overview: Overviews) -> Sources:
        return Sources(
            engine=self.engine,
            live=self.live,
            cards=self.cards,
            overview=overview,
            why=why,
            charts=self.drawing.data,
            rehearser=Rehearser(self.engine, self.clock),
            firings=SqliteFiringStore(self.database),
            scores=SqliteScoreStore(self.database),
            chat_alerts=self.chat_alerts,
            chat_rules=self.rooms.chat_rules,
            rules_dir=self.settings.rules_dir,
            destinations=lambda: tuple(self.reloader.running.plan.names),
        )

    def _scores(self) -> ScoreDesk:
        return open_scores(
            self.database,
            self.engine,
            self.live,
            self.settings.scorecard.model_dump(),
            names=lambda: self.sending.lanes.names,
            rule_ids=lambda: {rule.id for rule in self.engine.rules if not rule.base},
            clock=self.clock,
            language_of=lambda name: self.rooms.subscribing.language_at(self.live.routes, name),
        )

    def _handlers(self, why: Explainer, overview: Overviews, scores: ScoreDesk) -> list[Mapping[str, Handler]]:
        """Of all families but those that look at the market."""
        rooms, lanes, desk, shelf = self.rooms, self.sending.lanes, Desk(self.engine, self.live), self._shelf()
        zone_of = rooms.subscribing.zone_of
        silences = self.mutes.actions(
            self.cards, self.chat_alerts, self.engine, self.live, lambda: lanes.names, zone_of
        )
        also = silences.clear, shelf.leave, rooms.lists.forget, rooms.boards.end, scores.forget
        ending = Ending(self.chat_alerts, desk, self.risk, rooms.chat_rules, self.clock, *also)
        families = (
            Why(self.cards, why, destination_of=shelf.place, told=rooms.subscribing.why),
            self._alert_actions(desk, shelf),
            silences,
            self.risk.actions(self.cards),
            RuleActions(shelf, self.mutes.muting.quiet_of, self.reloader.troubles, self.risk.settings_of),
            DeadLetters(SqliteOutboxCare(self.database)),
            Reviving(lanes),
            ReloadActions(self.reloader),
            BoardActions(rooms.boards, overview),
            BacktestActions(self.backtests, why.rules, shelf.own_number, self.cards),
            owner_files(self.settings, self.data_dir),
            *self.society.families(ending),
        )
        return [family.handlers for family in families]

    def _shelf(self) -> RuleShelf:
        return RuleShelf(
            self.rooms.subscribing,
            engine=self.engine,
            live=self.live,
            sending=self.sending,
            rules=self.rooms.extra.of_files,
            rename=self.rooms.moves.rename,
            fired=self.alerts.fired,
        )

    def _alert_actions(self, desk: Desk, shelf: RuleShelf) -> AlertActions:
        return AlertActions(
            market=self.cards,
            store=self.chat_alerts,
            desk=desk,
            rules=self.rooms.chat_rules,
            rehearsals=Rehearser(self.engine, self.clock, lambda: self.drawing.venue),
            past=self.past,
            fired=self.alerts.fired,
            clock=self.clock,
            max_per_chat=self.settings.alerts.max_per_chat,
            zone_of=lambda chat: self.mutes.zone_of(shelf.place(chat), self.rooms.subscribing.zone_of(chat)),
            hush_of=lambda one: self.mutes.hush_of(one, shelf.place(one.chat), self.live.venue_now()),
            venue_now=self.live.venue_now,
        )
