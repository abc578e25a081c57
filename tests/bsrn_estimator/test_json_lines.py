"""Files of JSON lines: whole after kills, full disks and several writers."""

import errno
import multiprocessing

import pytest

from bsrn_estimator import json_lines


def test_lines_come_back_in_order(tmp_path):
    path = str(tmp_path / "a.jsonl")
    assert list(json_lines.read(path)) == []
    lines = [{"n": 1, "name": "s\u00e4t\n"}, {"n": None}, {"n": 2.5}]
    for line in lines:
        json_lines.append(path, line)
    assert list(json_lines.read(path)) == lines
    assert open(path).read().count("\n") == 3
    with pytest.raises(ValueError):
        json_lines.append(path, {"n": float("nan")})
    assert list(json_lines.read(path)) == lines


@pytest.mark.parametrize("tail", [b"{", b'{"n": 3}', b"x" * 200000])
def test_what_a_kill_left_of_a_line_goes(tmp_path, tail):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + tail)
    assert list(json_lines.read(str(path))) == [{"n": 1}]
    json_lines.append(str(path), {"n": 2})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'
    path.write_bytes(tail)
    json_lines.append(str(path), {"n": 2})
    assert path.read_bytes() == b'{"n": 2}\n'


def test_lines_that_are_not_wanted_go(tmp_path):
    path = tmp_path / "a.jsonl"
    assert not json_lines.keep(str(path), lambda line: True) and not path.exists()
    path.write_bytes(b'{"n": 1}\n[3]\n{"n": 2}\nno JSON\n{"n": 3}\n{"n": 1')
    assert json_lines.keep(str(path), lambda line: line["n"] < 3)
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'
    before = path.stat().st_ino
    assert not json_lines.keep(str(path), lambda line: True) and path.stat().st_ino == before


def test_a_disk_that_is_full_in_the_middle_of_a_line(tmp_path, monkeypatch):
    path = str(tmp_path / "a.jsonl")
    json_lines.append(path, {"n": 1})
    write = json_lines.os.write
    monkeypatch.setattr(json_lines.os, "write", lambda number, line: write(number, line[:3]))
    with pytest.raises(OSError) as caught:
        json_lines.append(path, {"n": 2})
    assert caught.value.errno == errno.ENOSPC
    assert open(path).read() == '{"n": 1}\n'


def _add_many(path, name):
    for number in range(200):
        json_lines.append(path, {"name": name, "n": number})


def test_one_rewrites_while_others_add(tmp_path):
    path = str(tmp_path / "a.jsonl")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        json_lines.keep(path, lambda line: line["n"] % 3 != 1)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    json_lines.keep(path, lambda line: line["n"] % 3 != 1)
    wanted = [number for number in range(200) if number % 3 != 1]
    for name in "ab":
        assert [line["n"] for line in json_lines.read(path) if line["name"] == name] == wanted
