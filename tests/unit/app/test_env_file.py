"""`.env` keeps what people wrote; named values are replaced or added; the file is whole and private."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app import env_file
from bot.app.env_file import HEADER, merged, write
from bot.errors import ConfigError

TOKEN = "OIBOT_TELEGRAM__TOKEN"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{HEADER}{TOKEN}=new\n"),
        ("# mine\nA=1\n", f"# mine\nA=1\n{TOKEN}=new\n"),
        ("A=1", f"A=1\n{TOKEN}=new\n"),
        (f"A=1\n{TOKEN}=\n# end\n", f"A=1\n{TOKEN}=new\n# end\n"),
        (f"export {TOKEN} = old\nB=2\n", f"{TOKEN}=new\nB=2\n"),
        ("oibot_telegram__token=old\n", f"{TOKEN}=new\n"),
        (f"#{TOKEN}=old\n", f"#{TOKEN}=old\n{TOKEN}=new\n"),
        (f"{TOKEN}=first\n{TOKEN}=last\n", f"{TOKEN}=first\n{TOKEN}=new\n"),
        (f"A=1\r\n{TOKEN}=old\r\nB=2\r\n", f"A=1\r\n{TOKEN}=new\r\nB=2\r\n"),
        (f"{TOKEN}_FILE=x\n", f"{TOKEN}_FILE=x\n{TOKEN}=new\n"),
    ],
)
def test_a_value_takes_its_place(before, after):
    assert merged(before, {TOKEN: "new"}) == after


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85  ", codec="utf-8"))))
def test_all_other_lines_stay(lines):
    lines = [line for line in lines if TOKEN not in line.upper()]
    before = "".join(f"{line}\n" for line in lines)
    after = merged(before, {TOKEN: "new"})
    assert after == (before or HEADER) + f"{TOKEN}=new\n"
    assert merged(after, {TOKEN: "new"}) == after


def test_a_value_is_one_line():
    with pytest.raises(ConfigError, match="one line"):
        merged("", {TOKEN: "a\nOIBOT_LOG__LEVEL=DEBUG"})


def test_a_file_is_private_from_the_first_and_its_link_stays(tmp_path):
    path = tmp_path / ".env"
    assert write(path, {TOKEN: "a"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert not write(path, {TOKEN: "a"})
    target = tmp_path / "real.env"
    target.write_text("# kept\n")
    target.chmod(0o644)
    link = tmp_path / "link.env"
    link.symlink_to(target)
    assert write(link, {TOKEN: "b"})
    assert link.is_symlink()
    assert target.read_text() == f"# kept\n{TOKEN}=b\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == [".env", "link.env", "real.env"]


def test_an_existing_file_becomes_private_even_if_nothing_changes(tmp_path):
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    assert not write(path, {})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "A=1\n"


def test_what_is_no_text_is_left_alone(tmp_path):
    path = tmp_path / ".env"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        env_file.write(path, {TOKEN: "a"})
    assert path.read_bytes() == b"\xff\xfe\x00"
    with pytest.raises(ConfigError, match="cannot be written"):
        env_file.write(tmp_path / "none" / ".env", {TOKEN: "a"})
