"""Files that root makes in the data folder of a service belong to the service, or it could not use them afterwards."""

import contextlib
import os
from pathlib import Path


def as_folder(path: Path, folder: Path) -> None:
    """Give a file or folder to the owner of `folder`; nothing happens where that is done already, or without the right."""
    if os.geteuid() != 0:
        return
    owner, made = folder.stat(), path.stat()
    if (owner.st_uid, owner.st_gid) != (made.st_uid, made.st_gid):
        # Root of a container may lack it.
        with contextlib.suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)
