"""Files for the owner: the newest backup without secrets, the last lines of the log."""

import tempfile
from pathlib import Path

from bot import log
from bot.app.background import in_background
from bot.app.data_dir import DataDir
from bot.chat.buttons import SECRET_KEY
from bot.chat.owner_files import MAX_BYTES, OwnerFiles
from bot.chat.reply import Attachment
from bot.settings import Settings
from bot.storage import copies

SECRETS = (SECRET_KEY,)
"""Small values that must not leave the machine; tokens are in no database, codes only as hashes."""


def owner_files(settings: Settings, data_dir: DataDir) -> OwnerFiles:
    """As the settings allow."""

    async def newest() -> Attachment | int | None:
        return await in_background("newest backup", lambda: _newest(data_dir.backups))

    return OwnerFiles(
        newest=newest,
        recent=log.recent,
        folder=str(data_dir.backups),
        allow_backup=settings.telegram.allow_backup,
        allow_logs=settings.telegram.allow_logs,
    )


def _newest(folder: Path) -> Attachment | int | None:
    """Blocks. Raises `StorageError`."""
    found = copies.listed(folder)
    if not found:
        return None
    path = found[-1].path
    size = path.stat().st_size
    if size > MAX_BYTES:
        return size
    with tempfile.TemporaryDirectory(dir=folder, prefix=".sending-") as scratch:
        clean = Path(scratch) / path.name
        copies.without(path, clean, keys=SECRETS)
        return Attachment(path.name, clean.read_bytes())
