"""What answers people, put together: the families of commands, and the front for this machine's own."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bot.app.chatrooms import Chatrooms
from bot.app.desk import Desk
from bot.app.drawing import Drawing
from bot.app.explainer import Explainer
from bot.app.live import Live
from bot.app.loading import Loaded
from bot.app.mutes import Mutes
from bot.app.overviews import Overviews
from bot.app.rehearsals import Rehearser
from bot.app.reloading import Reloader
from bot.app.rule_desk import RuleShelf
from bot.app.sending import Sending
from bot.app.status import Status
from bot.chat.actions import Actions, Handler
from bot.chat.alert_actions import AlertActions
from bot.chat.dead_letters import DeadLetters
from bot.chat.local import LocalChat
from bot.chat.looking import Looking
from bot.chat.reload_actions import ReloadActions
from bot.chat.reviving import Reviving
from bot.chat.rule_actions import RuleActions
from bot.chat.why import Why
from bot.clock import Clock
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.ports import AlertStore, ChatAlertStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.database import Database
from bot.storage.outbox_care import SqliteOutboxCare


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
    max_per_chat: int,
    loaded: Callable[[], Loaded],
    rooms: Chatrooms,
    mutes: Mutes,
    sending: Sending,
    drawing: Drawing,
    risk: Mapping[str, Handler],
    reloader: Reloader,
    control: Path,
) -> tuple[Actions, LocalChat]:
    """All that people may ask, and what answers on the socket `control`."""
    why = Explainer(
        engine=engine,
        live=live,
        alerts=alerts,
        chat_alerts=chat_alerts,
        loaded=lambda: loaded().rules.rules,
        muting=mutes.muting,
    )
    subscribing = rooms.subscribing
    shelf = RuleShelf(
        subscribing, engine=engine, live=live, sending=sending, loaded=loaded, rename=SqliteChatMoves(database).rename
    )
    lanes = sending.lanes
    made = AlertActions(
        market=cards,
        store=chat_alerts,
        desk=Desk(engine, live),
        rules=rooms.chat_rules,
        rehearsals=Rehearser(engine, clock),
        clock=clock,
        max_per_chat=max_per_chat,
        zone_of=lambda chat: mutes.zone_of(shelf.place(chat), subscribing.zone_of(chat)),
    )
    families = (
        Looking(market=cards, status=status, clock=clock),
        Why(cards, why, destination_of=shelf.place, told=subscribing.why),
        made,
        mutes.actions(cards, chat_alerts, engine, live, lambda: lanes.names, subscribing.zone_of),
        RuleActions(shelf, mutes.muting.quiet_of),
        DeadLetters(SqliteOutboxCare(database)),
        Reviving(lanes),
        ReloadActions(reloader),
    )
    actions = Actions(*(family.handlers for family in families), risk, *drawing.handlers(cards))
    overview = Overviews(engine=engine, live=live, status=status, lanes=lanes.status)
    charts = drawing.local
    return actions, LocalChat(
        path=control, market=cards, why=why, overview=overview, clock=clock, reloads=reloader, charts=charts
    )
