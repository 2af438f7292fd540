import stat

from bot.cli.line_editing import MAX_FILE_BYTES, MAX_LINES, read_history, write_history


def test_what_was_typed_is_kept_for_its_owner_alone(tmp_path):
    path = tmp_path / "chat-history"
    write_history(path, ["/oi BTC", "/risk 10000 1% 5x", " /secret", "", "/price 币安人生"])
    assert read_history(path) == ["/oi BTC", "/risk 10000 1% 5x", "/price 币安人生"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["chat-history"]


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path):
    path = tmp_path / "chat-history"
    path.write_text("/old\n")
    path.chmod(0o644)
    write_history(path, [*read_history(path), "/new"])
    assert (read_history(path), stat.S_IMODE(path.stat().st_mode)) == (["/old", "/new"], 0o600)


def test_only_the_newest_are_kept(tmp_path):
    path = tmp_path / "chat-history"
    write_history(path, [f"/oi {n}" for n in range(MAX_LINES + 10)])
    found = read_history(path)
    assert (len(found), found[0]) == (MAX_LINES, "/oi 10")


def test_a_file_that_cannot_be_read_is_no_history(tmp_path):
    assert read_history(tmp_path / "none") == []
    assert read_history(tmp_path) == []
    (tmp_path / "odd").write_bytes(b"\xff\xfe/oi\n")
    assert read_history(tmp_path / "odd") == ["\ufffd\ufffd/oi"]
    (tmp_path / "huge").write_bytes(b"x" * (MAX_FILE_BYTES + 10))
    assert len(read_history(tmp_path / "huge")[0]) == MAX_FILE_BYTES


def test_a_link_in_the_way_is_not_followed(tmp_path):
    aim = tmp_path / "aim"
    aim.write_text("precious")
    (tmp_path / "chat-history").symlink_to(aim)
    write_history(tmp_path / "chat-history", ["/oi"])
    assert aim.read_text() == "precious"
