"""The systemd unit of the bot as text, for the system and for one person.

The system's unit runs as a user that exists only while it runs, sees nothing of the machine but its program, its rules and
its data, and gets its secrets as credentials. A person's own service manager may not do most of that, so the person's
unit leaves it out.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

NAME: Final = "oibot.service"
_HEADER: Final = (
    "# Written by `oibot install-service`. Put changes into `systemctl edit oibot`: they outlast the next version.\n"
)
_SEAL: Final = re.compile(r"^# sha256:([0-9a-f]{64})\n", re.MULTILINE)

_UNIT: Final = """\
[Unit]
Description=oibot, alerts on open interest and price of crypto futures
After=network-online.target time-sync.target
Wants=network-online.target
# Never given up: an exchange or a disk that was away for a night must not end the watch.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run
{reload}\
WorkingDirectory={data}
EnvironmentFile=-{config}/.env
Environment=OIBOT_DATA_DIR={data} OIBOT_RULES_DIR={config}/rules PYTHONDONTWRITEBYTECODE=1
{secrets}
# The bot asks for more time while it waits for its database or its first data.
TimeoutStartSec=90
TimeoutStopSec=30
WatchdogSec=60
Restart=always
RestartSec=15
# 2 and 78: how it is called, its settings or its database are for a person to mend; starting again would not help.
RestartPreventExitStatus=2 78
KillMode=mixed
UMask=0077
# Filling the windows of 950 contracts needs most, about 240 MB; afterwards it is about 200.
MemoryHigh=600M
MemoryMax=800M
# Charts and backtests have processes of their own: where memory runs out one of them goes, and the bot stays.
OOMPolicy=continue
TasksMax=256
LimitNOFILE=4096
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# What is refused fails; it does not end the bot.
SystemCallErrorNumber=EPERM
{system}
[Install]
WantedBy={wanted_by}
"""

_SYSTEM: Final = """
DynamicUser=yes
User=oibot
StateDirectory=oibot
StateDirectoryMode=0700
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are, as the unit names them: absolute, or with systemd's own `%h` and the like."""

    program: str
    """The command, quoted where that is needed."""
    config: str
    """Folder of `.env`, `rules` and `credentials`."""
    data: str
    is_user: bool = False

    @classmethod
    def system(cls, program: str) -> Self:
        return cls(program, "/etc/oibot", "/var/lib/oibot")

    @classmethod
    def user(cls, program: str) -> Self:
        return cls(program, "%E/oibot", "%h/.local/share/oibot", is_user=True)


def quoted(path: Path) -> str:
    """A path as systemd reads it in a command."""
    text = str(path).replace("%", "%%")
    return text if re.fullmatch(r"[\w./+@%:-]+", text) else '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def unit_text(places: Places) -> str:
    """The whole file, sealed: whether somebody changed it can be told later."""
    secrets = (
        f"Environment=OIBOT_SECRETS_DIR={places.config}/credentials"
        if places.is_user
        else f"LoadCredential=oibot:{places.config}/credentials\nEnvironment=OIBOT_SECRETS_DIR=%d"
    )
    body = _UNIT.format(
        program=places.program,
        config=places.config,
        data=places.data,
        reload="ExecReload=/bin/kill -HUP $MAINPID\n",
        secrets=secrets,
        system="" if places.is_user else _SYSTEM,
        wanted_by="default.target" if places.is_user else "multi-user.target",
    )
    return f"{_HEADER}# sha256:{_digest(body)}\n{body}"


def is_as_written(text: str) -> bool:
    """Whether this is the text of some version's `unit_text`, untouched since."""
    found = _SEAL.search(text)
    return found is not None and _digest(text[found.end() :]) == found[1]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
