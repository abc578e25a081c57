"""How many small faults the tests would notice.

    python -m tests.support.mutants [--sample=N] [--seed=S] [ROOM ...]

changes the sources of the rooms data, training and evaluation in one place at a time (`mutation`
says how), in a copy of the repository (`bench`), and runs the tests that execute the line which is
changed, those that are quick first, until one fails. It prints the mutants that all tests let pass,
and the share that some test noticed. One that ends without a word, or that lets a test take twenty
times as long as before, counts as noticed.

    python -m tests.support.mutants --edit=FILE OLD NEW

tries a change of your own in the same way.

No mutation tool of others is used: the tests import TensorFlow, whose threads a process that forks
in the middle of the tests does not survive, and start commands, which have to see the mutant too.
"""

import argparse
import ast
import collections
import concurrent.futures
import math
import os
import pathlib
import queue
import random
import sys
import tempfile
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from tests.support import mutation
from tests.support.bench import Bench, Touching, files_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = "bsrn_estimator"
ROOMS = ("data", "training", "evaluation")
# Folders and files of the tests that are run, where they touch what is changed.
TESTS = (
    "tests/bsrn_estimator/data/",
    "tests/bsrn_estimator/training/",
    "tests/bsrn_estimator/evaluation/",
    "tests/bsrn_estimator/checkpoints/",
    "tests/bsrn_estimator/networks/test_golden_training.py",
    "tests/bsrn_estimator/platforms/test_",
    "tests/bsrn_estimator/test_m",
    "tests/data_tools/test_convert.py",
    "tests/data_tools/test_sampled_pixels.py",
    "tests/reliability/test_",
)
# AutoGraph converts what replicas run, so that no line of its file is executed.
CONVERTED = "tests/bsrn_estimator/platforms/test_gpu.py"
# Of a test, CPU seconds from which on it waits until the others have let a mutant pass.
_DEAR = 2.0
_FILES_AT_A_TIME = 3


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


def edited(root: pathlib.Path, file: str, old: str, new: str) -> Place:
    """A change of one's own.

    Raises:
      ValueError: the text that is to be changed does not stand there, or more than once.
    """
    source = (root / file).read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise ValueError("%s has %r %d times, not once" % (file, old, source.count(old)))
    line = source[: source.index(old)].count("\n") + 1
    lines = mutation.lines_around(ast.parse(source), line)
    mutant = mutation.Mutant(line, old, new, source.replace(old, new), *lines)
    return Place(file.split("/")[1], file, mutant)


def stages(place: Place, tests: Sequence[Touching], most: float) -> List[List[Touching]]:
    """The tests that may notice a mutant, in the order in which they are tried.

    Args:
      place: the mutant.
      tests: all.
      most: CPU seconds of all that are tried.
    """
    mutant = place.mutant
    able = _executing(tests, place.file, mutant.first, mutant.last)
    if not able:
        able = _executing(tests, place.file, 1, math.inf)
        able += [test for test in tests if test.file == CONVERTED and test not in able]
    own = "test_" + os.path.basename(place.file)
    groups: Dict[Tuple[bool, str], List[Touching]] = collections.defaultdict(list)
    for test in able:
        dear = test.seconds + sum(test.fixtures.values()) > _DEAR
        groups[dear, test.file].append(test)

    def order(group: Tuple[bool, str]) -> Tuple[bool, bool, float]:
        dear, file = group
        mean = sum(test.seconds for test in groups[group]) / len(groups[group])
        return dear, os.path.basename(file) != own, mean

    found: List[List[Touching]] = []
    files: List[Tuple[bool, str]] = []
    paid: set = set()
    for group in sorted(groups, key=order):
        chosen = []
        for test in sorted(groups[group], key=lambda test: test.seconds):
            cost = test.seconds + sum(s for f, s in test.fixtures.items() if f not in paid)
            if cost <= most:
                most -= cost
                paid.update(test.fixtures)
                chosen.append(test)
        own_file = os.path.basename(group[1]) == own
        if found and not group[0] and not own_file and files and len(files) < _FILES_AT_A_TIME:
            found[-1] += chosen
            files.append(group)
        elif chosen:
            found.append(chosen)
            files = [] if group[0] or own_file else [group]
    return found


def _executing(tests: Sequence[Touching], file: str, first: int, last: float) -> List[Touching]:
    """The tests that execute some line from `first` to `last`."""
    return [test for test in tests if any(first <= n <= last for n in test.lines.get(file, ()))]


def drawn(found: Sequence[Place], count: int, seed: int) -> List[Place]:
    """A sample in which each room has its share, in an order of chance."""
    by_room: Dict[str, List[Place]] = collections.defaultdict(list)
    for place in found:
        by_room[place.room].append(place)
    chance = random.Random(seed)
    chosen: List[Place] = []
    for room in sorted(by_room):
        share = round(count * len(by_room[room]) / len(found))
        chosen += chance.sample(by_room[room], min(max(share, 1), len(by_room[room])))
    chance.shuffle(chosen)
    return chosen


