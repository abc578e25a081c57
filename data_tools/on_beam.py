"""The conversion on Apache Beam: shards side by side, each written by one worker.

Which pictures go into which shard is known before; they stand in a file of the output folder, a
line for each shard, of which workers are told the place alone: pipelines of runners may not be
large. A worker writes a shard under a name of its own, for a runner may give the same work to two,
and its entry, by which the process that has started it all finds it.
"""

import contextlib
import dataclasses
import glob
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, TextIO, Tuple

# First, for it says what to install where Beam is missing.
from data_tools import beam_storage

import apache_beam  # isort: skip
from apache_beam.options.pipeline_options import PipelineOptions  # isort: skip

from bsrn_estimator import files
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.progress import progress
from data_tools.encoding import encode_picture
from data_tools.here import Groups
from data_tools.options import ConversionOptions
from data_tools.output import PLAN, Output, aside_name, digest, entry_name
from data_tools.places import is_remote, storage_of
from data_tools.shard_writing import write_shard
from data_tools.sources.picture import SourcePicture, Stored, StoredFeature, StoredFile
from data_tools.sources.remote import RemoteFile
from data_tools.stopping import Stopped
from data_tools.workers import one_thread_each

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Seconds between two looks at what is there: a listing of this machine, and of another system; and
# between two looks at whether a signal came.
_LOOKS, _HEARS = {False: 1.0, True: 30.0}, 0.5
# In the command of each worker of DirectRunner.
_WORKER = b"apache_beam.runners.worker.sdk_worker_main"

_Place = Tuple[int, int, int]


def prepare(options: ConversionOptions) -> None:
    """Lets Beam's file systems have what --beam_options say; before anything is read.

    Raises:
      UserError: Beam does not take them.
    """
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
            _pipeline_options(options).get_all_options()
    except SystemExit:
        raise UserError(
            "--beam_options=%s is not what Beam takes" % printable(" ".join(options.beam_options))
        ) from None
    beam_storage.use_options(options.beam_options)


def write(output: Output, groups: Groups, options: ConversionOptions, stop: Sequence[int]) -> None:
    """Writes the shards that are missing; arguments as those of `here.write`.

    Bad pictures are left out of the shards; who calls decides whether that may be.

    Raises:
      UserError: the pipeline failed, or its workers did not write what is missing.
      Stopped: a signal came; whole shards are kept.
    """
    missing = [number for number in range(len(groups)) if number not in output.entries]
    if not missing:
        return
    beam_options = _pipeline_options(options)
    places = _write_plan(output, missing, groups)
    with contextlib.ExitStack() as held:
        terminal, log = sys.stderr, ""
        if options.runner == "DirectRunner":
            terminal, log = held.enter_context(_log_aside())
            held.enter_context(_importable())
            held.enter_context(one_thread_each())
            held.enter_context(_workers_ended())
        run = _Run(places, options, beam_options)
        with progress(
            None, len(groups), "Converting", "shards", len(output.entries), terminal
        ) as bar:
            shown, looked = len(output.entries), time.monotonic()
            while not run.is_over(_HEARS):
                if stop:
                    run.cancel()
                    output.collect(groups)
                    raise Stopped(stop[0], output.covers(groups), sum(map(len, groups)))
                if log and _worker_died(log):
                    # DirectRunner would wait for its answer for ever.
                    raise UserError(
                        "a worker process died, perhaps for want of memory; try fewer --workers; "
                        "the same command again makes what is missing"
                    )
                if time.monotonic() - looked < _LOOKS[is_remote(output.folder)]:
                    continue
                there = len(output.storage.sizes(files.aside("*.json")))
                bar.update(max(min(there, len(groups)) - shown, 0))
                shown, looked = max(shown, there), time.monotonic()
            output.collect(groups)
            bar.update(len(output.entries) - shown)
        if run.error is not None:
            raise UserError(_failure(run.error, options, log))
    output.storage.remove(PLAN)
    lost = [number for number in missing if number not in output.entries]
    if lost:
        raise UserError(
            "%d of %d shards are not in %s, though %s has done its work; name an --output_dir that "
            "its workers share" % (len(lost), len(groups), printable(output.folder), options.runner)
        )


class _Run:
    """A pipeline, run by a thread of its own so that the first one can hear of signals."""

    def __init__(
        self, places: List[_Place], options: ConversionOptions, beam_options: PipelineOptions
    ) -> None:
        self.error: Optional[BaseException] = None
        self._result: Any = None
        pipeline = apache_beam.Pipeline(runner=options.runner, options=beam_options)
        written = pipeline | "Shards" >> apache_beam.Create(places)
        # Else a runner may keep all of them in one place, behind one another.
        written |= "Spread" >> apache_beam.Reshuffle()
        written |= "Write" >> apache_beam.Map(_write_one, dataclasses.replace(options, workers=1))
        self._pipeline = pipeline
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._pipeline.run()
            self._result.wait_until_finish()
        except BaseException as error:
            self.error = error

    def is_over(self, seconds: float) -> bool:
        """Waits so long at most; whether the pipeline has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Ends the work, where the runner can."""
        if self._result is not None:
            with contextlib.suppress(Exception):
                self._result.cancel()


