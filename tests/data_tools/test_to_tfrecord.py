"""The command as users run it: flags, messages, exit status, signals."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from data_tools import to_tfrecord
from tests.support import fabricate


def main(*arguments):
    return to_tfrecord.main(["to_tfrecord.py"] + [str(argument) for argument in arguments])


SMALL = ("--patch_size=6", "--tile_size=36", "--workers=1")


def test_convert_verify_and_again(tmp_path, capsys):
    fabricate.folder(tmp_path / "in", [(53, 100), (37, 41)])
    command = ("--dataset=folder", f"--input_dir={tmp_path / 'in'}", f"--output_dir={tmp_path}/o")
    assert main(*command, *SMALL) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{tmp_path}/o: ") and " 0 skipped, in " in output
    assert " tiles of 2 pictures, scales 2,3,4, " in output and " in 1 shard, " in output
    assert main(*command, *SMALL) == 0
    assert "is whole already: " in capsys.readouterr().out
    assert main("--verify", f"--output_dir={tmp_path}/o") == 0
    assert "o is whole: " in capsys.readouterr().out
    (tmp_path / "in" / "bad.png").write_text("")
    assert main(*command, *SMALL, "--overwrite") == 2
    assert capsys.readouterr().err.endswith("--skip_bad leaves such pictures out\n")
    assert main(*command, *SMALL, "--overwrite", "--skip_bad") == 0
    output = capsys.readouterr().out
    assert output.startswith("skipped: ") and "bad.png is not a picture" in output
    assert " 1 skipped, in " in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "--dataset is needed: div2k or bsd100 or benchmark or usr248 or folder or tfds"),
        (("--dataset=folder",), "--input_dir is needed"),
        (("--dataset=imagenet", "--input_dir=in"), "--dataset takes div2k or"),
        (("--dataset=folder", "--input_dir=in", "--scales=2,x"), "--scales takes numbers"),
        (
            ("--dataset=folder", "--input_dir=in", "--scales=4,5"),
            "different ones of 2, 3, 4, 8",
        ),
        (("--dataset=folder", "--input_dir=in", "--tile_siez=48"), "tile_size"),
        (("--dataset=folder", "--input_dir=in", "--workers=two"), "workers"),
        (("--dataset=folder", "--input_dir=in", "in2"), "in2 is not a flag"),
        (("--dataset=folder", "--input_dir=/absent/in"), "/absent/in is not a folder"),
        (
            ("--dataset=folder", "--input_dir=in", "--degrade=jpg:75"),
            "--degrade takes jpeg:QUALITY, noise:SIGMA or blur:SIGMA, not jpg:75",
        ),
        (
            ("--dataset=folder", "--input_dir=in", "--degrade=jpeg:75.5"),
            "--degrade=jpeg:75.5: the strength of jpeg is a whole number of 1 to 100",
        ),
        (
            ("--dataset=folder", "--input_dir=in", "--degrade=noise"),
            "--degrade=noise: the strength of noise is a number of 0 to 100",
        ),
        (
            ("--dataset=folder", "--input_dir=in", "--degrade=jpeg:75", "--degrade=jpeg:80"),
            "jpeg is given twice",
        ),
        (("--dataset=folder", "--input_dir=in", "--name=a/b"), "--name=a/b must be a plain name"),
        (("--dataset=folder", "--input_dir=in", "--name= "), "must be a plain name"),
        (("--verify",), "--verify needs --output_dir"),
        (("--verify", "--output_dir=/absent"), "/absent has no manifest.json"),
    ],
)
def test_wrong_flags_are_one_line(capsys, arguments, message):
    assert main(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_interrupted_before_anything_is_written(tmp_path, capsys, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_tools.convert.find_pictures", interrupt)
    assert main("--dataset=folder", f"--input_dir={tmp_path}", f"--output_dir={tmp_path}/o") == 130
    assert capsys.readouterr().err == "stopped\n" and not (tmp_path / "o").exists()


def test_help_and_flag_file(tmp_path, capsys):
    assert main("--help") == 0
    output = capsys.readouterr().out
    assert "--dataset" in output and "--[no]skip_bad" in output
    (tmp_path / "flags").write_text("--dataset=folder\n--input_dir=/absent/in\n")
    assert main("--flagfile=%s" % (tmp_path / "flags")) == 2
    assert "/absent/in is not a folder" in capsys.readouterr().err


def start(root, tmp_path, out, workers, folder="in"):
    """The command as a process, run as a script from the root of the project."""
    command = [sys.executable, os.path.join("data_tools", "to_tfrecord.py"), "--dataset=folder"]
    command += [f"--input_dir={tmp_path / folder}", f"--output_dir={tmp_path / out}"]
    command += ["--shard_bytes=20000", "--patch_size=6", "--tile_size=36", "--name=many"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.Popen(
        command + ["--workers=%d" % workers],
        cwd=str(root),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        start_new_session=True,
    )


def wait_for_shards(process, folder, count):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if folder.is_dir() and len(list(folder.glob("*.tfrecord.incomplete"))) > count:
            return
        time.sleep(0.002)
    pytest.fail("the conversion ended too early: " + process.communicate()[0])


def children_of(pid):
    return subprocess.run(
        ["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False
    ).stdout.split()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of 60 pictures, and what its conversion gives."""
    tmp_path = tmp_path_factory.mktemp("many")
    fabricate.folder(tmp_path / "in", [(60, 70)] * 60)
    options = ["--shard_bytes=20000", "--patch_size=6", "--tile_size=36", "--workers=1"]
    options.append("--name=many")
    folders = [f"--input_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / 'whole'}"]
    assert main("--dataset=folder", *folders, *options) == 0
    return tmp_path


