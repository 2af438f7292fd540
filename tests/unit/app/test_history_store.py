"""The history as commands and workers open it."""

import os
import stat

import numpy as np
import pytest

from bot.app.history_store import open_store
from bot.errors import StorageError
from tests.unit.history.test_long_view import rows

UID = GID = 54_321


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_what_root_makes_in_the_folder_of_a_service_belongs_to_the_service(tmp_path):
    """`oibot history fill` of root, beside a bot that runs as somebody else and has to read and tidy up what was filled in."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, UID, GID)
    with open_store(data / "history") as store:
        store.recover()
        for n in range(2):
            store.add(rows(np.full(30, 100.0 + n)), source=f"fill:{n}")
        while_open = set(data.rglob("*"))
        owners = {path: (path.stat().st_uid, path.stat().st_gid) for path in while_open}
        store.compact(before_ms=0)
    owners |= {path: (path.stat().st_uid, path.stat().st_gid) for path in data.rglob("*")}
    assert {"history", "parts", "index.db", "index.db-wal", "lock", "tidy.lock"} <= {path.name for path in owners}
    assert {path: owner for path, owner in owners.items() if owner != (UID, GID)} == {}


def test_nobody_else_can_read_it(tmp_path):
    with open_store(tmp_path / "data" / "history") as store:
        store.add(rows(np.full(30, 100.0)), source="fill:1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "history").write_text("a file")
    with pytest.raises(StorageError, match="cannot make the folder of the history"), open_store(tmp_path / "history"):
        pass
