"""A file system of a few kilobytes, to be filled."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(path, kilobytes: int):
    """A file system of that size at `path`; the test is skipped where none may be made."""
    os.makedirs(str(path))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=%dk" % kilobytes, "tmpfs", str(path)],
        stderr=subprocess.PIPE,
    )
    if made.returncode:
        pytest.skip("this user may not mount a tmpfs: %s" % made.stderr.decode().strip())
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(path) -> None:
    """Leaves no room at all."""
    with contextlib.suppress(OSError), open(str(path / "ballast"), "wb", 0) as file:
        while True:
            file.write(b"x" * 1024)
