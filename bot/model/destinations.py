"""Where alerts can go, as the operator describes it: frozen and checked, without any secret.

`rules.destinations` makes these from a file, `app.destinations` from the settings; `app` finds the secrets and builds what
really sends.
"""

from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["secret", "env"]
Use = Literal["bot token", "Discord webhook", "webhook address", "signing secret", "Apprise address"]
"""What a secret is for; each has its own form."""
Kind = Literal["telegram", "discord", "webhook", "apprise", "console"]

KINDS: Final[tuple[Kind, ...]] = ("telegram", "discord", "webhook", "apprise", "console")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is found: `secret:NAME` among the settings' secrets, `env:NAME` in the environment."""

    source: Source
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


@dataclass(frozen=True, slots=True)
class TelegramTarget:
    """A chat, or one topic of a group that has topics."""

    chat: int
    topic: int | None = None
    token: Secret | None = None
    """Of another bot; None: the settings' bot."""


@dataclass(frozen=True, slots=True)
class DiscordTarget:
    """A channel's webhook; None: that of the settings."""

    webhook: Secret | None = None
    thread: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Anything that takes signed JSON over HTTPS."""

    url: str | Secret
    secret: Secret
    private: bool = False
    """It may stand in a private network."""


@dataclass(frozen=True, slots=True)
class AppriseTarget:
    """A service that Apprise knows."""

    url: Secret


@dataclass(frozen=True, slots=True)
class ConsoleTarget:
    """The terminal in which the bot runs."""


Target = TelegramTarget | DiscordTarget | WebhookTarget | AppriseTarget | ConsoleTarget


@dataclass(frozen=True, slots=True)
class Described:
    """One destination. With severities or tags it also gets what matches them, whatever the rule names."""

    name: str
    target: Target
    is_default: bool = False
    severities: tuple[str, ...] = ()
    """Any of these; empty: of any severity."""
    tags: tuple[str, ...] = ()
    """At least one of these; empty: with any tags or none."""

    @property
    def subscribes(self) -> bool:
        return bool(self.severities or self.tags)

    def wants(self, severity: str, tags: tuple[str, ...]) -> bool:
        """Whether it subscribes to an alert of that severity with those tags; every selector has to match."""
        return (
            self.subscribes
            and (not self.severities or severity in self.severities)
            and (not self.tags or not set(self.tags).isdisjoint(tags))
        )
