"""Where mutants are tried: a copy of the repository, and a server that runs its tests.

The first thing done there is to record which lines each test touches, file by file of the tests. A
recording is kept in a temporary folder and holds until the test, a file in which it executes a
function, or `touched`, changes.
"""

import hashlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from tests.support import touched

# A test may take so long, in seconds and in times what it took before.
_LEAST_SECONDS, _TIMES = 60, 20
_RECORDING_SECONDS = 3600


class Touching(NamedTuple):
    """A test, and what it touches.

    Attributes:
      name: pytest's.
      seconds: of the processor, wide fixtures left out.
      fixtures: the seconds of each fixture that it shares with other tests.
      lines: {file: numbers}, those of its fixtures included.
      lasted: seconds by the clock, which are more where commands that it started were at work.
    """

    name: str
    seconds: float
    fixtures: Dict[str, float]
    lines: Dict[str, frozenset]
    lasted: float = 0.0

    @property
    def file(self) -> str:
        """Where it stands."""
        return self.name.split("::")[0]


class Bench:
    """A copy of the repository whose sources are changed, one at a time.

    Args:
      root: the repository; what git does not know of it is left out.
      folder: for the copy, and what the tests write.
    """

    def __init__(self, root: pathlib.Path, folder: str) -> None:
        self._folder = pathlib.Path(os.path.realpath(folder))
        self._copy = self._folder / "copy"
        self._log = self._folder / "log"
        for name in files_of(root):
            target = self._copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(root / name), str(target))
        (self._copy / "sitecustomize.py").write_text(touched.SITECUSTOMIZE)
        self._seconds: Dict[str, float] = {}
        self._time = 10**9
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.pytest_server"],
            cwd=str(self._copy),
            env=dict(os.environ, PYTHONPATH=str(self._copy)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # Ctrl-C is for who reads; the end of the standard input ends this one.
            start_new_session=True,
        )

    def close(self) -> None:
        """Ends the server."""
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def touching(self, file: str) -> Tuple[List[Touching], List[str]]:
        """The tests of a file that pass, and the names of those that do not."""
        recorder = (self._copy / "tests/support/touched.py").read_bytes()
        content = (self._copy / file).read_bytes()
        key = b"\0".join([file.encode(), content, recorder])
        kept = _cache() / hashlib.sha256(key).hexdigest()[:16]
        recording = _read(kept)
        if recording is None or recording["of"] != self._digests(recording["of"]):
            recording = self._record(file)
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.parent / ("%s.%d" % (kept.name, os.getpid()))
            aside.write_text(json.dumps(recording))
            os.replace(str(aside), str(kept))
        passing = [
            _touching(name, seconds, wide, lasted, recording)
            for name, passed, seconds, wide, lasted in recording["tests"]
            if passed
        ]
        return passing, [name for name, passed, *_ in recording["tests"] if not passed]

    def expect(self, tests: Iterable[Touching]) -> None:
        """Takes from a recording how long tests may take."""
        for test in tests:
            of_processor = test.seconds + sum(test.fixtures.values())
            self._seconds[test.name] = max(of_processor, test.lasted)

    def _record(self, file: str) -> Dict[str, Any]:
        """Runs the tests of a file and returns what they touch, and what that depends on."""
        path = self._folder / "touched"
        for stale in self._folder.glob("touched*"):
            stale.unlink()
        self._run([file], _RECORDING_SECONDS, record=str(path))
        tests, fixtures = _read(pathlib.Path(str(path) + ".json")) or ([], {})
        lines = touched.read(str(path))
        names = {file, *(name for files in lines.values() for name in files)}
        of = self._digests(sorted(names))
        return {"of": of, "tests": tests, "fixtures": fixtures, "lines": lines}

    def _digests(self, names: Iterable[str]) -> Dict[str, str]:
        """Digests of files of the copy."""
        found = {}
        for name in names:
            path = self._copy / name
            content = path.read_bytes() if path.is_file() else b""
            found[name] = hashlib.sha256(content).hexdigest()[:16]
        return found

    def noticed_by(
        self, file: str, source: str, stages: Sequence[Sequence[Touching]]
    ) -> Tuple[Optional[str], float]:
        """Which test notices a change of the sources, None where none does.

        Args:
          file: what is changed.
          source: what stands in it then.
          stages: tests in the order in which they are tried.

        Returns:
          The name of the test, and CPU seconds.
        """
        path = self._copy / file
        original = path.read_text(encoding="utf-8")
        self._write(path, source)
        spent = 0.0
        try:
            for stage in stages:
                names = [test.name for test in stage]
                files = list(dict.fromkeys(test.file for test in stage))
                noticed, seconds = self._run(files, _LEAST_SECONDS, names=names)
                spent += seconds
                if noticed:
                    return noticed, spent
        finally:
            self._write(path, original)
        return None, spent

    def _write(self, path: pathlib.Path, source: str) -> None:
        """Changes a source, and its time to one that no compiled form of it has."""
        path.write_text(source, encoding="utf-8")
        self._time += 1
        os.utime(str(path), (self._time, self._time))

    def _run(self, files: Sequence[str], least: float, **order) -> Tuple[Optional[str], float]:
        """Runs tests; returns which has failed, or did not end, and the CPU seconds of all."""
        order.update(files=list(files), log=str(self._log))
        self._server.stdin.write((json.dumps(order) + "\n").encode())
        process, at, failed = 0, "the start", None
        deadline = time.monotonic() + least
        while True:
            answer = self._answer(deadline)
            if answer is None:
                failed = failed or "%s, which did not end" % at
                _kill_group(process)
                deadline = time.monotonic() + _RECORDING_SECONDS
                continue
            word, _, rest = answer.partition(" ")
            if word == "pid":
                process = int(rest)
            elif word == "test":
                at = json.loads(rest)
                allowed = least + _TIMES * self._seconds.get(at, 0.0)
                deadline = time.monotonic() + allowed
            elif word == "failed":
                failed = failed or json.loads(rest)
            elif word == "done":
                status, seconds = rest.split()
                # With what the tests have left behind.
                _kill_group(process)
                if int(status) and not failed:
                    failed = "the collection of %s" % ", ".join(files)
                return failed, float(seconds)

    def _answer(self, deadline: float) -> Optional[str]:
        """The next line of the server; None where none comes in time."""
        left = max(deadline - time.monotonic(), 0)
        if not select.select([self._server.stdout], [], [], left)[0]:
            return None
        line = self._server.stdout.readline().decode()
        if not line:
            raise RuntimeError("the server of the tests has ended")
        return line.rstrip("\n")


def _touching(
    name: str, seconds: float, wide: Sequence[str], lasted: float, recording: Dict
) -> Touching:
    lines: Dict[str, set] = {}
    for context in [name, *wide]:
        for file, numbers in recording["lines"].get(context, {}).items():
            lines.setdefault(file, set()).update(numbers)
    fixtures = {each: recording["fixtures"].get(each, 0.0) for each in wide}
    frozen = {file: frozenset(numbers) for file, numbers in lines.items()}
    return Touching(name, seconds, fixtures, frozen, lasted)


def _read(path: pathlib.Path) -> Any:
    """The JSON of a file, None where there is no such file."""
    return json.loads(path.read_text()) if path.exists() else None


def files_of(root: pathlib.Path) -> List[str]:
    """What git knows of, and what it would take."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listed, cwd=str(root)).decode().split("\0")
    return sorted({name for name in names if name and (root / name).is_file()})


def _cache() -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir()) / ("mutants-%d" % os.getuid())


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, 9)
    except ProcessLookupError:
        pass
