"""A chat in one process without sockets: real access, buttons, people and dispatch over a client that only records."""

from collections import Counter
from dataclasses import dataclass

from telegram import Update

from bot.chat.access import Gate
from bot.chat.actions import Actions
from bot.chat.asker import Asker
from bot.chat.buttons import Buttons
from bot.chat.commands import COMMANDS, Command
from bot.chat.ending import Ending
from bot.chat.own_data import OwnData
from bot.chat.people import People
from bot.chat.people_actions import PeopleActions
from bot.chat.reply import Reply, line
from bot.chat.telegram_dispatch import Dispatcher
from bot.chat.telegram_door import Door
from bot.chat.telegram_html import MAX_UNITS, to_plain
from bot.clock import ManualClock
from bot.sim.chat_methods import ADMINISTRATOR_RIGHTS
from bot.storage.memory import (
    MemoryAlertStore,
    MemoryButtonStore,
    MemoryChatAlertStore,
    MemoryMemberStore,
    MemoryOutbox,
)
from bot.storage.memory_access import MemoryAuditLog, MemoryGroupStore, MemoryPersonalData, MemoryStrangerStore
from bot.texts import speaking

OWNER, ADMIN, MEMBER, VIEWER, STRANGER, OTHER = 71, 72, 73, 74, 99, 98
GROUP, NEW_GROUP = -100_500, -100_600


@dataclass
class Said:
    """One thing that the bot did in a chat."""

    how: str
    """`send`, `edit`, `press` (the answer to a press, seen by one person)."""
    chat_id: int
    text: str
    reply: Reply | None = None
    data: tuple[str, ...] = ()
    """Callback data of its buttons."""
    message_id: int = 0

    def button(self, label: str) -> str:
        """What stands behind the button that is called so."""
        labels = [one.label for row in self.reply.buttons for one in row]
        return self.data[next(n for n, one in enumerate(labels) if label in one)]


class Recorder:
    """Stands in for `TelegramClient`."""

    def __init__(self, buttons: Buttons) -> None:
        self._buttons = buttons
        self.said: list[Said] = []
        self.menus: dict[int, tuple[tuple[str, str], ...]] = {}
        """How many commands each chat is shown."""
        self.left: list[int] = []
        self._n = 1_000

    async def _data(self, chat_id, reply, user):
        commands = [one.command for row in reply.buttons for one in row]
        for_whom = user if reply.is_personal else ""
        return await self._buttons.issue(commands, chat=f"telegram:{chat_id}", user=for_whom) if commands else ()

    async def send(self, chat_id, reply, *, user="", thread_id=None, reply_to=None, png=None):
        self._n += 1
        data = await self._data(chat_id, reply, user)
        self.said.append(Said("send", chat_id, to_plain(reply), reply, data, self._n))
        return self._n

    async def deliver(self, chat_id, reply, user, attempt, *, spare=False, limit=MAX_UNITS):
        return await self.send(chat_id, reply, user=user)

    async def edit(self, chat_id, message_id, reply, *, user="", png=None):
        data = await self._data(chat_id, reply, user)
        self.said.append(Said("edit", chat_id, to_plain(reply), reply, data, message_id))
        return message_id

    async def answer_press(self, query_id, text=""):
        self.said.append(Said("press", int(query_id), text))

    async def set_menu(self, commands, *, chat_id=None, language=""):
        with speaking(language):
            self.menus[chat_id] = commands()

    async def drop_menu(self, chat_id):
        self.menus.pop(chat_id, None)

    async def leave(self, chat_id):
        self.left.append(chat_id)


class NoDesk:
    """Nothing lives, and no stops follow."""

    def add(self, alert): ...

    def remove(self, alert_id): ...

    def watches_of(self, chat):
        return ()

    def of_chat(self, chat):
        return ()

    async def unwatch(self, watch_id): ...

    async def set(self, person, settings): ...


