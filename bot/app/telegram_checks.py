"""Whether a Telegram bot and its chats can be reached, and whether anybody else polls it. Nothing is posted."""

from typing import Any, Final
from urllib.parse import urlsplit

from bot.app.asking import Said, ask
from bot.app.findings import Finding, Level
from bot.clock import Clock
from bot.model.destinations import TelegramTarget

N_POLLS: Final = 3
POLL_S: Final = 1
_GONE: Final = frozenset({"left", "kicked"})


class TelegramBot:
    """One bot. Its token is in every URL, so no error text of a library is passed on."""

    def __init__(self, token: str, *, api_url: str, clock: Clock) -> None:
        self._url = f"{api_url}/bot{token}"
        self._host = urlsplit(api_url).hostname or api_url
        self._clock = clock
        self.name = "?"
        self._id = 0

    async def check(self) -> Finding:
        """Who the bot is."""
        said = await self._ask("getMe")
        if said.status in {401, 404}:
            advice = (
                "copy the token from @BotFather again into OIBOT_TELEGRAM__TOKEN, or where the destination names it"
            )
            text = f"the token is not accepted (HTTP {said.status})"
            return Finding(Level.FAIL, "telegram", text, advice, "token-refused")
        result = said.body.get("result")
        if said.status != 200 or not isinstance(result, dict):
            if said.status in {403, 451}:
                text = f"{self._host} does not serve this machine's place (HTTP {said.status})"
                return Finding(Level.FAIL, "telegram", text, _ELSEWHERE, "region-block")
            text = said.trouble or f"HTTP {said.status}"
            return Finding(Level.FAIL, "telegram", text, _ELSEWHERE, "unreachable")
        self.name, self._id = str(result.get("username", "?")), int(result.get("id", 0))
        sees_all = result.get("can_read_all_group_messages") is True
        return Finding(Level.OK, "telegram", f"@{self.name}, privacy mode {'off' if sees_all else 'on'}")

    async def check_polling(self) -> Finding:
        """Whether a webhook or another program takes the updates of this bot. Polls briefly, confirms nothing."""
        info = (await self._ask("getWebhookInfo")).body.get("result")
        url = str(info.get("url") or "") if isinstance(info, dict) else ""
        if url:
            text = f"a webhook at {urlsplit(url).hostname} takes its updates; a start of the bot removes it"
            advice = "use a bot of its own for oibot, if another program needs that webhook"
            return Finding(Level.WARN, "telegram", text, advice, "webhook-set")
        for _ in range(N_POLLS):
            said = await self._ask(f"getUpdates?timeout={POLL_S}&limit=1")
            if said.status == 409:
                text = "another program polls this bot (HTTP 409)"
                advice = "stop the other copy of oibot, or get a token of its own for this one from @BotFather"
                return Finding(Level.FAIL, "telegram", text, advice, "second-copy")
            await self._clock.sleep(POLL_S)
        return Finding(Level.OK, "telegram", "nobody else polls it")

    async def check_chat(self, name: str, target: TelegramTarget) -> Finding:
        """Whether the bot is in a chat and may write there."""
        where = f"chat {target.chat}" + (f", topic {target.topic}" if target.topic is not None else "")
        said = await self._ask(f"getChat?chat_id={target.chat}")
        if said.status != 200:
            why = f"HTTP {said.status}" if said.status is not None else said.trouble
            advice = f"write /start to @{self.name}, or add it to the group, or correct the number"
            text = f"{where} is not there for @{self.name} ({why})"
            return Finding(Level.FAIL, name, text, advice, "chat-unreachable")
        if target.chat < 0:
            member = (await self._ask(f"getChatMember?chat_id={target.chat}&user_id={self._id}")).body.get("result")
            fault = _fault_of(member if isinstance(member, dict) else {})
            if fault:
                advice = f"add @{self.name} to the group and let it write, or correct the number"
                return Finding(Level.FAIL, name, f"{where}: the bot {fault}", advice, "bot-not-member")
        return Finding(Level.OK, name, f"{where} (nothing was posted)")

    async def _ask(self, what: str) -> Said:
        return await ask("GET", f"{self._url}/{what}", self._clock)


_ELSEWHERE: Final = (
    "check the network of this machine; where Telegram is blocked set HTTPS_PROXY, or OIBOT_TELEGRAM__API_URL to a Bot API "
    "server of your own"
)


def _fault_of(member: dict[str, Any]) -> str:
    """Why the bot cannot write, as what it is in the chat tells; empty where it can."""
    if member.get("status") in _GONE:
        return "is not a member"
    if member.get("status") == "restricted" and member.get("can_send_messages") is False:
        return "may not write"
    return ""
