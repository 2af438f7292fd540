"""The front of Telegram, made from settings."""

from collections.abc import Callable

from bot.app.chatrooms import Chatrooms
from bot.app.destinations import Plan
from bot.app.proxy import usable_proxy
from bot.app.sending import Sending
from bot.app.society import Society
from bot.chat.actions import Actions
from bot.chat.claims import Claims
from bot.chat.telegram_app import TelegramChat
from bot.chat.telegram_board import BoardKeeper, TelegramScreen
from bot.chat.telegram_client import TelegramClient
from bot.model.chart_ports import ChartMaker
from bot.model.members import Member
from bot.model.overview import OverviewReader
from bot.settings import Settings
from bot.storage.access import SqliteAuditLog


def telegram_chat(
    settings: Settings,
    plan: Callable[[], Plan],
    sending: Sending,
    rooms: Chatrooms,
    society: Society,
    *,
    actions: Actions,
    is_claimable: bool,
    on_claimed: Callable[[Member], None],
    charts: ChartMaker | None,
    overview: OverviewReader,
) -> TelegramChat | None:
    """What answers in Telegram; None without a token. `is_claimable`: a link may make the owner; `charts`: None for no
    pictures.
    """
    telegram = settings.telegram
    if telegram.token is None:
        return None
    token = telegram.token.get_secret_value()

    def revive(chat_id: int) -> None:
        """Somebody wrote in a chat, so it may be written to again."""
        names = plan().of_chat(rooms.moves.before(chat_id))
        for name in sending.lanes.names:
            if name in names or name.partition("/")[0] in (*names, f"telegram:{chat_id}"):
                sending.lanes.revive(name)
        rooms.boards.seen(chat_id)

    async def keep_boards(client: TelegramClient) -> None:
        await BoardKeeper(
            rooms.boards, overview, TelegramScreen(client), rooms.clock, rooms.subscribing.language_of
        ).run()

    with usable_proxy("Telegram"):
        return TelegramChat(
            token=token,
            api_url=telegram.api_url,
            owner_id=telegram.owner_id,
            chat_ids=[c for c in (telegram.chat_id, *telegram.chats) if c is not None],
            actions=actions,
            buttons=rooms.buttons,
            store=rooms.values,
            clock=rooms.clock,
            on_seen=revive,
            limits=sending.builder.telegram_limits(token),
            moves=rooms.moves,
            report=sending.lanes.notices.report,
            claims=Claims(society.members, rooms.clock, SqliteAuditLog(society.database)) if is_claimable else None,
            people=society.people,
            on_claimed=on_claimed,
            charts=charts,
            beside=keep_boards,
        )
