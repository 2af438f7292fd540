"""What `oibot check` and each start look at on this machine: folder, disk, database, secrets, charts, proxy. No network but the proxy's own."""

import asyncio
import contextlib
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot import log
from bot.app.data_dir import DataDir
from bot.app.findings import Finding, Level
from bot.charts import parts
from bot.clock import Clock
from bot.errors import StorageError
from bot.feeds.trouble import from_exception
from bot.settings import CREDENTIALS, Settings
from bot.storage import copies
from bot.storage.schema import migrations

LEAST_FREE_BYTES: Final = 500_000_000
LITTLE_FREE_BYTES: Final = 1_500_000_000
PROXY_WAIT_S: Final = 5.0
_OTHERS: Final = 0o077
"""What group and others may do, of a mode."""
_PORTS: Final = {"http": 80, "https": 443}


def check_data_dir(settings: Settings) -> list[Finding]:
    """Whether the data folder can be written to, and how much room there is."""
    folder = settings.data_dir
    try:
        existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        reason = _why_not_writable(existing, tries=existing == folder)
    except OSError as error:
        # As where it lies in a folder into which this user may not look.
        existing, reason = folder, error.strerror or str(error)
    if reason:
        advice = f"make {existing} writable for this user, or set OIBOT_DATA_DIR"
        return [Finding(Level.FAIL, "data folder", f"cannot write in {folder}: {reason}", advice, "folder-read-only")]
    return [Finding(Level.OK, "data folder", str(folder)), room(shutil.disk_usage(existing).free)]


def room(free_bytes: int) -> Finding:
    """Whether that much is enough."""
    text = f"{free_bytes / 1e9:.1f} GB free"
    if free_bytes < LEAST_FREE_BYTES:
        advice = "free at least 0.5 GB: alerts are stored before they are sent"
        return Finding(Level.FAIL, "disk", text, advice, "disk-full")
    if free_bytes < LITTLE_FREE_BYTES:
        advice = "backups and journals need room; OIBOT_BACKUP__KEEP and OIBOT_RECORD__MAX_MB say how much"
        return Finding(Level.WARN, "disk", text, advice, "disk-low")
    return Finding(Level.OK, "disk", text)


def _why_not_writable(folder: Path, *, tries: bool) -> str:
    """Empty where it can be written to. A folder of ours is tried, others are only looked at."""
    if not folder.is_dir():
        return f"{folder} is no folder"
    if tries:
        try:
            with tempfile.TemporaryFile(dir=folder):
                return ""
        except OSError as error:
            return error.strerror or str(error)
    return "" if os.access(folder, os.W_OK | os.X_OK) else "no permission, or a read-only file system"


def check_database(settings: Settings) -> Finding:
    """Whether the database is sound and of a schema that this version reads. Blocks; reads the whole file."""
    path = DataDir(settings.data_dir).database
    newest = migrations()[-1][0]
    try:
        if not path.exists():
            return Finding(Level.OK, "database", f"none yet; the first start makes {path}")
    except OSError as error:
        text = f"{path}: {error.strerror or error}"
        return Finding(Level.FAIL, "database", text, "let this user into the data folder", "database-unreadable")
    try:
        version = copies.inspect(path)
    except StorageError as error:
        found = copies.peek_schema(path)
        if found is not None and found > newest:
            text = f"{path} has schema {found}, this version knows up to {newest}"
            return Finding(Level.FAIL, "database", text, "install the newer version again", "database-newer")
        if error.may_pass:
            advice = "another program holds it, or the disk does not answer; try again"
            return Finding(Level.FAIL, "database", str(error), advice, "database-unreadable")
        advice = "the next start moves it aside and takes the newest backup; `oibot restore FILE` chooses one"
        return Finding(Level.FAIL, "database", str(error), advice, "database-damaged")
    if version < newest:
        text = f"{path}, schema {version}, sound; the next start, or `oibot migrate`, brings it to {newest}"
        return Finding(Level.OK, "database", text)
    return Finding(Level.OK, "database", f"{path}, schema {version}, sound")


def check_secrets(folder: Path) -> list[Finding]:
    """Whether only their owner can read `.env` and the files of `credentials` in a folder; nothing where that is so."""
    open_to = {path: mode for path, mode in _modes(folder).items() if mode & _OTHERS}
    if not open_to:
        return []
    text = ", ".join(f"{path} (mode {mode:o})" for path, mode in open_to.items())
    advice = f"chmod 600 {shlex.join(str(path) for path in open_to)}"
    text = f"not for their owner alone: {text}"
    return [Finding(Level.WARN, "secrets", text, advice, "secret-readable")]


def _modes(folder: Path) -> dict[Path, int]:
    """Modes of files with secrets. What this user may not look at is not there for him."""
    paths = [folder.absolute() / ".env"]
    with contextlib.suppress(OSError):
        paths += sorted((folder.absolute() / CREDENTIALS).iterdir())
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found[path] = stat.S_IMODE(status.st_mode)
    return found


def check_charts(settings: Settings, *, missing: Callable[[], str] = parts.missing) -> list[Finding]:
    """Whether what draws charts is there; nothing where it is, or where charts are switched off."""
    lacks = missing() if settings.charts.enabled else ""
    if not lacks:
        return []
    advice = "install oibot again (`make install`), or set OIBOT_CHARTS__ENABLED=false"
    return [Finding(Level.WARN, "charts", f"none can be drawn: {lacks}", advice, "charts-unavailable")]


def proxies(urls: Mapping[str, str]) -> dict[str, list[str]]:
    """Proxies of the environment by their address, with the names of what goes through each. `urls` by name."""
    known = getproxies()
    found: dict[str, list[str]] = {}
    for name, url in urls.items():
        parts = urlsplit(url)
        scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
        proxy = known.get(scheme) or known.get("all")
        if proxy and not proxy_bypass(parts.hostname or ""):
            found.setdefault(proxy, []).append(name)
    return found


async def check_proxies(urls: Mapping[str, str], clock: Clock, *, is_offline: bool = False) -> list[Finding]:
    """Whether each proxy that is named in the environment is of a kind we speak, and there. Its password is not shown."""
    findings = []
    for proxy, users in proxies(urls).items():
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        shown, who = log.redact(proxy), ", ".join(users)
        if parts.scheme not in {"http", "https"}:
            text = f"{shown} for {who}: only http:// proxies can be used"
            advice = "name an HTTP proxy in HTTPS_PROXY and HTTP_PROXY, or except hosts with NO_PROXY"
            findings.append(Finding(Level.FAIL, "proxy", text, advice, "proxy-unsupported"))
            continue
        trouble = "" if is_offline else await _reach(parts.hostname or "", parts.port or _PORTS[parts.scheme], clock)
        if trouble:
            advice = "correct HTTPS_PROXY and HTTP_PROXY, unset them, or except hosts with NO_PROXY"
            text = f"{shown} for {who} cannot be reached: {trouble}"
            findings.append(Finding(Level.FAIL, "proxy", text, advice, "proxy-unreachable"))
        else:
            findings.append(Finding(Level.OK, "proxy", f"{shown} for {who}"))
    return findings


async def _reach(host: str, port: int, clock: Clock) -> str:
    """Empty where somebody listens there."""
    try:
        async with clock.timeout(PROXY_WAIT_S * max(1.0, clock.speed)):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, ValueError) as error:
        return from_exception(error, f"{host}:{port}").text
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""