class ChatWorld:
    """People, chats and one bot. Commands that the people's own families do not carry out are only noted in `done`."""

    def __init__(self, *, owner_id: int | None = OWNER, chat_ids=(GROUP,)) -> None:
        self.clock = ManualClock()
        self.members, self.strangers = MemoryMemberStore(), MemoryStrangerStore()
        self.groups, self.audit = MemoryGroupStore(), MemoryAuditLog()
        self.alerts = MemoryChatAlertStore(MemoryAlertStore(MemoryOutbox()))
        self.ways: list[int] = []
        self.people = People(
            members=self.members,
            strangers=self.strangers,
            groups=self.groups,
            audit=self.audit,
            clock=self.clock,
            owner_id=owner_id,
            open_way=self._open_way,
        )
        self.invites = self.people.invites
        self.ending = Ending(self.alerts, NoDesk(), NoDesk(), NoDesk(), self.clock)
        self.data = MemoryPersonalData(self.members, self.strangers, self.groups, self.audit)
        self.done: list[tuple[Command, Asker]] = []
        self.languages: dict[str, str] = {}
        """What is spoken, by chat."""
        self.counts: Counter[str] = Counter()
        self.gate = Gate(owner_id=owner_id, chat_ids=chat_ids, known=self.people)
        self.buttons = Buttons(MemoryButtonStore(), secret=b"secret", clock=self.clock)
        self.client = Recorder(self.buttons)
        self.door = Door(
            client=self.client,
            gate=self.gate,
            clock=self.clock,
            claims=None,
            people=self.people,
            save_refusals=self._nothing,
            on_seen=lambda _: None,
            language_of=self._language_of,
        )
        self.door.bot_name = "oi_bot"
        self.people.front = self.door
        noted = {spec.name: self._note for spec in COMMANDS}
        people = PeopleActions(self.people, audit=self.audit, ending=self.ending, clock=self.clock)
        own = OwnData(self.people, self.data, self.ending, self.clock)
        self.actions = Actions(
            noted, people.handlers, own.handlers, note=self.people.note, language_of=self._language_of
        )
        self.dispatcher = Dispatcher(
            client=self.client,
            gate=self.gate,
            actions=self.actions,
            buttons=self.buttons,
            clock=self.clock,
            counts=self.counts,
            save_refusals=self._nothing,
            on_seen=None,
            moves=None,
            door=self.door,
        )
        self.dispatcher.bot_name = "oi_bot"
        self._n = 0

    async def _open_way(self, chat_id):
        self.ways.append(chat_id)

    async def _nothing(self): ...

    def _language_of(self, chat):
        return self.languages.get(chat, "")

    async def _note(self, command, asker):
        self.done.append((command, asker))
        if command.name == "language":
            self.languages[asker.chat] = command.words[0]
        return Reply((line("done ", command.name),))

    @property
    def said(self):
        return self.client.said

    def texts(self, chat_id):
        """What was said in a chat, answers to presses left out."""
        return [one.text for one in self.said if one.chat_id == chat_id and one.how != "press"]

    def latest(self, chat_id):
        return [one for one in self.said if one.chat_id == chat_id and one.how != "press"][-1]

    async def dispatch(self, **update):
        self._n += 1
        await self.dispatcher.dispatch(Update.de_json({"update_id": self._n, **update}, None))

    def message(self, text, user_id, chat_id=None, **more):
        self._n += 1
        return {
            "message_id": self._n,
            "date": self.clock.wall_ms() // 1000,
            "chat": chat_of(user_id if chat_id is None else chat_id),
            "from": person(user_id),
            "text": text,
            **more,
        }

    async def says(self, text, user_id, chat_id=None, *, kind="message", **more):
        """Somebody writes; the commands that were carried out for it."""
        before = len(self.done)
        await self.dispatch(**{kind: self.message(text, user_id, chat_id, **more)})
        return [command.name for command, _ in self.done[before:]]

    async def presses(self, data, user_id, chat_id=None, **more):
        """Somebody presses a button; the commands that were carried out for it."""
        before, chat_id = len(self.done), user_id if chat_id is None else chat_id
        self._n += 1
        message = {"message_id": 1, "date": 1, "chat": chat_of(chat_id), "text": "x"}
        query = {"id": str(self._n), "from": person(user_id), "chat_instance": "1", "message": message, "data": data}
        await self.dispatch(callback_query={**query, **more})
        return [command.name for command, _ in self.done[before:]]

    async def data_of(self, command, chat_id, user=""):
        return (await self.buttons.issue([command], chat=f"telegram:{chat_id}", user=user))[0]

    async def membership(self, chat_id, user_id, before, after, **chat):
        bot = {"id": 5, "is_bot": True, "first_name": "B"}
        more = {"kicked": {"until_date": 0}, "administrator": ADMINISTRATOR_RIGHTS}
        await self.dispatch(
            my_chat_member={
                "chat": {**chat_of(chat_id), **chat},
                "from": person(user_id),
                "date": 1,
                "old_chat_member": {"user": bot, "status": before, **more.get(before, {})},
                "new_chat_member": {"user": bot, "status": after, **more.get(after, {})},
            }
        )


def person(user_id):
    return {"id": user_id, "is_bot": False, "first_name": f"P{user_id}", "username": f"p{user_id}"}


def chat_of(chat_id):
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "A"}
    return {"id": chat_id, "type": "supergroup", "title": f"G{-chat_id}"}
