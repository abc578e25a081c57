"""Files written whole or not at all, JSON that anybody may have written, folders."""

import multiprocessing
import os
import threading

import pytest

from bsrn_estimator import files
from bsrn_estimator.errors import UserError


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "mode, content, expected",
    [("w", "4\u00d7 \u8d85\n", "4\u00d7 \u8d85\n".encode()), ("wb", b"\x00\xff", b"\x00\xff")],
)
@pytest.mark.parametrize("sync", [True, False])
def test_a_file_appears_at_the_end_of_the_block(tmp_path, mode, content, expected, sync):
    path = tmp_path / "a.txt"
    path.write_text("former")
    with files.written_whole(str(path), mode, sync) as file:
        file.write(content)
        assert path.read_text() == "former"
        assert left_in(tmp_path) == ["a.txt", "a.txt.incomplete"]
    assert path.read_bytes() == expected
    assert left_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_nothing_behind(tmp_path, error):
    (tmp_path / "a.txt").write_text("former")
    for name in ("a.txt", "new.txt"):
        with pytest.raises(error):
            with files.written_whole(str(tmp_path / name)) as file:
                file.write("half")
                raise error
    assert left_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "former"


def test_what_cannot_take_its_place_is_removed(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        with files.written_whole(str(tmp_path / "folder")) as file:
            file.write("text")
    with pytest.raises(FileNotFoundError):
        with files.written_whole(str(tmp_path / "none" / "a")):
            pytest.fail("there is no such folder")
    assert left_in(tmp_path) == ["folder"]


def test_links_are_replaced_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    (tmp_path / "a").symlink_to(other)
    (tmp_path / "a.incomplete").symlink_to(other)
    with files.written_whole(str(tmp_path / "a")) as file:
        file.write("own")
    assert other.read_text() == "of somebody else"
    assert not (tmp_path / "a").is_symlink() and (tmp_path / "a").read_text() == "own"
    assert left_in(tmp_path) == ["a", "other"]


@pytest.mark.parametrize(
    "name", ["n" * 255, "n" * 250, "n" * 244, "\u00e4" * 127, "\u8d85" * 85, "\U0001f4f7" * 63]
)
def test_the_longest_names_can_be_written(tmp_path, name):
    path = str(tmp_path / name)
    assert len(os.fsencode(os.path.basename(files.aside(path)))) <= 255
    assert os.path.dirname(files.aside(path)) == str(tmp_path)
    with files.written_whole(path) as file:
        file.write("whole")
    assert left_in(tmp_path) == [name]


def test_a_file_aside_is_called_after_its_own():
    assert files.aside(os.path.join("runs", "a.png")) == os.path.join("runs", "a.png.incomplete")
    assert files.aside("a") == "a.incomplete"


def test_remove_takes_the_link_and_not_what_it_names(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    files.remove(str(tmp_path / "link"))
    files.remove(str(tmp_path / "link"))
    assert left_in(tmp_path) == ["a"]


# JSON.


@pytest.mark.parametrize(
    "values",
    [{"b": 1, "a": [None, True, 2.5, "\u00e4\u8d85 \U0001f4f7"]}, [], "text", 2**70, {"": {}}],
)
def test_json_gives_back_what_was_written(tmp_path, values):
    path = tmp_path / "a.json"
    files.write_json(str(path), values)
    assert files.read_json(str(path)) == values
    assert path.read_bytes().endswith(b"\n")


def test_json_is_there_for_people_too(tmp_path):
    files.write_json(str(tmp_path / "a.json"), {"b": "\u00e4", "a": 1})
    expected = '{\n  "b": "\u00e4",\n  "a": 1\n}\n'
    assert (tmp_path / "a.json").read_bytes() == expected.encode()


def test_names_that_are_no_text_are_kept(tmp_path):
    # What os.listdir makes of a file name with a byte that is no UTF-8.
    name = os.fsdecode(b"caf\xe9.png")
    files.write_json(str(tmp_path / "a.json"), {name: 1})
    assert b"caf\\udce9.png" in (tmp_path / "a.json").read_bytes()
    assert files.read_json(str(tmp_path / "a.json")) == {name: 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_what_json_has_no_form_for_leaves_the_former_file(tmp_path, value):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises((ValueError, TypeError)):
        files.write_json(str(tmp_path / "a.json"), {"a": [value]})
    assert (tmp_path / "a.json").read_text() == "{}"
    assert left_in(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1} and more',
        b'"\xff"',
        b"\x00\x01",
        b"\xef\xbb\xbf{}",
        b"[" * 100000,
        b'{"a":' * 100000,
        b"[" * 100000 + b"]" * 100000,
    ],
    ids=lambda content: repr(content[:9]),
)
def test_what_is_no_json_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        files.read_json(str(path))
    assert str(caught.value).startswith("%s cannot be read: " % path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_has_the_sentence_of_its_reader(tmp_path):
    (tmp_path / "file").write_text("{}")
    for path in (tmp_path / "none", tmp_path / "file" / "inside"):
        with pytest.raises(UserError, match="^name another folder$"):
            files.read_json(str(path), missing="name another folder")
        with pytest.raises(UserError, match="cannot be read: N"):
            files.read_json(str(path))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        files.read_json(str(tmp_path), missing="never said of what is there")


# Folders.


def test_names_in_a_folder(tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").write_text("")
    assert sorted(files.names_in(str(tmp_path))) == [".hidden", "file"]
    assert files.names_in(str(tmp_path / "missing")) == []
    assert files.names_in(str(tmp_path / "file")) == []


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    # Not by its permissions: they do not hold for root, as whom tests may run.
    monkeypatch.setattr(os, "listdir", refuse)
    sentence = "the folder %s cannot be listed (Permission denied); make it readable" % tmp_path
    with pytest.raises(UserError) as caught:
        files.names_in(str(tmp_path))
    assert str(caught.value).startswith(sentence)


def test_a_folder_is_made_with_those_above_it(tmp_path):
    for _ in range(2):
        files.make_folder(str(tmp_path / "a" / "b"))
        assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("kept")
    path = str(tmp_path / "file" / "in")
    with pytest.raises(UserError, match="^--export_dir=x cannot be written .*another folder$"):
        files.make_folder(path, "--export_dir=x")
    with pytest.raises(UserError) as caught:
        files.make_folder(path)
    assert str(caught.value).startswith(path + " cannot be written (")
    with pytest.raises(UserError, match="File exists"):
        files.make_folder(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "kept"


def test_the_longest_names(tmp_path):
    for name in ("a" * 255, "\u00e9" * 127, "a" * 245 + ".json"):
        with files.written_whole(str(tmp_path / name)) as file:
            file.write(name)
        assert (tmp_path / name).read_text(encoding="utf-8") == name
    assert len(os.listdir(str(tmp_path))) == 3


def test_nothing_is_left_where_the_block_raises(tmp_path):
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(RuntimeError):
        with files.written_whole(str(path)) as file:
            file.write("half")
            raise RuntimeError
    assert path.read_text() == "before" and os.listdir(str(tmp_path)) == ["a"]


@pytest.mark.parametrize("trap", ["link", "second name", "pipe", "left by a kill"])
def test_what_stands_in_the_place_of_the_file(tmp_path, trap):
    precious, beside = tmp_path / "precious", tmp_path / "a.incomplete"
    precious.write_text("precious, and longer than what is written")
    if trap == "link":
        os.symlink(str(precious), str(beside))
    elif trap == "second name":
        os.link(str(precious), str(beside))
    elif trap == "pipe":
        os.mkfifo(str(beside))
    else:
        beside.write_text("half of something, longer than what is written now")
    with files.written_whole(str(tmp_path / "a")) as file:
        file.write("whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert precious.read_text() == "precious, and longer than what is written"
    assert sorted(os.listdir(str(tmp_path))) == ["a", "precious"]


def test_a_busy_file_is_waited_for_or_left(tmp_path):
    path = str(tmp_path / "a")
    order = []

    def second():
        with files.written_whole(path) as file:
            order.append("second")
            file.write("second")

    with files.written_whole(path) as file:
        with pytest.raises(files.Busy), files.written_whole(path, wait=False):
            pass
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
        file.write("first")
        assert os.path.exists(path + ".incomplete")
    waiting.join(30)
    assert order == ["first", "second"]
    assert open(path).read() == "second" and os.listdir(str(tmp_path)) == ["a"]


def _write_many(path, letter):
    for number in range(60):
        with files.written_whole(path, sync=False) as file:
            file.write(letter * (1000 + number))


def test_processes_that_write_one_file(tmp_path):
    path = str(tmp_path / "a")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(path, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    content = open(path).read()
    assert content == content[0] * 1059 and os.listdir(str(tmp_path)) == ["a"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*unused):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with files.written_whole(str(tmp_path / "a")) as file:
        file.write("whole")
    assert (tmp_path / "a").read_text() == "whole"


def test_a_list_of_paths_knows_commas_in_names(tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    for name in ("a", "b", "a,b", "c"):
        (tmp_path / name).mkdir()
    listed = files.listed_paths
    assert listed("c,a", "flag") == ["c", "a"]
    assert listed("c,a,b,c", "flag") == ["c", "a,b", "c"]
    assert listed("b,a", "flag") == ["b", "a"]
    assert listed("x,y", "flag") == ["x", "y"]
    assert listed("x,y,a", "flag", lambda path: path == "x,y") == ["x,y", "a"]
    for text in ("", "a,", ",a", "a,,c"):
        with pytest.raises(UserError, match="--flag=%s lists an empty path" % text):
            listed(text, "flag")
