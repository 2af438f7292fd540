"""What people set for their chats, in memory."""

from dataclasses import replace

from bot.model.subscriptions import Look, Subscription, TopicRoute


class MemorySubscriptionStore:
    """The `SubscriptionStore` port."""

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        self._looks: dict[str, Look] = {}
        self._topics: dict[tuple[str, int, str], TopicRoute] = {}

    def chat_moved(self, old: str, new: str) -> None:
        """Let what one chat has set be another's, which keeps what it has. For the store of moves."""
        for (chat, rule), one in list(self._subscriptions.items()):
            if chat == old:
                del self._subscriptions[chat, rule]
                self._subscriptions.setdefault((new, rule), replace(one, chat=new))
        for key, route in list(self._topics.items()):
            if key[0] == old:
                del self._topics[key]
                self._topics.setdefault((new, *key[1:]), replace(route, chat=new))
        if old in self._looks:
            self._looks.setdefault(new, self._looks.pop(old))
            self._looks.pop(old, None)

    async def put(self, one: Subscription) -> None:
        if one.says_nothing:
            self._subscriptions.pop((one.chat, one.rule), None)
        else:
            self._subscriptions[one.chat, one.rule] = one

    async def forget(self, chat: str) -> int:
        gone = [key for key in self._subscriptions if key[0] == chat]
        for key in gone:
            del self._subscriptions[key]
        return len(gone)

    async def all(self) -> list[Subscription]:
        return [self._subscriptions[key] for key in sorted(self._subscriptions)]

    async def put_look(self, chat: str, look: Look) -> None:
        self._looks[chat] = look

    async def forget_look(self, chat: str) -> None:
        self._looks.pop(chat, None)

    async def looks(self) -> dict[str, Look]:
        return dict(self._looks)

    async def put_topic(self, route: TopicRoute) -> None:
        self._topics[route.chat, route.topic, route.what] = route

    async def drop_topic(self, chat: str, topic: int) -> int:
        gone = [key for key in self._topics if key[:2] == (chat, topic)]
        for key in gone:
            del self._topics[key]
        return len(gone)

    async def topics(self) -> list[TopicRoute]:
        return [self._topics[key] for key in sorted(self._topics)]
