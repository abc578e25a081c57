"""How many small faults the tests would notice.

    python -m tests.support.mutants [--sample=N] [--seed=S] [ROOM ...]

changes the sources of the rooms data, training and evaluation in one place at a time (`mutation`
says how), in a copy of the repository, and runs the tests of that room: first those of the file
that is changed, then the others. It prints the mutants that all tests let pass, and the share that
some test noticed. One that takes ten times as long as the unchanged sources, or ends without a
word, counts as noticed.

No mutation tool of others is used: the tests import TensorFlow, whose threads a process that forks
for each mutant does not survive, and start commands, which have to see the mutant too.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple, Optional, Sequence

from tests.support import mutation

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = "bsrn_estimator"
# The tests of a room beside those in its own folder.
ROOMS: Dict[str, Sequence[str]] = {
    "data": (),
    "training": (
        "tests/bsrn_estimator/checkpoints/test_best.py",
        "tests/bsrn_estimator/networks/test_golden_training.py",
        "tests/reliability/test_divergence.py",
        "tests/reliability/test_signals.py",
    ),
    "evaluation": (),
}
_LEAST_SECONDS = 120


class Place(NamedTuple):
    """A mutant, and the file that it is of, below the root."""

    room: str
    file: str
    mutant: mutation.Mutant

    def __str__(self) -> str:
        mutant = self.mutant
        return "%s:%d: %s -> %s" % (self.file, mutant.line, mutant.before, mutant.after)


def places(root: pathlib.Path, rooms: Sequence[str]) -> List[Place]:
    """Every mutant of some rooms, in order."""
    found = []
    for room in rooms:
        for path in sorted((root / PACKAGE / room).glob("*.py")):
            name = str(path.relative_to(root))
            mutants = mutation.mutants_of(path.read_text(encoding="utf-8"))
            found += [Place(room, name, mutant) for mutant in mutants]
    return found


class Copy:
    """A copy of the repository whose sources are changed, one at a time.

    Args:
      root: the repository; what git does not know of it is left out.
      folder: for the copy.
    """

    def __init__(self, root: pathlib.Path, folder: str) -> None:
        self._folder = pathlib.Path(folder)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=str(root)).decode().split("\0"):
            if name and (root / name).is_file():
                target = self._folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(root / name), str(target))

    def tests_pass(self, tests: Sequence[str], seconds: float) -> bool:
        """Whether pytest lets the sources pass within that time."""
        there = [path for path in tests if (self._folder / path).exists()]
        if not there:
            return True
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *there]
        run = subprocess.Popen(
            command,
            cwd=str(self._folder),
            # Neither the sources of this repository nor code compiled from the mutant before.
            env=dict(os.environ, PYTHONPATH=str(self._folder), PYTHONDONTWRITEBYTECODE="1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return run.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            # With what it started.
            _kill_group(run.pid)
            run.wait()

    def survives(self, place: Place, seconds: float) -> bool:
        """Whether all tests of the room let a mutant pass."""
        file = self._folder / place.file
        original = file.read_text(encoding="utf-8")
        file.write_text(place.mutant.source, encoding="utf-8")
        try:
            return all(self.tests_pass(tests, seconds) for tests in stages(place))
        finally:
            file.write_text(original, encoding="utf-8")


def stages(place: Place) -> List[List[str]]:
    """The tests of a mutant: first those of its file, then all others of the room."""
    folder = "tests/%s/%s" % (PACKAGE, place.room)
    first = "%s/test_%s" % (folder, os.path.basename(place.file))
    return [[first], [folder, *ROOMS[place.room]]]


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, 9)
    except ProcessLookupError:
        pass


def run(rooms: Sequence[str], sample: Optional[int], seed: int) -> int:
    """Tries the mutants, or a sample of them, and prints what survives; returns the exit status."""
    found = places(ROOT, rooms)
    chosen = found
    if sample is not None and sample < len(found):
        chosen = random.Random(seed).sample(found, sample)
    print("%d mutants, %d of them tried" % (len(found), len(chosen)), flush=True)
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(ROOT, folder)
        seconds = {}
        for room in sorted({place.room for place in chosen}):
            started = time.monotonic()
            tests = ["tests/%s/%s" % (PACKAGE, room), *ROOMS[room]]
            if not copy.tests_pass(tests, 24 * 3600):
                print("the tests of %s fail without a mutant" % room, file=sys.stderr)
                return 2
            seconds[room] = max(_LEAST_SECONDS, 10 * (time.monotonic() - started))
        for number, place in enumerate(chosen, 1):
            if copy.survives(place, seconds[place.room]):
                survivors.append(place)
                print("survived: %s" % str(place), flush=True)
            if number % 10 == 0 or number == len(chosen):
                print(_share(number, len(survivors)), flush=True)
    return 0


def _share(tried: int, survived: int) -> str:
    killed = tried - survived
    return "%d of %d killed, %.1f %%" % (killed, tried, 100 * killed / tried)


def main() -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.mutants",
        description="Prints the small faults that the tests of some rooms do not notice.",
    )
    parser.add_argument("rooms", metavar="ROOM", nargs="*", help="%s" % ", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    given = parser.parse_args()
    unknown = sorted(set(given.rooms) - set(ROOMS))
    if unknown:
        parser.error("no such room: %s" % ", ".join(unknown))
    if given.sample is not None and given.sample < 1:
        parser.error("--sample must be at least 1, not %d" % given.sample)
    return run(given.rooms or list(ROOMS), given.sample, given.seed)


if __name__ == "__main__":
    sys.exit(main())