def test_killed_outright_and_started_again(root, many):
    out = many / "killed"
    process = start(root, many, "killed", 2)
    wait_for_shards(process, out, 2)
    workers = children_of(process.pid)
    process.kill()
    process.communicate()
    assert not (out / "manifest.json").exists()
    again = start(root, many, "killed", 1)
    text = again.communicate()[0]
    assert again.returncode == 0, text
    assert fabricate.contents(out) == fabricate.contents(many / "whole")
    deadline = time.monotonic() + 20
    while any(os.path.exists("/proc/%s/exe" % pid) for pid in workers):
        assert time.monotonic() < deadline, "the workers outlive the command"
        time.sleep(0.1)


@pytest.mark.skipif(
    "BSRN_KILLS" not in os.environ, reason="a long test: BSRN_KILLS=50 gives the number of kills"
)
def test_killed_at_random_times(root, many):
    wanted, kills, moments = int(os.environ["BSRN_KILLS"]), 0, random.Random(1)
    out = many / "random"
    expected = fabricate.contents(many / "whole")
    for workers in itertools.cycle((1, 2)):
        process = start(root, many, "random", workers)
        try:
            seconds = moments.uniform(0.2, 2.5) if kills < wanted else None
            text = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, text
        got = fabricate.contents(out)
        assert {name: got[name] for name in got if not name.endswith(".incomplete")} == expected
        shutil.rmtree(str(out))
        if kills >= wanted:
            break


@pytest.mark.parametrize(
    "send, number, workers",
    [
        (os.kill, signal.SIGTERM, 2),
        (os.kill, signal.SIGINT, 1),
        # As a terminal and cluster managers do it: to the workers too.
        (os.killpg, signal.SIGINT, 2),
        (os.killpg, signal.SIGTERM, 2),
    ],
    ids=["SIGTERM-2", "SIGINT-1", "SIGINT-group", "SIGTERM-group"],
)
def test_told_to_stop(root, many, send, number, workers):
    process = start(root, many, "stopped", workers)
    wait_for_shards(process, many / "stopped", 2)
    send(process.pid, number)
    text = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number, text
    assert "Traceback" not in text and "of 60 pictures are converted; the same command" in text
    assert all(file.endswith(".incomplete") for file in os.listdir(str(many / "stopped")))
    shutil.rmtree(str(many / "stopped"))


def test_no_tensorflow_is_loaded(root):
    code = (
        "import sys, data_tools.to_tfrecord, data_tools.convert; print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=str(root), stdout=subprocess.PIPE, check=True
    )
    assert result.stdout.strip() == b"False"
