"""Commands that train together, as processes of this machine that find each other by TF_CONFIG."""

import json
import pathlib
from typing import Any, List, Sequence

from bsrn_estimator.platforms.cluster.launch import free_addresses
from tests.reliability.commands import Commands, Done, Running


def tf_config(addresses: Sequence[str], rank: int, chief: bool = True) -> str:
    """TF_CONFIG of a process.

    Args:
      addresses: of all, by rank.
      rank: which it is.
      chief: whether the first is called so, and not worker 0.
    """
    cluster: Any = {"chief": list(addresses[:1]), "worker": list(addresses[1:])}
    task = {"type": "worker", "index": rank - 1} if rank else {"type": "chief", "index": 0}
    if not chief:
        cluster, task = {"worker": list(addresses)}, {"type": "worker", "index": rank}
    return json.dumps({"cluster": cluster, "task": task})


class Several:
    """Starts as many commands at a time as there are processes; see `Commands`.

    Args:
      root: the root of the repository.
      folder: for their outputs.
      most: how many at a time.
    """

    def __init__(self, root, folder: pathlib.Path, most: int) -> None:
        self._servers = []
        for number in range(most):
            (folder / str(number)).mkdir()
            self._servers.append(Commands(root, folder / str(number)))

    def start(self, count: int, *arguments: str, own=(), chief: bool = True) -> List[Running]:
        """Starts `main` as processes that train together.

        Args:
          count: how many.
          arguments: of all.
          own: further ones by rank, a list each.
          chief: see `tf_config`.
        """
        addresses = free_addresses(count)
        own = list(own) + [[]] * count
        return [
            server.start("main", *arguments, *more, TF_CONFIG=tf_config(addresses, rank, chief))
            for rank, (server, more) in enumerate(zip(self._servers[:count], own))
        ]

    def run(self, count: int, *arguments: str, **options) -> List[Done]:
        """Runs them to their ends."""
        return [each.wait() for each in self.start(count, *arguments, **options)]

    def alone(self, *arguments: str, **environment: str) -> Done:
        """Runs one."""
        return self._servers[0].run("main", *arguments, **environment)

    def close(self) -> None:
        """Ends the servers, and with them what still runs."""
        for server in self._servers:
            server.close()
