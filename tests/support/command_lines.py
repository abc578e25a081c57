"""Whether a command can be typed: it exists, it starts, and it knows the flags that it is given.

Modules and scripts are started in this process, as far as to where they parse their command line;
none of their work is done.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import pathlib
import re
import runpy
import sys
import warnings
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set

try:
    import tomllib
except ImportError:
    import tomli as tomllib

from data_tools import to_tfrecord
from tests.support.documents import FLAG, Command

# Programs that a document may name and that are not this project's.
FOREIGN = {
    "base64",
    "curl",
    "git",
    "msame",
    "pip",
    "pre-commit",
    "printf",
    "pyiqa",
    "saved_model_cli",
    "source",
    "tensorboard",
    "tensorflow_model_server",
}


class _Reached(BaseException):
    """A command has come to where it parses its command line."""

    def __init__(self, parser: argparse.ArgumentParser, takes_others: bool) -> None:
        super().__init__(parser)
        self.parser, self.takes_others = parser, takes_others


class CommandLine(NamedTuple):
    """The command line of a program: its parser, and whether it passes on what it does not know."""

    parser: argparse.ArgumentParser
    takes_others: bool


def started(start: Callable[[], Any]) -> CommandLine:
    """Starts a program that parses its command line with argparse, and stops it there.

    Raises:
      AssertionError: it ended before.
    """
    argv, path = sys.argv, list(sys.path)

    def parse_args(parser, *_args, **_named):
        raise _Reached(parser, False)

    def parse_known_args(parser, *_args, **_named):
        raise _Reached(parser, True)

    class_ = argparse.ArgumentParser
    originals = class_.parse_args, class_.parse_known_args
    class_.parse_args, class_.parse_known_args = parse_args, parse_known_args
    sys.argv = ["program"]
    try:
        start()
    except _Reached as reached:
        return CommandLine(reached.parser, reached.takes_others)
    finally:
        class_.parse_args, class_.parse_known_args = originals
        sys.argv, sys.path[:] = argv, path
    raise AssertionError("it ended before it looked at its command line")


def option_names(parser: argparse.ArgumentParser) -> Set[str]:
    """The long flags of a parser and of its commands, without dashes."""
    found = set()
    for action in parser._actions:
        found |= {option[2:] for option in action.option_strings if option.startswith("--")}
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found |= option_names(command)
    return found


@contextlib.contextmanager
def _errors_raised() -> Iterator[None]:
    """Has argparse raise ValueError where it would end the process."""

    def error(_parser, message):
        raise ValueError(message)

    original = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = error
    try:
        yield
    finally:
        argparse.ArgumentParser.error = original


class Checker:
    """Says what is wrong with a command.

    Args:
      root: the root of the repository, which commands are given in.
      main_flags: the flags of `python -m bsrn_estimator.main`: absl's FlagValues, of which copies
        are made.
      pytest_option: raises ValueError for the name of an option that pytest does not know.
    """

    def __init__(self, root: pathlib.Path, main_flags, pytest_option: Callable[[str], Any]) -> None:
        self._root, self._main_flags, self._pytest_option = root, main_flags, pytest_option
        self._makefile = (root / "Makefile").read_text(encoding="utf-8")
        self._lines: Dict[str, CommandLine] = {}
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        self.entry_points: Dict[str, str] = project["project"]["scripts"]

    def problem(self, command: Command) -> Optional[str]:
        """What is wrong with it; None where nothing is."""
        try:
            self._check(command.words, command.whole)
        except ValueError as error:
            return "%s: %s: %s" % (command.where, " ".join(command.words), error)
        return None

    def _check(self, words: List[str], whole: bool) -> None:
        program, arguments = words[0], words[1:]
        if program == "make":
            self._make(arguments)
        elif program in ("python", "python3"):
            self._python(arguments, whole)
        elif program == "bash":
            self._check(arguments, whole)
        elif program.startswith("scripts/"):
            self._file(program, arguments, whole)
        elif program in self.entry_points:
            self._entry_point(program, arguments, whole)
        elif program not in FOREIGN:
            raise ValueError("there is no command %s" % program)

    def _make(self, arguments: List[str]) -> None:
        for argument in arguments:
            name, is_variable, value = argument.partition("=")
            if is_variable:
                if not re.search(r"\b%s\b" % name, self._makefile):
                    raise ValueError("the Makefile has no %s" % name)
                if name == "RUNTIME" and value not in ("tf1", "tf2"):
                    raise ValueError("RUNTIME is tf1 or tf2")
                for extra in value.split() if name == "WITH" else ():
                    if not list((self._root / "requirements").glob("tf?-%s.txt" % extra)):
                        raise ValueError("there is no requirements/tf?-%s.txt" % extra)
            elif not re.search(r"^%s:" % re.escape(name), self._makefile, re.MULTILINE):
                raise ValueError("the Makefile has no target %s" % name)

    def _python(self, arguments: List[str], whole: bool) -> None:
        if not arguments:
            return  # a sentence that names the interpreter
        if arguments[0] == "-c":
            ast.parse(arguments[1])
        elif arguments[0] == "-m":
            self._module(arguments[1], arguments[2:], whole)
        else:
            self._file(arguments[0], arguments[1:], whole)

    def _module(self, name: str, arguments: List[str], whole: bool) -> None:
        if name == "pytest":
            self._pytest(arguments)
        elif name == "bsrn_estimator.main":
            self._absl(copy.deepcopy(self._main_flags), arguments)
        elif name == "data_tools.to_tfrecord":
            self._absl(to_tfrecord.define_flags(), arguments)
        else:
            place = self._root.joinpath(*name.split("."))
            if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
                raise ValueError("there is no module %s" % name)
            self._argparse(self.module(name), arguments, whole)

    def module(self, name: str) -> CommandLine:
        """The command line of `python -m name`."""

        def start():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # it is imported already
                runpy.run_module(name, run_name="__main__", alter_sys=True)

        return self._started(name, start)

    def script(self, path: str) -> CommandLine:
        """The command line of a Python file, named relative to the root."""
        return self._started(
            path, lambda: runpy.run_path(str(self._root / path), run_name="__main__")
        )

    def _started(self, name: str, start: Callable[[], Any]) -> CommandLine:
        if name not in self._lines:
            self._lines[name] = started(start)
        return self._lines[name]

    def _file(self, path: str, arguments: List[str], whole: bool) -> None:
        if not (self._root / path).is_file():
            raise ValueError("there is no file %s" % path)
        if path == "data_tools/to_tfrecord.py":
            self._absl(to_tfrecord.define_flags(), arguments)
        elif path.endswith(".py"):
            self._argparse(self.script(path), arguments, whole)
        else:
            self._shell(path, arguments, whole)

    def _entry_point(self, name: str, arguments: List[str], whole: bool) -> None:
        module = self.entry_points[name].partition(":")[0]
        if module in ("bsrn_estimator.main", "data_tools.to_tfrecord"):
            self._module(module, arguments, whole)
        else:
            self._argparse(self._started(name, self.entry_point(name)), arguments, whole)

    def entry_point(self, name: str) -> Callable[[], Any]:
        """The function that an installed command calls.

        Raises:
          ImportError, AttributeError: there is none.
        """
        module, _, function = self.entry_points[name].partition(":")
        return getattr(importlib.import_module(module), function)

    def _absl(self, values, arguments: List[str]) -> None:
        """Checks names, values and flag files; the latter are looked for in the current folder."""
        given = [argument for argument in arguments if argument != "--help"]
        try:
            rest = values(["program"] + given)[1:]
        except Exception as error:  # absl's Error, or OSError for a flag file
            raise ValueError(str(error)) from None
        if rest:
            raise ValueError("%s is not a flag" % rest[0])

    def _argparse(self, line: CommandLine, arguments: List[str], whole: bool) -> None:
        given = [argument for argument in arguments if argument != "--help"]
        rest: List[str] = []
        try:
            with _errors_raised():
                namespace, rest = line.parser.parse_known_args(given)
            # What the launcher of ranks passes on stands behind two dashes.
            passed_on = [flag for flag in getattr(namespace, "flags", []) if flag != "--"]
        except ValueError as error:
            if whole and given == arguments or "are required" not in str(error):
                raise
            return
        if rest and not line.takes_others:
            raise ValueError("unknown: %s" % " ".join(rest))
        self._absl(copy.deepcopy(self._main_flags), rest + passed_on)

    def _pytest(self, arguments: List[str]) -> None:
        for argument in arguments:
            for name in FLAG.findall(argument):
                self.require_pytest_option(name)
            path = argument.partition("::")[0]
            if "/" in path and not (self._root / path).exists():
                raise ValueError("there is no %s" % path)

    def require_pytest_option(self, name: str) -> None:
        """Raises ValueError where pytest has no flag `--name`."""
        self._pytest_option(name.replace("-", "_"))

    def _shell(self, path: str, arguments: List[str], whole: bool) -> None:
        """Flags of the module that it hands its arguments to; else those of its usage."""
        text = (self._root / path).read_text(encoding="utf-8")
        passed_on = re.search(r'-m ([\w.]+) ?(.*) "\$@"$', text, re.MULTILINE)
        if passed_on:
            module, fixed = passed_on.groups()
            self._module(module, fixed.split() + arguments, whole)
            return
        known = set(FLAG.findall(usage(text)))
        for argument in arguments:
            for name in FLAG.findall(argument):
                if name not in known:
                    raise ValueError("%s says nothing of --%s" % (path, name))

    def known_flags(self) -> Set[str]:
        """The names of all flags of all commands, a switch also with `no` before its name."""
        found = {"help", "version"}
        for values in (self._main_flags, to_tfrecord.define_flags()):
            for name in values:
                found |= {name} | ({"no" + name} if values[name].boolean else set())
        for line in self._lines.values():
            found |= option_names(line.parser)
        for path in (self._root / "scripts").glob("*.sh"):
            found |= set(FLAG.findall(usage(path.read_text(encoding="utf-8"))))
        return found


def usage(script: str) -> str:
    """The comment that a shell script begins with."""
    lines = script.splitlines()[1:]
    end = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(lines[:end])
