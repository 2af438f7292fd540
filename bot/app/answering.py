"""What answers people, put together: the families of commands, and the front for this machine's own."""

from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from bot.app import market_desk
from bot.app.chat_rules import ChatRules
from bot.app.chatrooms import Chatrooms
from bot.app.data_dir import DataDir
from bot.app.desk import Desk
from bot.app.drawing import Drawing
from bot.app.explainer import Explainer
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.overviews import Overviews
from bot.app.owner_files import owner_files
from bot.app.rehearsals import Rehearser
from bot.app.reloading import Reloader
from bot.app.rule_desk import RuleShelf
from bot.app.sending import Sending
from bot.app.status import Status
from bot.chat.actions import Actions, Handler
from bot.chat.alert_actions import AlertActions
from bot.chat.asker import AT_TERMINAL
from bot.chat.board import BoardActions
from bot.chat.dead_letters import DeadLetters
from bot.chat.local import LocalChat
from bot.chat.reload_actions import ReloadActions
from bot.chat.reviving import Reviving
from bot.chat.rule_actions import RuleActions
from bot.chat.why import Why
from bot.chat.wire import MAX_SYMBOLS, Words
from bot.clock import Clock
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.overview import OverviewReader
from bot.model.ports import AlertStore, ChatAlertStore, MarketReader, WhyReader
from bot.settings import Settings
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.database import Database
from bot.storage.outbox_care import SqliteOutboxCare

MAX_IDS: Final = 1_000
"""More alerts are not offered for completion."""


class Answered(NamedTuple):
    """What answers."""

    actions: Actions
    """All that people may ask."""
    local: LocalChat
    """On the control socket."""
    overview: OverviewReader


async def _words(market: MarketReader, why: WhyReader, chat_alerts: ChatAlertStore, chat_rules: ChatRules) -> Words:
    """What may be typed in a terminal."""
    mine = [one.id for one in await chat_alerts.of_chat(AT_TERMINAL.chat, limit=MAX_IDS)]
    return Words(
        symbols=tuple(one.symbol for one in market.instruments()[:MAX_SYMBOLS]),
        rules=tuple(rule.id for rule in why.rules() if rule.is_on),
        alerts=(*mine, *(one.id for one in chat_rules.of_chat(AT_TERMINAL.chat))),
    )


def answering(
    *,
    engine: Engine,
    live: Live,
    cards: Cards,
    status: Status,
    clock: Clock,
    database: Database,
    alerts: AlertStore,
    chat_alerts: ChatAlertStore,
    settings: Settings,
    rooms: Chatrooms,
    mutes: Mutes,
    sending: Sending,
    drawing: Drawing,
    risk: Mapping[str, Handler],
    reloader: Reloader,
    data_dir: DataDir,
) -> Answered:
    """Everything that answers people, but for the fronts themselves."""
    rules, muting = rooms.extra.of_files, mutes.muting
    why = Explainer(engine=engine, live=live, alerts=alerts, chat_alerts=chat_alerts, loaded=rules, muting=muting)
    subscribing, lanes, rename = rooms.subscribing, sending.lanes, SqliteChatMoves(database).rename
    shelf = RuleShelf(subscribing, engine=engine, live=live, sending=sending, rules=rules, rename=rename)
    made = AlertActions(
        market=cards,
        store=chat_alerts,
        desk=Desk(engine, live),
        rules=rooms.chat_rules,
        rehearsals=Rehearser(engine, clock),
        clock=clock,
        max_per_chat=settings.alerts.max_per_chat,
        zone_of=lambda chat: mutes.zone_of(shelf.place(chat), subscribing.zone_of(chat)),
    )
    overview = Overviews(engine=engine, live=live, status=status, lanes=lanes.status)
    looking = market_desk.families(cards=cards, status=status, clock=clock, lists=rooms.lists, why=why)
    families = (
        Why(cards, why, destination_of=shelf.place, told=subscribing.why),
        made,
        mutes.actions(cards, chat_alerts, engine, live, lambda: lanes.names, subscribing.zone_of),
        RuleActions(shelf, muting.quiet_of),
        DeadLetters(SqliteOutboxCare(database)),
        Reviving(lanes),
        ReloadActions(reloader),
        BoardActions(rooms.boards, overview),
        owner_files(settings, data_dir),
    )
    actions = Actions(
        *looking, *(family.handlers for family in families), risk, *drawing.handlers(cards), lists=rooms.lists
    )
    front = partial(LocalChat, path=data_dir.control, clock=clock, reloads=reloader, charts=drawing.local)
    words = partial(_words, cards, why, chat_alerts, rooms.chat_rules)
    local = front(market=cards, why=why, overview=overview, actions=actions, words=words)
    return Answered(actions, local, overview)
