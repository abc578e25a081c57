"""The conversion on Apache Beam, with DirectRunner in processes of its own and in this one."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time

import pytest

from bsrn_estimator.errors import UserError
from data_tools import to_tfrecord
from data_tools.convert import convert
from data_tools.options import ConversionOptions
from tests.support import fabricate

beam = pytest.importorskip("apache_beam", reason="Apache Beam is not installed")

from data_tools import beam_storage, on_beam  # noqa: E402
from tests.support import elsewhere  # noqa: E402

SIZES = [(53, 100), (37, 41), (60, 25), (48, 48), (70, 66), (24, 24)]
SMALL = ["--patch_size=6", "--tile_size=36", "--shard_bytes=30000", "--name=set"]
PLUGIN = "--beam_plugins=tests.support.elsewhere.Elsewhere"


def command(source, out, *more, dataset="folder"):
    where = ["--dataset=" + dataset, "--input_dir=%s" % source, "--output_dir=%s" % out]
    return where + SMALL + list(more)


def start(root, tmp_path, *arguments, **variables):
    """The command as a process, run as a script from another folder, as a group of its own."""
    script = os.path.join(str(root), "data_tools", "to_tfrecord.py")
    return subprocess.Popen(
        [sys.executable, script] + list(arguments),
        cwd=str(tmp_path),
        env=dict({k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        start_new_session=True,
    )


def finished(process, status=0):
    """What it printed: standard output and standard error."""
    output, errors = process.communicate(timeout=250)
    assert process.returncode == status, output + errors
    assert "Traceback" not in errors and "WARNING" not in errors, errors
    return output, errors


def members(group):
    """The processes of a group that are there, apart from those that have ended."""
    listed = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,pid="], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split() for line in listed]
    return [pid for pgid, state, pid in rows if pgid == str(group) and state[0] != "Z"]


def wait_until(condition, what):
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures, one of which does not decode, and what the local conversion gives."""
    tmp_path = tmp_path_factory.mktemp("pictures")
    fabricate.folder(tmp_path / "in", SIZES * 3)
    bad = tmp_path / "in" / "a04.png"
    bad.write_bytes(bad.read_bytes()[:1500])
    arguments = command(tmp_path / "in", tmp_path / "local", "--workers=1", "--skip_bad")
    assert to_tfrecord.main(["x"] + arguments) == 0
    return tmp_path


def test_two_processes_write_the_same_bytes(root, tmp_path, pictures):
    arguments = command(pictures / "in", tmp_path / "out", "--runner=DirectRunner", "--workers=2")
    _, errors = finished(start(root, tmp_path, *arguments), 2)
    last = errors.splitlines()[-1]
    assert "a04.png cannot be decoded" in last and "--skip_bad leaves" in last
    assert all(name.endswith(".incomplete") for name in os.listdir(str(tmp_path / "out")))
    # All is there but the word that the picture may be left out: no pipeline runs.
    output, errors = finished(start(root, tmp_path, *arguments, "--skip_bad"))
    assert "skipped: " in output and " 1 skipped, in " in output and "shards" not in errors
    assert fabricate.contents(tmp_path / "out") == fabricate.contents(pictures / "local")


def workers_of(group):
    """The process ids of the workers of a command."""
    names = {}
    for pid in members(group):
        with contextlib.suppress(OSError), open("/proc/%s/cmdline" % pid) as file:
            names[pid] = file.read()
    return [
        int(pid) for pid, name in names.items() if "sdk_worker_main" in name and "-c" not in name
    ]


@pytest.mark.parametrize(
    "number, of_worker",
    [(signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGKILL, True)],
    ids=["told", "killed", "worker killed"],
)
def test_stopped_on_another_file_system_it_goes_on(root, tmp_path, pictures, number, of_worker):
    source, out = elsewhere.PREFIX + str(pictures / "in"), elsewhere.PREFIX + str(tmp_path / "out")
    arguments = command(source, out, "--runner=DirectRunner", "--workers=2", "--skip_bad")
    arguments.append("--beam_options=%s" % PLUGIN)
    entries = (tmp_path / "out").glob
    process = start(root, tmp_path, *arguments, ELSEWHERE_SECONDS="0.3")
    # A worker is killed before it can have done all of its work.
    begun = workers_of if of_worker else lambda _: list(entries("*.json.incomplete"))
    wait_until(lambda: process.poll() is not None or begun(process.pid), "nothing is begun")
    os.kill(workers_of(process.pid)[0] if of_worker else process.pid, number)
    _, errors = process.communicate(timeout=100)
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number, errors
        assert "of 18 pictures are converted; the same command" in errors.splitlines()[-1]
    if of_worker:
        assert process.returncode == 2 and "a worker process died" in errors.splitlines()[-1]
    wait_until(lambda: not members(process.pid), "its workers outlive it")
    made = {path.name: path.stat().st_mtime_ns for path in entries("*.json.incomplete")}
    assert (made or of_worker) and not (tmp_path / "out" / "manifest.json").exists()
    output, _ = finished(start(root, tmp_path, *arguments))
    assert " 1 skipped, in " in output
    assert fabricate.contents(tmp_path / "out") == fabricate.contents(pictures / "local")
    whole = to_tfrecord.main(["x", "--verify", "--output_dir=" + out, "--beam_options=%s" % PLUGIN])
    assert whole == 0


@pytest.fixture
def in_this_process(pictures):
    """Options whose work is done by threads of this process, on the other file system."""
    return ConversionOptions(
        "folder",
        elsewhere.PREFIX + str(pictures / "in"),
        patch_size=6,
        tile_size=36,
        shard_bytes=30000,
        name="set",
        skip_bad=True,
        runner="DirectRunner",
        beam_options=("--direct_running_mode=in_memory",),
    )


