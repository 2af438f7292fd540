"""What destinations have in common that are one address over HTTP, and those that share no limits with others."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import aiohttp


class Named:
    """A destination with a name, and a fingerprint of its address."""

    def __init__(self, name: str, fingerprint: str) -> None:
        self._name = name
        self._fingerprint = fingerprint

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint


class Unlimited(Named):
    """One of which no limits are known: a request may always be made, and nothing is shared with others."""

    @property
    def held_s(self) -> float:
        return 0.0

    def hold(self, seconds: float) -> None:
        """Nothing is shared with others."""

    def take_slot(self, *, urgent: bool) -> float:  # noqa: ARG002, no limits are known
        return 0.0

    def free_slot(self) -> None:
        """None is kept."""


class OverHttp(ABC):
    """Owns a session, made with the first request. Use as an async context manager."""

    _session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @abstractmethod
    def _make_session(self) -> aiohttp.ClientSession: ...

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._make_session()
        return self._session
