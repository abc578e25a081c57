"""How processes find each other, here in threads of one process."""

import socket
import threading
import types

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.interruption import Interrupted
from bsrn_estimator.platforms.cluster.launch import free_addresses
from bsrn_estimator.platforms.cluster.meeting import Meeting
from bsrn_estimator.platforms.cluster.tf_config import Cluster


@pytest.fixture
def clusters():
    """Makes the clusters of several processes."""

    def make(count):
        jobs = {"worker": free_addresses(count)}
        return [Cluster(jobs, "worker", rank) for rank in range(count)]

    return make


def _meeting(cluster, seconds=30.0, received=None):
    return Meeting(cluster, seconds, types.SimpleNamespace(received=received))


class _Attending(threading.Thread):
    """A worker, in a thread of its own."""

    def __init__(self, cluster, answer):
        super().__init__()
        self._cluster, self._answer = cluster, answer
        self.start()

    def run(self):
        self.links, self.refused = {}, None
        try:
            self.links = _meeting(self._cluster).attend(self._answer)
        except UserError as error:
            self.refused = str(error)

    def heard(self):
        """The messages that it gets until the chief hangs up."""
        self.join()
        found = list(self.links[0].kept)
        while True:
            messages = self.links[0].receive()
            if messages is None:
                return found
            found += messages


def test_all_come_and_hear_each_other(clusters):
    three = clusters(3)
    workers = [_Attending(one, lambda told: {"heard": told["sign"]}) for one in three[1:]]
    answers = []

    def note(answer):
        answers.append((answer["rank"], answer["heard"]))

    found = _meeting(three[0]).hold({"sign": "s"}, note)
    assert sorted(found) == [1, 2] and sorted(answers) == [(1, "s"), (2, "s")]
    for link in found.values():
        link.send({"at": "end"})
        link.close()
    assert [worker.heard() for worker in workers] == [[{"at": "end"}]] * 2


def test_a_fault_of_one_is_told_to_all(clusters):
    three = clusters(3)
    first = _Attending(three[1], lambda _told: {})
    faults = {1: None, 2: "has another seed"}
    second = _Attending(three[2], lambda _told: {})
    with pytest.raises(UserError, match=r"^worker 2 \(127.0.0.1:\d+\) has another seed$"):
        _meeting(three[0]).hold({"sign": ""}, lambda answer: faults[answer["rank"]])
    first.join()
    second.join()
    assert second.refused.endswith("has another seed") and first.refused == second.refused


def test_who_does_not_come_is_named(clusters):
    three = clusters(3)
    worker = _Attending(three[2], lambda _told: {})
    with pytest.raises(UserError, match=r"^worker 1 \(127.0.0.1:\d+\) did not come within 2 s"):
        _meeting(three[0], seconds=2).hold({"sign": ""}, lambda _answer: None)
    worker.join()
    assert "worker 1 " in worker.refused and "did not come" in worker.refused


def test_a_chief_that_does_not_come_is_named(clusters):
    with pytest.raises(UserError, match=r"^worker 0 \(127.0.0.1:\d+\) did not come within 1 s"):
        _meeting(clusters(2)[1], seconds=1).attend(lambda _told: {})


@pytest.mark.parametrize("rank", [0, 1])
def test_a_taken_address_is_named(clusters, rank):
    cluster = clusters(2)[rank]
    with socket.socket() as other:
        other.bind(cluster.address(rank))
        other.listen(1)
        with pytest.raises(UserError, match=r"the port of worker %d \(127.* is taken" % rank):
            if rank:
                _meeting(cluster).attend(lambda _told: {})
            else:
                _meeting(cluster).hold({}, lambda _answer: None)


def test_strangers_are_passed_over(clusters):
    """A port scanner, a browser, a process that says a rank that there is not."""
    two = clusters(2)
    done = threading.Event()

    def disturb():
        for words in (b"", b"GET / HTTP/1.0\r\n\r\n", b'{"rank": 7}\n', b"[]\n", b"\xff\n"):
            while not done.is_set():
                try:
                    with socket.create_connection(two[0].address(0)) as stranger:
                        stranger.sendall(words)
                    break
                except OSError:
                    continue
        _Attending(two[1], lambda _told: {}).join()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert list(_meeting(two[0]).hold({"sign": ""}, lambda _answer: None)) == [1]
    finally:
        done.set()
        thread.join()


def test_told_to_stop_nobody_waits(clusters):
    two = clusters(2)
    for cluster in two:
        meeting = _meeting(cluster, received=15)
        with pytest.raises(Interrupted):
            if cluster.rank:
                meeting.attend(lambda _told: {})
            else:
                meeting.hold({}, lambda _answer: None)


def test_an_address_behind_a_firewall_is_named(clusters):
    two = clusters(2)
    with socket.socket() as own:
        own.bind(two[0].address(0))
        own.listen(1)
        _meeting(two[1], seconds=2).reach_all()
    with pytest.raises(UserError, match=r"^worker 0 .* cannot be reached from worker 1 "):
        _meeting(two[1], seconds=1).reach_all()
