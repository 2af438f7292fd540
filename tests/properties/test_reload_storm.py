"""Whatever is done to the rules folder: what runs stays until a sound set is there, and a sound set is taken afterwards."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.app.loading import load
from tests.support.reloads import World

SOUND = b"""version: 1
defaults: {cooldown: 30m, severity: warning}
rules:
  - id: oi_surge  # positions open fast
    name: OI surge
    scope: {top: 100, by: oi_usd, min_oi_usd: 20_000_000, exclude: [USDCUSDT]}
    when: pct(oi, 15m) >= 5%
    clear: pct(oi, 15m) < 2.5%
    for: 30s
    escalate: 3%
  - {id: level, scope: {symbols: [BTC*]}, when: "price >= 100_000 or price < 1k", tags: [x], notify: [main]}
  - id: breadth
    per: market
    when: >-
      count(pct(oi, 15m) >= 3%) >= 12
    message: "{{ n_true }} of {{ n_members }}"
    inhibits: [oi_surge]
"""
PLACES = b"version: 1\ndestinations:\n  screen: {kind: console, default: true}\n  other: {kind: console, tags: [x]}\n"
ODD = [b"null", b"[]", b"{}", b"1e999", b"!!python/object:os.system x", b"-0x1F", b"*nobody", b"&a [*a]", b"'", b"\t", b"---", b"\x00", b"\xff\xfe", b"%", b"{{", b"?", b"<<: *a", b"9" * 400]  # fmt: skip
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (c + 1, c + 1, *[c] * 9) for c in range(97, 105)
)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Flipped, cut, torn, doubled, and with what nobody expects in it."""
    where = st.integers(0, len(content) - 1)

    def flip(places):
        found = bytearray(content)
        for at, bit in places:
            found[at] ^= 1 << bit
        return bytes(found)

    return st.one_of(
        st.lists(st.tuples(where, st.integers(0, 7)), min_size=1, max_size=6).map(flip),
        where.map(lambda at: content[:at]),
        st.tuples(where, st.integers(1, 400)).map(lambda x: content[: x[0]] + content[x[0] + x[1] :]),
        st.tuples(where, st.integers(1, 400)).map(lambda x: content[: x[0] + x[1]] + content[x[0] :]),
        st.tuples(where, st.sampled_from(ODD)).map(lambda x: content[: x[0]] + x[1] + content[x[0] :]),
        st.tuples(where, st.sampled_from(ODD)).map(lambda x: _instead(content, *x)),
    )


def _instead(content: bytes, at: int, odd: bytes) -> bytes:
    """Something else in place of what stands behind a colon."""
    colon = content.find(b": ", at)
    return content[: colon + 2] + odd + content[content.find(b"\n", colon) :] if colon >= 0 else odd


def write(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)


def sparse(folder: Path) -> None:
    with (folder / "rules.yaml").open("wb") as file:
        file.truncate(1 << 30)


def loop(folder: Path) -> None:
    (folder / "rules.yaml").unlink()
    (folder / "rules.yaml").symlink_to("rules.yaml")


def instead(folder: Path, name: str, make) -> None:
    (folder / name).unlink(missing_ok=True)
    make(folder / name)


contents = st.one_of(
    damaged(SOUND),
    damaged(SOUND),
    st.binary(max_size=300),
    st.sampled_from(
        [b"", BOMB, b"[" * 9_000, b"{a: " * 9_000, SOUND * 900, b"rules:\n" + b"- x\n" * 70_000, b"\0" * 500]
    ),
)
deeds = st.one_of(
    contents.map(lambda content: lambda folder: write(folder, "rules.yaml", content)),
    contents.map(lambda content: lambda folder: write(folder, "rules.yaml", content)),
    contents.map(lambda content: lambda folder: write(folder, "more.yml", content)),
    damaged(PLACES).map(lambda content: lambda folder: write(folder, "destinations.yaml", content)),
    st.sampled_from(
        [
            sparse,
            loop,
            lambda folder: (folder / "destinations.yml").symlink_to("destinations.yml"),
            lambda folder: instead(folder, "rules.yaml", Path.mkdir),
            lambda folder: instead(folder, "rules.yaml", os.mkfifo),
            lambda folder: instead(folder, "rules.yaml", lambda path: path.symlink_to("/dev/zero")),
            lambda folder: instead(folder, "rules.yaml", lambda path: path.symlink_to("/etc/passwd")),
            lambda folder: (folder / "rules.yaml").chmod(0),
            lambda folder: folder.chmod(0),
            lambda folder: (folder / "rules.yaml").unlink(),
            shutil.rmtree,
            lambda folder: (shutil.rmtree(folder), folder.write_text("a file")),
            lambda folder: (shutil.rmtree(folder), folder.symlink_to(folder.name)),
            lambda folder: [write(folder, f"{n}.yaml", SOUND) for n in range(250)],
        ]
    ),
)


def renew(folder: Path) -> None:
    """The sound folder, whatever lies there."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        folder.chmod(0o700)
        shutil.rmtree(folder)
    folder.mkdir()
    write(folder, "rules.yaml", SOUND)
    write(folder, "destinations.yaml", PLACES)


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    """One reloader that lives through everything."""
    folder = tmp_path_factory.mktemp("storm") / "rules"
    renew(folder)
    with asyncio.Runner() as runner:
        world = World(folder)
        task = runner.get_loop().create_task(world.reloader.run())
        yield world, task, runner.run
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            runner.run(_ended(task))


async def _ended(task):
    await task


@pytest.mark.promise("P11")
@settings(
    max_examples=500,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(deed=deeds)
def test_nothing_that_lies_in_the_folder_stops_or_changes_what_runs_but_a_sound_set(storm, deed):
    world, task, run = storm
    before, n_changes = world.live.engine.rules, len(world.live.changes)
    assert len(before) == 3
    deed(world.folder)
    is_sound = not (found := load(world.settings)).errors

    report = run(world.reload())

    assert not task.done()
    if report.is_taken:
        assert is_sound
        assert world.live.engine.rules == tuple(rule for rule in found.rules.rules if rule.enabled)
    else:
        assert world.live.engine.rules == before
        assert len(world.live.changes) == n_changes
        assert world.reloader.troubles()
        # Refused though the linter has nothing to say: only what is cut to nothing.
        assert not is_sound or "E120" in report.lines[1]

    renew(world.folder)
    again = run(world.reload())
    assert again.is_taken, again.lines
    assert world.live.engine.rules == before
    assert world.reloader.troubles() == ()