def _write_one(place: _Place, options: ConversionOptions) -> int:
    """Writes a shard and its entry; what a worker runs. Returns its number."""
    number, offset, length = place
    storage = storage_of(options.output_dir)
    values = json.loads(storage.read(PLAN, offset, length).decode("utf-8"))
    pictures = [_picture(each) for each in values["pictures"]]
    results = ((picture.name, encode_picture(picture, options)) for picture in pictures)
    name = aside_name(options.split, number, uuid.uuid4().hex[:8])
    entry = write_shard(storage, name, results, values["inputs"])
    storage.write(entry_name(entry.file), json.dumps(dataclasses.asdict(entry)).encode())
    return number


def _write_plan(output: Output, missing: List[int], groups: Groups) -> List[_Place]:
    """Writes which pictures the missing shards cover: number, offset and length of each line."""
    lines, places, offset = [], [], 0
    for number in missing:
        pictures = [_values(picture) for picture in groups[number]]
        line = json.dumps({"pictures": pictures, "inputs": digest(groups[number])}).encode() + b"\n"
        places.append((number, offset, len(line)))
        lines.append(line)
        offset += len(line)
    output.storage.write(PLAN, b"".join(lines))
    return places


def _values(picture: SourcePicture) -> Dict[str, Any]:
    lr = None
    if picture.lr is not None:
        lr = {str(scale): _described(stored) for scale, stored in picture.lr.items()}
    return {"name": picture.name, "hr": _described(picture.hr), "lr": lr}


def _described(stored: Stored) -> Dict[str, Any]:
    values = dict(vars(stored))
    if isinstance(stored, (StoredFile, StoredFeature)):
        values["path"] = os.path.abspath(values["path"])  # workers may stand elsewhere
    return values


def _picture(values: Dict[str, Any]) -> SourcePicture:
    lr = None
    if values["lr"] is not None:
        lr = {int(scale): _stored(each) for scale, each in values["lr"].items()}
    return SourcePicture(values["name"], _stored(values["hr"]), lr)


def _stored(values: Dict[str, Any]) -> Stored:
    for kind in (StoredFeature, RemoteFile):
        if {field.name for field in dataclasses.fields(kind)} == set(values):
            return kind(**values)
    return StoredFile(**values)


def _pipeline_options(options: ConversionOptions) -> PipelineOptions:
    given = list(options.beam_options)
    if options.runner == "DirectRunner":
        given = [
            "--direct_running_mode=multi_processing",
            "--direct_num_workers=%d" % options.workers,
            # Newer releases would else fetch a runner that is not in Python.
            "--allow_unsafe_triggers",
        ] + given
    return PipelineOptions(given)


@contextlib.contextmanager
def _workers_ended() -> Iterator[None]:
    """Where the work is broken off: kills the workers that DirectRunner would leave behind, and
    those that it is about to start. On Linux; elsewhere they end when they miss it."""
    before = _workers()
    try:
        yield
    except BaseException:
        quiet = 0
        while quiet < 5:
            left = _workers() - before
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            quiet = 0 if left else quiet + 1
            time.sleep(0.1)
        raise


def _workers() -> Set[int]:
    """Beam's workers below this process, by what /proc says; nothing else that it has started."""
    parents: Dict[int, int] = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            head, _, rest = file.read().rpartition(") ")
            state, parent = rest.split()[:2]
            if state != "Z":
                parents[int(head.split()[0])] = int(parent)
    below, found = [os.getpid()], set()
    for one in below:
        below += [child for child, parent in parents.items() if parent == one]
    for pid in below[1:]:
        with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, "rb") as command:
            if _WORKER in command.read():
                found.add(pid)
    return found


def _worker_died(log: str) -> bool:
    """Whether DirectRunner has logged that a process has ended with an error."""
    with open(log, "rb") as file:
        return b"Worker subprocess exited with return code" in file.read()


def _failure(error: BaseException, options: ConversionOptions, log: str) -> str:
    """One sentence for whatever a runner raises, of which the last line is that of a worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Error" in line.split(":")[0]] or lines[-1:]
    reason = causes[-1] if causes else type(error).__name__
    return "the conversion on %s failed (%s)%s; the same command again makes what is missing" % (
        options.runner,
        printable(reason[:300]),
        log and ", see " + log,
    )


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """Lets processes that are started meanwhile import this package, wherever they stand."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([_ROOT] + ([before] if before else []))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _log_aside() -> Iterator[Tuple[TextIO, str]]:
    """Has what this process and those it starts log written to a file, which is kept on an error.

    Gives what writes to the terminal all the same, and the path of the file.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    number, log = tempfile.mkstemp(prefix="beam-", suffix=".log")
    handlers = logging.root.handlers[:]
    try:
        os.dup2(number, 2)
        os.close(number)
        with os.fdopen(os.dup(2), "w") as file, os.fdopen(os.dup(terminal), "w") as shown:
            logging.root.handlers[:] = [logging.StreamHandler(file)]
            yield shown, log
    except UserError:
        raise
    except BaseException:
        os.unlink(log)
        raise
    else:
        os.unlink(log)
    finally:
        logging.root.handlers[:] = handlers
        os.dup2(terminal, 2)
        os.close(terminal)
