"""Processes that train together know of one another's end.

What TensorFlow exchanges between them has no end where one is gone: a step waits in native code,
deaf to signals. So a thread of each process, by a connection of each worker to the chief, hears who
is there, passes on that one was told to stop, and answers for a process whose main thread waits.
"""

import os
import select
import signal
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Set

from bsrn_estimator.interruption import Interrupted, Interruption
from bsrn_estimator.platforms.cluster.links import Link, Message
from bsrn_estimator.platforms.cluster.meeting import END
from bsrn_estimator.platforms.cluster.tf_config import Cluster

# What a process that ends of its own will gives as its reason after a signal.
STOPPED = "stopped"
_ONWARD = "; the same commands go on from the newest checkpoint"
# Beats in the time that a peer may be silent, and the longest time between two.
_BEATS, _LONGEST_BEAT = 20, 2.0
# For a process to end by itself, once another has ended of its own will.
_SECONDS_TO_FOLLOW = 10.0


class Watch:
    """Listens to the others from `start` to `leave`, and ends this process when one is gone.

    Args:
      cluster: the processes.
      peers: {rank: Link}: all workers for the chief, the chief for a worker.
      seconds: the longest that one may be silent.
      interruption: learns that another process was told to stop.
      stopped_status: the exit status after that.
    """

    def __init__(
        self,
        cluster: Cluster,
        peers: Dict[int, Link],
        seconds: float,
        interruption: Interruption,
        stopped_status: Callable[[], int],
    ) -> None:
        self._cluster, self._peers, self._seconds = cluster, peers, seconds
        self._interruption, self._stopped_status = interruption, stopped_status
        self._beat = min(seconds / _BEATS, _LONGEST_BEAT)
        self._everybody = set(range(cluster.rank_size))
        self._came: Dict[str, Set[int]] = {}
        self._changed = threading.Condition()
        # Why and when this process is to end: None for a sentence where it was told to stop.
        self._sentence: Optional[str] = None
        self._ends_at: Optional[float] = None
        self._asked_to_stop = self._left = self._is_idle = False
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begins to listen; to be called in the main thread, whose signals it sees too."""
        self._wake.setblocking(False)
        # A handler in Python waits until native code returns; this does not.
        signal.set_wakeup_fd(self._wake.fileno())
        self._thread.start()

    def wait_for_all(self, place: str) -> None:
        """Waits until every process has come to this place, which is for once.

        Raises:
          Interrupted: this process was told to stop.
        """
        with self._changed:
            came = self._came.setdefault(place, set())
            came.add(self._cluster.rank)
            if self._cluster.rank:
                self._tell({"at": place})
            while came != self._everybody:
                if self._interruption.received:
                    raise Interrupted
                self._changed.wait(self._beat)
            if not self._cluster.rank:
                self._tell({"past": place})

    def let_end(self) -> None:
        """Waits where an error of this process may follow from the end of another one: the thread
        then ends it, with the right sentence."""
        until = time.monotonic() + min(self._seconds, _SECONDS_TO_FOLLOW) / 2
        self._is_idle = True
        while time.monotonic() < until or self._ends_at is not None:
            time.sleep(self._beat / 2)

    def leave(self, reason: Optional[str] = None) -> None:
        """Ends the watch, and tells the others why this process ends.

        Args:
          reason: a sentence, or `STOPPED`; None where its work is done.
        """
        signal.set_wakeup_fd(-1)
        self._left = True
        self._wake.send(b"\0")
        self._thread.join()
        self._tell({"bye": reason})
        for link in self._peers.values():
            link.close()
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        next_beat = 0.0
        for rank, link in list(self._peers.items()):
            self._hear(rank, link.kept)
        while not self._left:
            ranks = {link: rank for rank, link in self._peers.items()}
            ready = select.select([self._woken, *ranks], [], [], self._beat / 2)[0]
            for source in ready:
                if source is self._woken:
                    self._take_signals(self._woken.recv(64))
                elif ranks[source] in self._peers:
                    self._hear(ranks[source], source.receive())
            now = time.monotonic()
            if now >= next_beat:
                next_beat = now + self._beat
                self._tell(None)
            self._look_for_silence(now)
            due = self._ends_at is not None and (self._is_idle or now >= self._ends_at)
            if due and not self._left:
                self._end()

    def _tell(self, message: Optional[Message]) -> None:
        for link in list(self._peers.values()):
            link.send(message)

    def _take_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGINT and self._asked_to_stop:
                os._exit(128 + number)
            if number in (signal.SIGINT, signal.SIGTERM):
                self._asked_to_stop = True
                self._tell({"stop": number})

    def _look_for_silence(self, now: float) -> None:
        # A little less, for whom the chief has to tell.
        longest = self._seconds - 3 * self._beat
        for rank, link in list(self._peers.items()):
            if now - link.heard > longest:
                self._end_at(
                    now,
                    "%s has not answered for %.3g s (--peer_timeout=%g)"
                    % (self._cluster.name(rank), now - link.heard, self._seconds)
                    + _ONWARD,
                )

    def _hear(self, rank: int, messages: Optional[List[Message]]) -> None:
        if messages is None:
            del self._peers[rank]
            ended = "%s has ended; look at the end of its log" % self._cluster.name(rank)
            self._end_at(time.monotonic(), ended + _ONWARD)
            return
        for message in messages:
            if "at" in message:
                self._come(message["at"], {rank})
            elif "past" in message:
                self._come(message["past"], self._everybody)
            elif "stop" in message:
                self._interruption.receive(signal.SIGTERM)
            elif END in message:
                self._end_at(time.monotonic(), message[END])
            elif "bye" in message:
                del self._peers[rank]
                self._part(rank, message["bye"])

    def _come(self, place: str, ranks: Set[int]) -> None:
        with self._changed:
            self._came.setdefault(place, set()).update(ranks)
            self._changed.notify_all()

    def _part(self, rank: int, reason: Any) -> None:
        """A process has ended of its own will; this one may be about to, for the same reason."""
        if reason is None:
            return
        sentence = None
        if reason == STOPPED:
            self._interruption.receive(signal.SIGTERM)
        else:
            sentence = "%s has ended: %s" % (self._cluster.name(rank), reason)
        soon = time.monotonic() + min(self._seconds / 4, _SECONDS_TO_FOLLOW)
        self._end_at(soon, sentence)

    def _end_at(self, when: float, sentence: Optional[str]) -> None:
        """Notes that this process is to end, for the first reason, at the earliest time."""
        if self._ends_at is None:
            self._sentence, self._ends_at = sentence, when
        self._ends_at = min(self._ends_at, when)

    def _end(self) -> None:
        """Ends this process, and those that know of it by this one alone."""
        status = 1
        if self._sentence is None:
            status = self._stopped_status()
            line = "stopped with the others" + _ONWARD
            self._tell({"bye": STOPPED})
        else:
            line = "error: %s" % self._sentence
            self._tell({END: self._sentence})
        # Not sys.stderr, whose lock the main thread may hold.
        os.write(2, ("\n%s\n" % line).encode("utf-8", "backslashreplace"))
        os._exit(status)
