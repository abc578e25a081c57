"""TF_CONFIG: which processes train together, and which of them this one is."""

import dataclasses
import json
import os
import re
from typing import Any, Dict, List, MutableMapping, Optional, Tuple

from bsrn_estimator.errors import UserError

VARIABLE = "TF_CONFIG"
CHIEF, WORKER, EVALUATOR = "chief", "worker", "evaluator"
# What platforms for TensorFlow 1 call the chief.
_MASTER = "master"
_PARAMETER_SERVER = "ps"
_SEE = "see docs/cluster.md"
# TensorFlow's servers take IPv4 alone.
_ADDRESS = re.compile(r"[^\s:/\[\]]+:(?P<port>\d{1,5})")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Processes that train together, and this one among them.

    Attributes:
      jobs: {"chief" or "worker": addresses, host:port}.
      task_type: the job of this process.
      task_index: its place in that job.
    """

    jobs: Dict[str, List[str]]
    task_type: str
    task_index: int

    @property
    def tasks(self) -> List[Tuple[str, int, str]]:
        """(job, place in it, address) of all, by rank: the chief, then the workers."""
        return [
            (job, index, address)
            for job in (CHIEF, WORKER)
            for index, address in enumerate(self.jobs.get(job, []))
        ]

    @property
    def rank(self) -> int:
        """The index of this process; that of the chief is 0, who may be the first worker."""
        return [task[:2] for task in self.tasks].index((self.task_type, self.task_index))

    @property
    def rank_size(self) -> int:
        """How many processes train together."""
        return len(self.tasks)

    def address(self, rank: int) -> Tuple[str, int]:
        """(host, port) of a process."""
        host, _, port = self.tasks[rank][2].rpartition(":")
        return host, int(port)

    def name(self, rank: int) -> str:
        """What messages call a process: "worker 1 (host:port)"."""
        job, index, address = self.tasks[rank]
        return ("%s (%s)" % (job, address)) if job == CHIEF else "%s %d (%s)" % self.tasks[rank]


class EvaluatorTask(Exception):
    """This process is to evaluate what others train."""


def take(environ: MutableMapping = os.environ, trains: bool = True) -> Optional[Cluster]:
    """Takes TF_CONFIG out of the environment, where TensorFlow would act on it by itself.

    Args:
      environ: the environment; changed in place.
      trains: whether this process is to train; one that is not does its work alone.

    Returns:
      The cluster; None where the variable names none, or nobody but this process.

    Raises:
      EvaluatorTask: this process is the evaluator.
      UserError: the variable is not whole, or asks for what there is not here.
    """
    text = environ.pop(VARIABLE, "")
    if not trains or not text.strip():
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError("%s is not JSON (%s); %s" % (VARIABLE, error, _SEE)) from None
    if not isinstance(values, dict):
        raise UserError("%s must be a JSON object, not %.60s; %s" % (VARIABLE, text, _SEE))
    if not values.get("cluster"):
        return None
    jobs = _jobs(values["cluster"])
    job, index = _task(values.get("task"))
    if job == EVALUATOR:
        raise EvaluatorTask
    if job not in jobs:
        raise UserError(
            '%s: "task" is of type %s, and "cluster" has %s; %s'
            % (VARIABLE, job, " and ".join(sorted(jobs)) or "nobody", _SEE)
        )
    if index >= len(jobs[job]):
        raise UserError(
            '%s: "task" is %s %d, and "cluster" has %d, counted from 0; %s'
            % (VARIABLE, job, index, len(jobs[job]), _SEE)
        )
    cluster = Cluster(jobs, job, index)
    return cluster if cluster.rank_size > 1 else None


def _jobs(named: Any) -> Dict[str, List[str]]:
    """The jobs that train.

    Raises:
      UserError: they are not well formed, or some are parameter servers.
    """
    if not isinstance(named, dict):
        raise UserError('%s: "cluster" must be an object of lists; %s' % (VARIABLE, _SEE))
    jobs: Dict[str, List[str]] = {}
    for job, addresses in named.items():
        if not isinstance(addresses, list):
            raise UserError('%s: "%s" must be a list of host:port; %s' % (VARIABLE, job, _SEE))
        if job == _PARAMETER_SERVER and addresses:
            raise UserError(
                "%s names parameter servers (ps), which do not train here: all processes are "
                "workers that average gradients; leave ps out, %s" % (VARIABLE, _SEE)
            )
        if job not in (CHIEF, WORKER, EVALUATOR, _MASTER, _PARAMETER_SERVER):
            raise UserError(
                "%s: there is no job %.30s here; chief, worker and evaluator are known; %s"
                % (VARIABLE, job, _SEE)
            )
        if addresses and job not in (EVALUATOR, _PARAMETER_SERVER):
            jobs.setdefault(CHIEF if job == _MASTER else job, []).extend(addresses)
    _check_addresses([address for addresses in jobs.values() for address in addresses])
    if len(jobs.get(CHIEF, [])) > 1:
        raise UserError("%s names %d chiefs; one is right" % (VARIABLE, len(jobs[CHIEF])))
    return jobs


def _check_addresses(addresses: List[Any]) -> None:
    for address in addresses:
        found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if not found or not 0 < int(found.group("port")) < 65536:
            raise UserError("%s: %r is not host:port; %s" % (VARIABLE, address, _SEE))
        if addresses.count(address) > 1:
            raise UserError("%s names %s twice; each process needs its own" % (VARIABLE, address))


def _task(named: Any) -> Tuple[str, int]:
    """(job, index) of this process.

    Raises:
      UserError: it is not well formed.
    """
    if not isinstance(named, dict) or not isinstance(named.get("type"), str):
        raise UserError(
            '%s has "cluster" and no "task" with a "type", so this process does not know which '
            "it is; %s" % (VARIABLE, _SEE)
        )
    job = CHIEF if named["type"] == _MASTER else named["type"]
    if job == _PARAMETER_SERVER:
        raise UserError(
            "%s makes this process a parameter server (ps), of which there are none here; start "
            "it as a worker, %s" % (VARIABLE, _SEE)
        )
    index = named.get("index", 0 if job in (CHIEF, EVALUATOR) else None)
    if isinstance(index, bool) or not str(index).isdigit():
        raise UserError(
            '%s: the "index" of "task" must be a whole number from 0, not %r; %s'
            % (VARIABLE, index, _SEE)
        )
    return job, int(index)
