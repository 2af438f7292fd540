"""A service manager for one unit, as far as the bot's unit needs it: what systemd would do with its lines, done by hand.

The real one needs a machine of its own. This one reads the file that `oibot install-service` wrote: environment, credentials,
command, folder and the notify protocol. Paths of the unit are below `root`.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
from pathlib import Path

from tests.support.harness import Harness, Process

HOMES = ("/etc/oibot", "/var/lib/oibot")


class Systemd:
    """Starts and stops the one service."""

    def __init__(self, harness: Harness, root: Path, default_environment: dict[str, str]) -> None:
        self.harness = harness
        self.root = root
        self.default_environment = default_environment
        self.is_enabled = False
        self.is_loaded = False
        self.process: Process | None = None
        self.said: list[str] = []
        self.log: list[str] = []

    @property
    def unit(self) -> Path:
        return self.root / "etc/systemd/system/oibot.service"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.process.returncode is None

    def real(self, text: str) -> str:
        """Paths of the unit, where they are here."""
        for home in HOMES:
            text = text.replace(home, f"{self.root}{home}")
        return text

    def lines(self, key: str) -> list[str]:
        return [
            line.partition("=")[2]
            for line in self.unit.read_text(encoding="utf-8").splitlines()
            if line.startswith(f"{key}=")
        ]

    def _credentials(self) -> Path:
        """What `LoadCredential=ID:FOLDER` does: each file as `ID_NAME`, for the service alone."""
        target = self.root / "run/credentials/oibot.service"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, mode=0o700)
        for line in self.lines("LoadCredential"):
            name, _, source = line.partition(":")
            for path in Path(self.real(source)).iterdir():
                assert path.stat().st_mode & 0o077 == 0, f"{path} is readable by others"
                (target / f"{name}_{path.name}").write_bytes(path.read_bytes())
        return target

    def environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.lines("Environment"):
            found |= dict(pair.split("=", 1) for pair in shlex.split(line.replace("%d", str(self._credentials()))))
        for line in self.lines("EnvironmentFile"):
            path = Path(self.real(line.removeprefix("-")))
            with contextlib.suppress(FileNotFoundError):
                text = path.read_text(encoding="utf-8")
                pairs = [one.split("=", 1) for one in text.splitlines() if one and not one.startswith(("#", ";"))]
                found |= {name.strip(): value.strip() for name, value in pairs}
        return {name: self.real(value) for name, value in found.items()}

    async def start(self) -> None:
        """Until the service says that it is up, as `systemctl start` does for `Type=notify`."""
        assert self.is_loaded, "a unit that was written is known after daemon-reload"
        if self.is_running:
            return
        assert self.lines("Type") == ["notify"]
        [command] = self.lines("ExecStart")
        [folder] = self.lines("WorkingDirectory")
        [state] = self.lines("StateDirectory")
        (self.root / "var/lib" / state).mkdir(mode=0o700, parents=True, exist_ok=True)
        address = f"@{self.root}/notify"
        self.said.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(f"\0{address[1:]}")
            heard.setblocking(False)
            self.process = await self.harness.spawn(
                shlex.split(command),
                env={**self.default_environment, **self.environment(), "NOTIFY_SOCKET": address},
                cwd=Path(self.real(folder)),
            )
            async with asyncio.timeout(120):
                while "READY=1" not in self.said:
                    assert self.is_running, self.process.output
                    with contextlib.suppress(BlockingIOError):
                        self.said += heard.recv(4096).decode().split("\n")
                        continue
                    await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.is_running:
            assert self.process is not None
            self.process.terminate()
            assert await self.process.exit_code(30) == 0, self.process.output
        if self.process is not None:
            self.log += self.process.lines
            self.process = None

    async def call(self, arguments: list[str]) -> tuple[int, str]:
        """What `systemctl` answers: exit code and text."""
        match [a for a in arguments if a != "--no-pager"]:
            case ["daemon-reload"]:
                assert self.unit.is_file()
                self.is_loaded = True
            case ["enable", "--now", "oibot"]:
                assert self.lines("WantedBy") == ["multi-user.target"]
                self.is_enabled = True
                await self.start()
            case ["disable", "--now", "oibot"]:
                self.is_enabled = False
                await self.stop()
            case ["start", "oibot"]:
                await self.start()
            case ["stop", "oibot"]:
                await self.stop()
            case ["restart", "oibot"]:
                await self.stop()
                await self.start()
            case ["status", "oibot"]:
                status = [line for line in self.said if line.startswith("STATUS=")]
                return (0 if self.is_running else 3), "\n".join(status[-1:])
            case _:
                raise AssertionError(f"systemctl {arguments}")
        return 0, ""


def is_private(path: Path) -> bool:
    """Whether only the owner may read it."""
    return os.stat(path).st_mode & 0o077 == 0
