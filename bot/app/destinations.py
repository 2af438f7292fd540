"""Which destinations there are, from `destinations.yaml` or else from the settings, and how each is built.

Without that file the settings describe them: `telegram`, `discord`, or the console when there is neither; all of them are
`main`. With it, only what it describes counts. Either way each chat in which commands are answered has a way of its own for
the alerts that were asked for there.

Errors in the file stop a start, as errors in the settings do: an alert that goes to the wrong place is lost as surely as one
that goes nowhere.
"""

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from rich.console import Console

from bot import log
from bot.app.background import in_background
from bot.app.proxy import usable_proxy
from bot.app.routing import MAIN, Routes
from bot.chat.asker import AT_TERMINAL
from bot.clock import Clock
from bot.delivery import apprise_bridge
from bot.delivery.apprise_bridge import AppriseDestination
from bot.delivery.console import ConsoleDestination
from bot.delivery.destination import Destination
from bot.delivery.discord import DiscordDestination
from bot.delivery.limits import DiscordLimits, TelegramLimits
from bot.delivery.telegram import TelegramDestination
from bot.delivery.webhook import MIN_SECRET_LENGTH, WebhookDestination
from bot.errors import ConfigError
from bot.model import addresses
from bot.model.chat_ports import ButtonIssuer, ChatFollower
from bot.model.destinations import (
    AppriseTarget,
    ConsoleTarget,
    Described,
    DiscordTarget,
    Secret,
    TelegramTarget,
    Use,
    WebhookTarget,
)
from bot.model.news import Report, unheard
from bot.rules.destinations import DestinationFile, Means, load_destinations_content
from bot.rules.files import FolderContent, read_folder
from bot.rules.problems import Problem, render_all
from bot.settings import Settings

_TOKEN: Final = re.compile(r"\d+:[\w-]+")


_Opens = TypeVar("_Opens", TelegramDestination, DiscordDestination, WebhookDestination)


