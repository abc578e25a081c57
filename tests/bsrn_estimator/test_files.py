"""Files that appear whole or not at all, whoever else writes them."""

import multiprocessing
import os
import threading

import pytest

from bsrn_estimator import files


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
