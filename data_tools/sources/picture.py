"""One picture of a source: its name, and where its HR and its LR pictures are stored."""

import contextlib
import dataclasses
import hashlib
import os
import re
import unicodedata
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from bsrn_estimator.data.example import decode_example
from bsrn_estimator.data.tfrecord import read_record
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.files import PassedOver

_LONGEST_NAME = 100


class Stored:
    """Where a picture is."""

    @property
    def label(self) -> str:
        """What messages call it."""
        raise NotImplementedError

    def content(self) -> Union[str, bytes]:
        """What `read_rgb` takes.

        Raises:
          UserError: it cannot be read.
        """
        raise NotImplementedError

    def identity(self) -> Tuple:
        """Changes when the picture does."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class StoredFile(Stored):
    """A picture in a file of its own."""

    path: str

    @property
    def label(self) -> str:
        return printable(self.path)

    def content(self) -> str:
        return self.path

    def identity(self) -> Tuple:
        state = os.stat(self.path)
        return self.path, state.st_size, state.st_mtime_ns


@dataclasses.dataclass(frozen=True)
class StoredFeature(Stored):
    """A picture in a feature of a TFRecord."""

    path: str
    record: int
    offset: int
    length: int
    feature: str

    @property
    def label(self) -> str:
        return "%s, record %d, %s" % (printable(self.path), self.record, self.feature)

    def content(self) -> bytes:
        data = read_record(self.path, self.offset, self.length, self.record)
        content = None
        with contextlib.suppress(ValueError, KeyError, IndexError):
            content = decode_example(data)[self.feature][0]
        if not isinstance(content, bytes):
            raise UserError("%s holds no picture" % self.label)
        return content

    def identity(self) -> Tuple:
        state = os.stat(self.path)
        return self.path, self.record, self.feature, state.st_size, state.st_mtime_ns


@dataclasses.dataclass(frozen=True)
class SourcePicture:
    """What becomes one evaluation record, or the tiles of one picture.

    Attributes:
      name: unique in the source, and safe as a part of a path.
      hr: the HR picture.
      lr: scale to LR picture; None where it is to be made from the HR picture.
    """

    name: str
    hr: Stored
    lr: Optional[Dict[int, Stored]] = None

    def identity(self) -> Tuple:
        """Changes when the name or a file of the picture does."""
        lr = sorted((self.lr or {}).items())
        return self.name, self.hr.identity(), [(s, stored.identity()) for s, stored in lr]


class Found(NamedTuple):
    """What a source found.

    Attributes:
      pictures: in ascending order of their names.
      problems: name of a picture that must be left out, and a sentence that says why.
      passed_over: files and folders that are no pictures to convert, by reason.
    """

    pictures: List[SourcePicture]
    problems: List[Tuple[str, str]]
    passed_over: PassedOver


def record_name(name: str) -> str:
    """`name` as it stands in records, and later in paths: one line, no separator, not too long.

    The folders in it are joined by `_`; letters with marks are composed, as Unicode's NFC has them.
    """
    composed = unicodedata.normalize("NFC", name)
    printed = composed.encode("utf-8", "backslashreplace").decode()
    clean = re.sub(r"[^\w.+\-]", "_", printed).lstrip(".") or "_"
    if len(clean.encode()) > _LONGEST_NAME:
        digest = hashlib.sha256(printed.encode()).hexdigest()[:8]
        clean = clean.encode()[: _LONGEST_NAME - 9].decode("utf-8", "ignore") + "_" + digest
    return clean


def with_unique_names(candidates: List[Tuple[str, SourcePicture]]) -> Found:
    """The pictures sorted by name; of two that share one, neither is taken.

    Args:
      candidates: what messages call the picture, and the picture.
    """
    by_name: Dict[str, List[Tuple[str, SourcePicture]]] = {}
    for label, picture in candidates:
        by_name.setdefault(picture.name, []).append((label, picture))
    found = Found([], [], PassedOver())
    for name in sorted(by_name):
        group = by_name[name]
        if len(group) == 1:
            found.pictures.append(group[0][1])
            continue
        labels = sorted(label for label, _ in group)
        found.problems.extend(
            (name, "%s and %s would both be called %s; rename one" % (labels[0], label, name))
            for label in labels[1:]
        )
    return found