class Secrets:
    """Finds what destinations name, and judges its form. Nothing here says a value."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = os.environ if environment is None else environment

    def value(self, secret: Secret | None, use: Use) -> str | None:
        """None where it is not set. Without a name: what the settings hold for that use."""
        if secret is None:
            held = {"bot token": self._settings.telegram.token, "Discord webhook": self._settings.discord.webhook_url}
            found = held.get(use)
        elif secret.source == "secret":
            found = self._settings.secrets.get(secret.name)
        else:
            value = self._environment.get(secret.name, "").strip()
            log.hide(value)
            return value or None
        return (found.get_secret_value().strip() or None) if found is not None else None

    def fault(self, secret: Secret | None, use: Use) -> str | None:
        """Why it cannot be used; None when it can."""
        value = self.value(secret, use)
        if value is None:
            return _missing(secret, use)
        fault = _fault_of_value(value, use)
        return None if fault is None else f"{secret or use}: {fault}"


def _missing(secret: Secret | None, use: Use) -> str:
    if secret is None:
        setting = "OIBOT_TELEGRAM__TOKEN" if use == "bot token" else "OIBOT_DISCORD__WEBHOOK_URL"
        return f"{setting} is not set, and the destination names no {use} of its own"
    if secret.source == "secret":
        name = secret.name
        return f"{secret} is not set: set OIBOT_SECRETS__{name.upper()}, or put it into the file secrets__{name}"
    if secret.name.upper().startswith("OIBOT_"):
        return f"{secret} is not set; in .env it would be a setting, so write secret:NAME and set OIBOT_SECRETS__NAME"
    return f"{secret} is not set: the environment has no variable {secret.name}"


def _fault_of_value(value: str, use: Use) -> str | None:
    match use:
        case "bot token":
            return None if _TOKEN.fullmatch(value) else "expected digits, a colon and letters, as @BotFather gives them"
        case "Discord webhook":
            fault = addresses.fault_of(value)
            return fault if fault or "/webhooks/" in value else "expected an address with /webhooks/ in it"
        case "webhook address":
            return addresses.fault_of(value, private=True)
        case "signing secret":
            short = len(value) < MIN_SECRET_LENGTH
            return f"a signing secret has at least {MIN_SECRET_LENGTH} characters" if short else None
        case "Apprise address":
            return apprise_bridge.fault_of(value)


@dataclass(frozen=True, slots=True)
class Plan:
    """All destinations of one process, without secrets."""

    described: tuple[Described, ...]
    main: tuple[str, ...]
    """Names behind `main`."""
    chats: Mapping[str, int] = field(default_factory=dict)
    """Further destinations, one for each Telegram chat that no described one goes to; they are not part of `main`."""
    chat_of_main: Mapping[int, str] = field(default_factory=dict)
    """Telegram chats that a described destination goes to as a whole, with its name."""
    file: DestinationFile | None = None

    @property
    def routes(self) -> Routes:
        by_name = {d.name: (d.name,) for d in self.described}
        by_chat = {f"telegram:{chat_id}": name for name, chat_id in self.chats.items()}
        by_chat |= {f"telegram:{chat_id}": name for chat_id, name in self.chat_of_main.items()}
        if self.console is not None:
            by_chat[AT_TERMINAL.chat] = self.console
        subscribers = tuple(d for d in self.described if d.subscribes)
        return Routes({**by_name, MAIN: self.main}, by_chat, subscribers)

    @property
    def names(self) -> frozenset[str]:
        """That `notify` may use, also of destinations that are not sound: those are told at their own place."""
        return frozenset(d.name for d in self.described) | {MAIN} | (self.file.names if self.file else frozenset())

    @property
    def everywhere(self) -> tuple[Described, ...]:
        """All of them, the chats in which alerts can be made included."""
        chats = tuple(Described(name, TelegramTarget(chat_id)) for name, chat_id in self.chats.items())
        return (*self.described, *chats)

    @property
    def console(self) -> str | None:
        """The first destination that is the terminal."""
        return next((d.name for d in self.described if isinstance(d.target, ConsoleTarget)), None)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.file.problems if self.file else ()

    def of_chat(self, chat_id: int) -> tuple[str, ...]:
        """Destinations that may live again when somebody writes in that chat: all that go to it, topics too."""
        described = [
            d.name for d in self.described if isinstance(d.target, TelegramTarget) and d.target.chat == chat_id
        ]
        return (*described, *(name for name, chat in self.chats.items() if chat == chat_id))

    def require_sound(self) -> "Plan":
        """Itself; raises `ConfigError` with all errors of the file."""
        errors = self.file.errors if self.file else ()
        if errors:
            raise ConfigError(f"no start with errors in the destinations:\n{render_all(errors)}")
        return self


def plan_of(settings: Settings, *, reads_file: bool = True, asks_secrets: bool = True) -> Plan:
    """What the file in the rules folder describes, else the settings. With `asks_secrets`, a missing one is an error."""
    return plan_of_content(settings, read_folder(settings.rules_dir), reads_file=reads_file, asks_secrets=asks_secrets)


def plan_of_content(
    settings: Settings, content: FolderContent, *, reads_file: bool = True, asks_secrets: bool = True
) -> Plan:
    """The same of a folder that was read before."""
    if not (content.destinations and reads_file):
        return _plan_of_settings(settings)
    (path, raw), *twins = content.destinations.items()
    means = Means(Secrets(settings).fault) if asks_secrets else None
    return plan_of_file(settings, load_destinations_content(path, raw, twins=[p for p, _ in twins], means=means))


def plan_of_file(settings: Settings, found: DestinationFile) -> Plan:
    """What a file that was read describes."""
    main = tuple(d.name for d in found.described if d.is_default)[:1] or tuple(d.name for d in found.described)
    whole = {
        d.target.chat: d.name
        for d in reversed(found.described)
        if isinstance(d.target, TelegramTarget) and d.target.topic is None and d.target.token is None
    }
    asked = _chats(settings)
    of_main = {chat_id: name for chat_id, name in whole.items() if chat_id in asked}
    chats = {f"telegram:{chat_id}": chat_id for chat_id in asked if chat_id not in whole}
    return Plan(found.described, main, chats, of_main, found)


def _plan_of_settings(settings: Settings) -> Plan:
    described = []
    chats = _chats(settings)
    if chats:
        described.append(Described("telegram", TelegramTarget(chats[0])))
    if settings.discord.webhook_url is not None:
        described.append(Described("discord", DiscordTarget()))
    if not described:
        described.append(Described("console", ConsoleTarget()))
    further = {f"telegram:{chat_id}": chat_id for chat_id in chats[1:]}
    return Plan(tuple(described), tuple(d.name for d in described), further, dict.fromkeys(chats[:1], "telegram"))


def _chats(settings: Settings) -> list[int]:
    """Telegram chats in which alerts can be made, the one that gets all alerts first."""
    telegram = settings.telegram
    if telegram.token is None or not (telegram.chat_id or telegram.owner_id):
        return []
    return list(dict.fromkeys(c for c in (telegram.chat_id, telegram.owner_id, *telegram.chats) if c is not None))


class Builder:
    """Makes what sends. All that it makes is closed with `stack`, or before by `close`."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        console: Console,
        stack: contextlib.AsyncExitStack,
        moves: ChatFollower | None = None,
        buttons: ButtonIssuer | None = None,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        """`reread`: the settings as they are now, for destinations that died; `moves`: knows where Telegram groups went; `buttons`: remembers what stands behind those below alerts."""
        self._settings = settings
        self.secrets = Secrets(settings)
        """What is used from now on."""
        self._clock = clock
        self._console = console
        self._moves = moves
        self._buttons = buttons
        self._reread = reread
        self._open: dict[Destination, contextlib.AsyncExitStack] = {}
        stack.push_async_callback(self._close_all)
        self._telegram_limits: dict[str, TelegramLimits] = {}
        self._discord_limits = DiscordLimits(clock)
        self.report: Report = unheard
        """Told what the owner should know."""

    def telegram_limits(self, token: str) -> TelegramLimits:
        """What Telegram allows all that send with that token."""
        return self._telegram_limits.setdefault(token, TelegramLimits(self._clock))

    async def all(self, plan: Plan) -> list[Destination]:
        """Every destination of a sound plan; raises `ConfigError` where a secret is gone."""
        return [await self.one(described) for described in plan.everywhere]

    def key(self, described: Described, secrets: Secrets | None = None) -> tuple[object, ...]:
        """What makes a destination what it is: where it leads, and with which secrets. Not to be shown."""
        target, held = described.target, self.secrets if secrets is None else secrets
        match target:
            case TelegramTarget():
                return described.name, target, held.value(target.token, "bot token")
            case DiscordTarget():
                return described.name, target, held.value(target.webhook, "Discord webhook")
            case WebhookTarget():
                address = held.value(target.url, "webhook address") if isinstance(target.url, Secret) else None
                return described.name, target, address, held.value(target.secret, "signing secret")
            case AppriseTarget():
                return described.name, target, held.value(target.url, "Apprise address")
            case ConsoleTarget():
                return described.name, target

    async def close(self, destination: Destination) -> None:
        """Nothing is sent by it any more."""
        stack = self._open.pop(destination, None)
        if stack is not None:
            await stack.aclose()

    async def _close_all(self) -> None:
        for destination in list(self._open):
            await self.close(destination)

    async def _opened(self, made: _Opens) -> _Opens:
        stack = contextlib.AsyncExitStack()
        await stack.enter_async_context(made)
        self._open[made] = stack
        return made

    async def renewed(self, described: Described, key: tuple[object, ...]) -> Destination | None:
        """A destination with the secrets of now; None where they are missing, or as before: `key` is of what there is."""
        if self._reread is None:
            return None
        before = self.secrets
        try:
            secrets = Secrets(await in_background("settings", self._reread))
            if self.key(described, secrets) == key:
                return None
            self.secrets = secrets
            return await self.one(described)
        except ConfigError:
            self.secrets = before  # half-written, perhaps
            return None

    async def one(self, described: Described) -> Destination:
        name, clock = described.name, self._clock
        match described.target:
            case TelegramTarget() as target:
                return await self._telegram_chat(name, target)
            case DiscordTarget(webhook, thread):
                url = self._secret(name, webhook, "Discord webhook")
                discord = DiscordDestination(
                    name=name, webhook_url=url, clock=clock, thread=thread, limits=self._discord_limits
                )
                return await self._opened(discord)
            case WebhookTarget(address, secret, private):
                url = address if isinstance(address, str) else self._secret(name, address, "webhook address")
                key = self._secret(name, secret, "signing secret")
                signed = WebhookDestination(name=name, url=url, secret=key, clock=clock, private=private)
                return await self._opened(signed)
            case AppriseTarget(url_secret):
                url = self._secret(name, url_secret, "Apprise address")
                return AppriseDestination(name=name, url=url, clock=clock)
            case ConsoleTarget():
                return ConsoleDestination(name=name, console=self._console)

    async def chat(self, name: str, chat_id: int) -> TelegramDestination:
        """Of a chat that no plan knows, and in which we are asked."""
        return await self._telegram_chat(name, TelegramTarget(chat_id), hears=True)

    async def _telegram_chat(self, name: str, target: TelegramTarget, *, hears: bool = False) -> TelegramDestination:
        token = self._secret(name, target.token, "bot token")
        with usable_proxy(f'destination "{name}"'):
            made = TelegramDestination(
                name=name,
                token=token,
                api_url=self._settings.telegram.api_url,
                chat_id=target.chat,
                clock=self._clock,
                topic=target.topic,
                limits=self.telegram_limits(token),
                moves=self._moves,
                report=lambda news: self.report(news),  # noqa: PLW0108, set once the lanes are there
                buttons=self._buttons if hears or self._hears(target) else None,
            )
        return await self._opened(made)

    def _hears(self, target: TelegramTarget) -> bool:
        """Whether a press of a button in that chat reaches us: only our own bot asks for them, in chats that it answers."""
        return (
            target.token is None
            and self._settings.telegram.owner_id is not None
            and target.chat in _chats(self._settings)
        )

    def _secret(self, name: str, secret: Secret | None, use: Use) -> str:
        value = self.secrets.value(secret, use)
        if value is None:
            raise ConfigError(f'destination "{name}": {_missing(secret, use)}')
        return value