def interval(part: int, whole: int) -> Tuple[float, float]:
    """The share in which 95 of 100 samples like this one would have it (Wilson's)."""
    z, share = 1.96, part / whole
    middle = share + z * z / (2 * whole)
    width = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    return tuple((middle + sign * width) / (1 + z * z / whole) for sign in (-1, 1))  # type: ignore


class Benches:
    """Several benches side by side.

    Args:
      folder: for them.
      count: how many.
    """

    def __init__(self, folder: str, count: int) -> None:
        self._free: Any = queue.Queue()
        self._all = []
        for number in range(count):
            path = os.path.join(folder, str(number))
            os.makedirs(path)
            self._all.append(Bench(ROOT, path))
            self._free.put(self._all[-1])
        self._pool = concurrent.futures.ThreadPoolExecutor(count)

    def each(self, function, arguments: Sequence) -> Iterator:
        """function(a bench, argument) of each argument, as they are ready."""

        def with_bench(argument):
            bench = self._free.get()
            try:
                return function(bench, argument)
            finally:
                self._free.put(bench)

        futures = [self._pool.submit(with_bench, argument) for argument in arguments]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()

    def tests(self) -> List[Touching]:
        """All tests, with what they touch; recorded where that is not known."""
        files = [name for name in files_of(ROOT) if name.startswith(TESTS)]
        files = [name for name in files if os.path.basename(name).startswith("test_")]
        found = []
        for passing, failing in self.each(Bench.touching, files):
            found += passing
            for name in failing:
                print("left out, as it fails without a mutant: %s" % name, file=sys.stderr)
        for bench in self._all:
            bench.expect(found)
        return found

    def close(self) -> None:
        """Ends them."""
        self._pool.shutdown()
        for bench in self._all:
            bench.close()


def run(chosen: Sequence[Place], at_once: int, most: float) -> List[Place]:
    """Tries mutants and prints what becomes of them; returns the survivors."""
    survivors: List[Place] = []
    counts: Dict[str, List[int]] = collections.defaultdict(lambda: [0, 0])
    spent = 0.0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        benches = Benches(folder, at_once)
        try:
            tests = benches.tests()
            print("%d tests recorded" % len(tests), flush=True)

            def tried(bench: Bench, place: Place):
                order = stages(place, tests, most)
                return place, bench.noticed_by(place.file, place.mutant.source, order)

            for place, (by, seconds) in benches.each(tried, chosen):
                spent += seconds
                counts[place.room][0] += bool(by)
                counts[place.room][1] += 1
                if by is None:
                    survivors.append(place)
                print("%s: %s (%.1f s)" % (place, by or "SURVIVED", seconds), flush=True)
        finally:
            benches.close()
    print("%.1f CPU seconds a mutant" % (spent / len(chosen)))
    for room, (killed, tried_there) in sorted(counts.items()):
        print("%s: %s" % (room, _share(killed, tried_there)))
    killed, all_tried = (sum(numbers) for numbers in zip(*counts.values()))
    print("all: %s" % _share(killed, all_tried))
    for place in sorted(survivors):
        print("survived: %s" % (place,))
    return survivors


def _share(killed: int, tried: int) -> str:
    low, high = interval(killed, tried)
    return "%d of %d killed, %.1f %% (%.1f to %.1f)" % (
        killed,
        tried,
        100 * killed / tried,
        100 * low,
        100 * high,
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.mutants",
        description="Prints the small faults that the tests of some rooms do not notice.",
    )
    parser.add_argument("rooms", metavar="ROOM", nargs="*", help="%s" % ", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--edit", nargs=3, action="append", metavar=("FILE", "OLD", "NEW"))
    parser.add_argument("--list", action="store_true", help="print them, and try none")
    parser.add_argument("--at_once", type=int, default=os.cpu_count(), help="side by side")
    parser.add_argument("--seconds", type=float, default=120, help="CPU, of the tests of a mutant")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.rooms) - set(ROOMS))
    if unknown:
        parser.error("no such room: %s" % ", ".join(unknown))
    if given.sample is not None and given.sample < 1:
        parser.error("--sample must be at least 1, not %d" % given.sample)
    if given.edit:
        chosen = [edited(ROOT, *edit) for edit in given.edit]
    else:
        found = places(ROOT, given.rooms or ROOMS)
        chosen = drawn(found, given.sample, given.seed) if given.sample else found
        print("%d mutants, %d of them chosen" % (len(found), len(chosen)), flush=True)
    if given.list:
        print("\n".join(map(str, chosen)))
    else:
        run(chosen, given.at_once, given.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
