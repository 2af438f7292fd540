"""What answers people, put together: the families of commands, and the front for this machine's own."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bot.app import market_desk
from bot.app.chat_rules import ChatRules
from bot.app.desk import Desk
from bot.app.drawing import Drawing
from bot.app.explainer import Explainer
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.overviews import Overviews
from bot.app.rehearsals import Rehearser
from bot.app.reloading import Reloader
from bot.app.rules_shelf import RulesShelf
from bot.app.status import Status
from bot.chat.actions import Actions, Handler
from bot.chat.alert_actions import AlertActions
from bot.chat.dead_letters import DeadLetters
from bot.chat.local import LocalChat
from bot.chat.reload_actions import ReloadActions
from bot.chat.reviving import Reviving
from bot.chat.watchlists import Watchlists
from bot.chat.why import Why
from bot.clock import Clock
from bot.delivery.lanes import Lanes
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.ports import AlertStore, ChatAlertStore
from bot.rules.schema import Rule
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
    loaded: Callable[[], Sequence[Rule]],
    lists: Watchlists,
    mutes: Mutes,
    lanes: Lanes,
    drawing: Drawing,
    risk: Mapping[str, Handler],
    reloader: Reloader,
    chat_rules: ChatRules,
    control: Path,
) -> tuple[Actions, LocalChat]:
    """All that people may ask, and what answers on the socket `control`."""
    why = Explainer(
        engine=engine, live=live, alerts=alerts, chat_alerts=chat_alerts, loaded=loaded, muting=mutes.muting
    )
    made = AlertActions(
        market=cards,
        store=chat_alerts,
        desk=Desk(engine, live),
        rules=chat_rules,
        rehearsals=Rehearser(engine, clock),
        clock=clock,
        max_per_chat=max_per_chat,
        zone_of=lambda chat: mutes.zone_of(live.routes.by_chat.get(chat)),
    )
    rules = RulesShelf(engine=engine, live=live, alerts=alerts, loaded=loaded, problems=reloader.troubles)
    looking = market_desk.families(cards=cards, status=status, clock=clock, lists=lists, why=why, rules=rules)
    families = (
        Why(cards, why, destination_of=lambda chat: live.routes.by_chat.get(chat)),  # noqa: PLW0108, routes change
        made,
        mutes.actions(cards, chat_alerts, engine, live, lambda: lanes.names),
        DeadLetters(SqliteOutboxCare(database)),
        Reviving(lanes),
        ReloadActions(reloader),
    )
    actions = Actions(*looking, *(family.handlers for family in families), risk, *drawing.handlers(cards), lists=lists)
    overview = Overviews(engine=engine, live=live, status=status, lanes=lanes.status)
    local = LocalChat(
        path=control,
        market=cards,
        why=why,
        overview=overview,
        clock=clock,
        reloads=reloader,
        charts=drawing.local,
    )
    return actions, local
