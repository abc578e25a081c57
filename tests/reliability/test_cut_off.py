"""Two processes in network namespaces with addresses of their own, the wire between them cut."""

import os
import subprocess
import sys
import time

import pytest

from tests.support import several

_NAMES = ["bsrn-%d-a" % os.getpid(), "bsrn-%d-b" % os.getpid()]
_ADDRESSES = ["10.213.7.1", "10.213.7.2"]
_PORT = 2222
_SECONDS = 20


def _ip(*words, check=True):
    return subprocess.run(["ip"] + list(words), check=check, stderr=subprocess.DEVNULL).returncode


@pytest.fixture
def namespaces():
    """The names of two network namespaces that reach each other."""
    try:
        failed = _ip("netns", "add", _NAMES[0], check=False)
    except OSError:
        failed = True
    if failed:
        pytest.skip("network namespaces are not permitted here")
    try:
        _ip("netns", "add", _NAMES[1])
        ends = ["veth%d%s" % (os.getpid() % 100000, letter) for letter in "ab"]
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name, end, address in zip(_NAMES, ends, _ADDRESSES):
            _ip("link", "set", end, "netns", name)
            _ip("-n", name, "address", "add", address + "/24", "dev", end)
            _ip("-n", name, "link", "set", end, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield dict(zip(_NAMES, ends))
    finally:
        for name in _NAMES:
            _ip("netns", "delete", name, check=False)


def _start(root, rank, arguments, log):
    addresses = ["%s:%d" % (address, _PORT) for address in _ADDRESSES]
    command = ["ip", "netns", "exec", _NAMES[rank], sys.executable, "-m", "bsrn_estimator.main"]
    environment = dict(os.environ, TF_CONFIG=several.tf_config(addresses, rank))
    with open(str(log), "wb") as file:
        return subprocess.Popen(
            command + arguments, cwd=str(root), env=environment, stdout=file, stderr=file
        )


@pytest.mark.timeout(600)
def test_a_wire_that_is_cut_ends_both_which_go_on_later(root, namespaces, flags, tmp_path):
    logs = [tmp_path / "0.log", tmp_path / "1.log"]
    arguments = flags + ["--model_dir=%s" % (tmp_path / "run"), "--peer_timeout=%d" % _SECONDS]
    arguments += ["--save_checkpoints_steps=5", "--keep_checkpoint_max=2", "--evaluation_steps=5"]
    running = [_start(root, rank, arguments, log) for rank, log in enumerate(logs)]
    try:
        _wait_for(running, logs[0], "step 20 of")
        cut = time.time()
        name = _NAMES[1]
        _ip("-n", name, "link", "set", namespaces[name], "down")
        assert [process.wait(2 * _SECONDS) for process in running] == [1, 1]
        assert time.time() - cut < _SECONDS + 5
        for log, peer in zip(logs, ("worker 0 (10.213.7.2:2222)", "chief (10.213.7.1:2222)")):
            last = log.read_text().strip().splitlines()[-1]
            assert last.startswith("error: %s has not answered for" % peer)
        _ip("-n", name, "link", "set", namespaces[name], "up")
        running = [_start(root, rank, arguments, log) for rank, log in enumerate(logs)]
        _wait_for(running, logs[0], "step ")
        assert "goes on from step" in logs[0].read_text()
    finally:
        for process in running:
            process.kill()
            process.wait()


def _wait_for(running, log, text) -> None:
    deadline = time.time() + 240
    while text not in log.read_text():
        assert time.time() < deadline and running[0].poll() is None, log.read_text()[-2000:]
        time.sleep(0.1)
