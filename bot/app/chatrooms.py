"""What chats need beside answers, put together: buttons, symbols that are put aside, and where groups went that moved."""

from dataclasses import dataclass

from bot.app.destinations import Plan
from bot.app.moves import Moves
from bot.app.routing import Routes
from bot.chat.buttons import Buttons, load_secret
from bot.chat.watchlists import Watchlists
from bot.clock import Clock
from bot.model.ports import KeyValues
from bot.storage.buttons import SqliteButtonStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.database import Database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.watchlists import SqliteWatchlistStore


@dataclass(frozen=True, slots=True)
class Chatrooms:
    """The parts. Made by `load`, before anything is sent."""

    buttons: Buttons
    moves: Moves
    lists: Watchlists
    values: KeyValues
    clock: Clock

    @classmethod
    async def load(cls, database: Database, clock: Clock) -> "Chatrooms":
        """With all that is stored."""
        values = SqliteKeyValues(database)
        buttons = Buttons(SqliteButtonStore(database), secret=await load_secret(values), clock=clock)
        moves = await Moves.load(values, SqliteChatMoves(database))
        moves.listeners.append(lambda old, new: buttons.moved(f"telegram:{old}", f"telegram:{new}"))
        lists = await Watchlists.load(SqliteWatchlistStore(database), clock)
        moves.listeners.append(lambda old, new: lists.moved(f"telegram:{old}", f"telegram:{new}"))
        return cls(buttons, moves, lists, values, clock)

    async def routes(self, plan: Plan) -> Routes:
        """Those of a plan, which lead to chats that moved too, from now on as well; the others before forget to follow."""
        routes = plan.routes
        await self.moves.settle(routes.by_chat, [d.name for d in plan.everywhere])
        return routes
