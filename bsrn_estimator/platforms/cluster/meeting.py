"""How processes that are to train together find each other, and whether they fit."""

import select
import time
from typing import Callable, Dict, List, Optional

from bsrn_estimator.errors import UserError
from bsrn_estimator.interruption import Interrupted, Interruption
from bsrn_estimator.platforms.cluster import links
from bsrn_estimator.platforms.cluster.links import Link, Message
from bsrn_estimator.platforms.cluster.tf_config import Cluster

_POLL_SECONDS = 0.2
# Each worker says which it is.
_RANK = "rank"
_COMPLETE = "complete"
END = "end"


class Meeting:
    """The start: each worker connects to the chief, through the chief's own address of TF_CONFIG.

    Args:
      cluster: the processes.
      seconds: the longest to wait for all of them.
      interruption: whether this process was told to stop.

    Raises:
      Interrupted: from each method, if it was.
    """

    def __init__(self, cluster: Cluster, seconds: float, interruption: Interruption) -> None:
        self._cluster, self._seconds, self._interruption = cluster, seconds, interruption
        self._deadline = time.monotonic() + seconds

    def hold(self, welcome: Message, fault_of: Callable[[Message], Optional[str]]) -> Dict:
        """The chief's part.

        Args:
          welcome: what each worker is told when it comes.
          fault_of: what is wrong with a worker, by what it answers; a sentence that begins with its
            name, which is left out; None where nothing is.

        Returns:
          {rank: Link} of all workers.

        Raises:
          UserError: the address is taken, somebody does not come or does not fit. All others that
            have come are told.
        """
        found: Dict[int, Link] = {}
        faults: List[str] = []
        unknown: List[Link] = []
        with links.listening(self._cluster.address(0)[1], self._cluster.name(0)) as listener:
            # All of them even so, that each may hear why it is refused.
            while len(found) < self._cluster.rank_size - 1:
                self._check_interruption()
                sources = [listener, *unknown]
                for source in select.select(sources, [], [], _POLL_SECONDS)[0]:
                    if source is listener:
                        unknown.append(Link(listener.accept()[0]))
                        unknown[-1].send(welcome)
                        continue
                    answers = source.receive()
                    if answers == []:
                        continue
                    unknown.remove(source)
                    rank = answers[0].get(_RANK) if answers else None
                    if rank not in range(1, self._cluster.rank_size) or rank in found:
                        source.close()
                        continue
                    found[rank], source.kept = source, answers[1:]
                    fault = fault_of(answers[0])
                    faults += ["%s %s" % (self._cluster.name(rank), fault)] if fault else []
                if time.monotonic() > self._deadline:
                    faults.append(self._absent(found))
                    break
        for link in unknown:
            link.close()
        for link in found.values():
            # Only then does a worker say more, which would be lost on who reads one answer.
            link.send({END: faults[0]} if faults else {_COMPLETE: True})
        if faults:
            raise UserError(faults[0])
        return found

    def attend(self, answer: Callable[[Message], Message]) -> Dict:
        """A worker's part.

        Args:
          answer: what this process says of itself, by what the chief told it.

        Returns:
          {0: Link} of the chief.

        Raises:
          UserError: the address of this process is taken, the chief does not come, or it says
            what is wrong with one of those that have come.
        """
        rank = self._cluster.rank
        with links.listening(self._cluster.address(rank)[1], self._cluster.name(rank)):
            pass
        while True:
            self._check_interruption()
            connection = links.connect(*self._cluster.address(0))
            link = Link(connection) if connection else None
            welcome = link and self._next_message(link)
            if link and welcome:
                link.send(dict(answer(welcome), **{_RANK: rank}))
                self._require_all(self._next_message(link))
                return {0: link}
            if time.monotonic() > self._deadline:
                raise UserError(
                    "%s did not come within %g s (--peer_timeout); look at its log, and whether "
                    "its address of TF_CONFIG is right" % (self._cluster.name(0), self._seconds)
                )
            time.sleep(_POLL_SECONDS)

    def _next_message(self, link: Link) -> Optional[Message]:
        """What the chief says next; None where it hangs up, or is somebody else."""
        # Who has come waits as long as the chief does, which may have begun to wait later.
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            self._check_interruption()
            if not select.select([link], [], [], _POLL_SECONDS)[0]:
                continue
            messages = link.receive()
            if messages is None:
                break
            if messages:
                link.kept = messages[1:]
                return messages[0]
        link.close()
        return None

    def _require_all(self, message: Optional[Message]) -> None:
        if message is None:
            raise UserError("%s has ended; look at the end of its log" % self._cluster.name(0))
        if END in message:
            raise UserError(str(message[END]))

    def reach_all(self) -> None:
        """Waits until the server of every other process can be reached at its address.

        Raises:
          UserError: one cannot.
        """
        deadline = time.monotonic() + self._seconds
        for rank in sorted(set(range(self._cluster.rank_size)) - {self._cluster.rank}):
            while True:
                self._check_interruption()
                connection = links.connect(*self._cluster.address(rank))
                if connection:
                    connection.close()
                    break
                if time.monotonic() > deadline:
                    raise UserError(
                        "%s cannot be reached from %s at its address of TF_CONFIG; look for a "
                        "firewall between them, or mend the address"
                        % (self._cluster.name(rank), self._cluster.name(self._cluster.rank))
                    )
                time.sleep(_POLL_SECONDS)

    def _absent(self, found: Dict) -> str:
        ranks = [rank for rank in range(1, self._cluster.rank_size) if rank not in found]
        return (
            "%s did not come within %g s (--peer_timeout); look at the log there, and start all "
            "processes of TF_CONFIG"
            % (" and ".join(self._cluster.name(rank) for rank in ranks), self._seconds)
        )

    def _check_interruption(self) -> None:
        if self._interruption.received:
            raise Interrupted