def converted(options, **changes):
    return convert(dataclasses.replace(options, **changes).complete())


def test_finished_shards_are_not_made_again(tmp_path, pictures, in_this_process, monkeypatch):
    out = tmp_path / "out"
    calls = []
    encode = on_beam.encode_picture

    def encode_some(picture, options):
        calls.append(picture.name)
        if len(calls) > 7:
            raise OSError(28, "No space left on device")
        return encode(picture, options)

    # What else the caller has started is none of Beam's workers, and lives on.
    bystander = subprocess.Popen(["sleep", "100"])
    try:
        with monkeypatch.context() as patch:
            patch.setattr(on_beam, "encode_picture", encode_some)
            wanted = "on DirectRunner failed.*No space left.*same command"
            with pytest.raises(UserError, match=wanted):
                converted(in_this_process, output_dir=elsewhere.PREFIX + str(out))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    made = len(list(out.glob("*.json.incomplete")))
    assert 0 < made and not (out / "manifest.json").exists()
    del calls[:]
    monkeypatch.setattr(
        on_beam, "encode_picture", lambda p, options: calls.append(p.name) or encode(p, options)
    )
    converted(in_this_process, output_dir=elsewhere.PREFIX + str(out))
    assert 0 < len(calls) < 18 and len(set(calls)) == len(calls)
    assert fabricate.contents(out) == fabricate.contents(pictures / "local")
    # A second time there is nothing to do; another flag is refused.
    again = converted(in_this_process, output_dir=elsewhere.PREFIX + str(out))
    assert again.seconds is None and len(set(calls)) == len(calls)
    with pytest.raises(UserError, match="--encoding=png, not raw"):
        converted(in_this_process, output_dir=elsewhere.PREFIX + str(out), encoding="raw")


def test_pairs_on_another_file_system(tmp_path, in_this_process):
    fabricate.div2k(tmp_path / "set", SIZES[:3])
    given = dict(dataset="div2k", input_dir=elsewhere.PREFIX + str(tmp_path / "set"))
    converted(in_this_process, output_dir=elsewhere.PREFIX + str(tmp_path / "there"), **given)
    local = dict(given, input_dir=str(tmp_path / "set"), runner=None, beam_options=())
    converted(in_this_process, output_dir=str(tmp_path / "here"), **local)
    assert fabricate.contents(tmp_path / "there") == fabricate.contents(tmp_path / "here")
    (tmp_path / "set" / "DIV2K_train_LR_bicubic" / "X2" / "0801x2.png").unlink()
    with pytest.raises(UserError, match="elsewhere://.*0801.png has no LR picture of scale 2"):
        converted(in_this_process, output_dir=str(tmp_path / "out"), **dict(given, skip_bad=False))


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(input_dir="elsewhere:///absent"), "elsewhere:///absent is not a folder"),
        (dict(input_dir="nowhere://a/b"), "nowhere://a/b.* cannot be used: Unable to get"),
        (dict(output_dir="nowhere://a/b"), "nowhere://a/b.* cannot be used: Unable to get"),
        (dict(output_dir="elsewhere:///proc/1/out"), "elsewhere:///proc/1/out"),
        (dict(beam_options=("--direct_num_workers=two",)), "--direct_num_workers=two is not what"),
        (dict(beam_options=("--beam_plugins=no.such.Thing",)), "no.such.Thing cannot be imported"),
    ],
)
def test_what_is_refused(tmp_path, in_this_process, changes, message):
    given = dict(dict(output_dir=str(tmp_path / "out")), **changes)
    with pytest.raises(UserError, match=message) as caught:
        converted(in_this_process, **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_damaged_shard_on_another_file_system_is_named(tmp_path, in_this_process, capsys):
    fabricate.folder(tmp_path / "in", SIZES[:1])
    out = tmp_path / "out"
    given = dict(input_dir=str(tmp_path / "in"), output_dir=elsewhere.PREFIX + str(out))
    converted(in_this_process, **given)
    (shard,) = out.glob("*.tfrecord")
    content = bytearray(shard.read_bytes())
    content[500] ^= 1
    shard.write_bytes(bytes(content))
    verify = ["x", "--verify", "--output_dir=" + elsewhere.PREFIX + str(out)]
    assert to_tfrecord.main(verify) == 2
    assert "elsewhere://%s, record 0: its checksum is wrong" % shard in capsys.readouterr().err
    shard.unlink()
    assert to_tfrecord.main(verify) == 2
    assert "%s is missing" % shard in capsys.readouterr().err


def test_files_of_another_file_system(tmp_path):
    storage = beam_storage.BeamStorage(elsewhere.PREFIX + str(tmp_path / "a" / "b"))
    storage.make()
    storage.make()
    assert storage.sizes() == {} and not storage.exists("x")
    storage.write("x", b"12345")
    storage.write("y.gz", b"1")
    assert storage.sizes() == {"x": 5, "y.gz": 1} and storage.sizes("*.gz") == {"y.gz": 1}
    assert storage.read("x") == b"12345" and storage.read("x", 1, 3) == b"234"
    assert storage.read("x", 3, 9) == b"45"
    storage.rename("x", "y.gz")
    assert storage.sizes() == {"y.gz": 5} and storage.is_whole("y.gz", 5, 0)
    with storage.local("y.gz") as path:
        assert open(path, "rb").read() == b"12345"
    assert not os.path.exists(path)
    storage.remove("y.gz")
    storage.remove("y.gz")
    with pytest.raises(FileNotFoundError):
        storage.read("y.gz")
