"""What chats need beside answers, put together: buttons, boards, lists, rules from chat, what chats have set, moves."""

from dataclasses import dataclass

from bot.app.chat_rules import ChatRules, Endings, open_chat_rules
from bot.app.desk import Desk
from bot.app.destinations import Plan
from bot.app.extra_rules import ExtraRules
from bot.app.followed import Followed
from bot.app.live import Live
from bot.app.loading import Loaded
from bot.app.moves import Moves
from bot.app.routing import Routes
from bot.app.subscribing import Subscribing
from bot.app.ways import known_ways
from bot.chat.asker import telegram_number
from bot.chat.board import Boards
from bot.chat.buttons import Buttons, load_secret
from bot.chat.watchlists import Watchlists
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.ports import KeyValues
from bot.settings import Settings
from bot.storage.alerts import SqliteAlertStore
from bot.storage.buttons import SqliteButtonStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.chat_rules import SqliteChatRuleStore
from bot.storage.database import Database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.subscriptions import SqliteSubscriptionStore
from bot.storage.watchlists import SqliteWatchlistStore


@dataclass(frozen=True, slots=True)
class Chatrooms:
    """The parts. Made by `load`, before anything is sent."""

    buttons: Buttons
    boards: Boards
    moves: Moves
    extra: ExtraRules
    chat_rules: ChatRules
    subscribing: Subscribing
    lists: Watchlists
    values: KeyValues
    clock: Clock
    ways: dict[str, str]
    """Destinations of chats that no plan knows: of members and of groups that somebody put on the list."""

    @classmethod
    async def load(cls, database: Database, clock: Clock, loaded: Loaded, settings: Settings) -> "Chatrooms":
        """With all that is stored. `loaded`: the rules folder at the start."""
        values = SqliteKeyValues(database)
        buttons = Buttons(SqliteButtonStore(database), secret=await load_secret(values), clock=clock)
        moves = await Moves.load(values, SqliteChatMoves(database))
        moves.listeners.append(lambda old, new: buttons.moved(f"telegram:{old}", f"telegram:{new}"))
        extra = ExtraRules(loaded)
        chat_rules = await open_chat_rules(SqliteChatRuleStore(database), clock, extra)
        moves.listeners.append(chat_rules.chat_moved)

        def before(chat: str) -> str:
            number = telegram_number(chat)
            return chat if number is None else f"telegram:{moves.before(number)}"

        followed = Followed(await SqliteAlertStore(database).followed())
        moves.followers.append(followed.rename)
        ways = await known_ways(database, settings)
        subscribing = await Subscribing.load(SqliteSubscriptionStore(database), extra, before, followed, ways)
        moves.listeners.append(lambda old, new: subscribing.moved(f"telegram:{old}", f"telegram:{new}"))
        boards = Boards(values, clock)
        moves.listeners.append(boards.moved)
        lists = await Watchlists.load(SqliteWatchlistStore(database), clock)
        moves.listeners.append(lambda old, new: lists.moved(f"telegram:{old}", f"telegram:{new}"))
        return cls(buttons, boards, moves, extra, chat_rules, subscribing, lists, values, clock, ways)

    def endings(self, alerts: ChatAlertStore, engine: Engine, live: Live) -> Endings:
        """What lets things end that were asked for until a time."""
        return Endings(store=alerts, desk=Desk(engine, live), rules=self.chat_rules, clock=self.clock)

    async def routes(self, plan: Plan) -> Routes:
        """Those of a plan, which lead to chats that moved too, from now on as well; the others before forget to follow."""
        routes = plan.routes
        for chat, name in self.ways.items():
            routes.by_chat.setdefault(chat, name)
        names = [*(described.name for described in plan.everywhere), *self.ways.values()]
        await self.moves.settle(routes.by_chat, names)
        return routes
