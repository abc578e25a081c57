"""Random access to the records of a data set, each checked before anyone learns from it."""

import os
import threading
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.tfrecord import CorruptRecord, index_shard, read_record
from bsrn_estimator.errors import UserError

_LOST = -1


class CorruptRecords:
    """The corrupt records that were left out so far; filled by readers, read by whoever reports.

    Args:
      max_share: the largest share of all records, 0 to 1, that is put up with.
    """

    def __init__(self, max_share: float = 0.01) -> None:
        self.max_share = max_share
        self._lock = threading.Lock()
        self._by_file: Dict[str, set] = {}

    def add(self, path: str, record: int) -> None:
        """Counts record number `record` of the file `path`; a record counts once."""
        with self._lock:
            self._by_file.setdefault(path, set()).add(record)

    @property
    def by_file(self) -> Dict[str, int]:
        """Number of corrupt records of each file that has some, by its path."""
        with self._lock:
            return {path: len(records) for path, records in sorted(self._by_file.items())}

    @property
    def total(self) -> int:
        """Number of corrupt records."""
        return sum(self.by_file.values())


class RecordReader:
    """Reads any record of a data set by its number, from several threads at a time.

    Args:
      data_dir: the data set's folder.
      scales: the scales wanted.
      kind: "training" or "evaluation".
      patch_size: height and width of the LR patches wanted, or None.
      corrupt: gives the next good record in place of a corrupt one, which is counted here; by
        default a corrupt record is an error.

    Attributes:
      manifest: what the folder says that it holds.
      corrupt: the corrupt records met so far, None where they are errors.

    Raises:
      UserError: the data set is not whole, or cannot serve what is asked for. The checksums of the
        records are looked at as they are read.
    """

    def __init__(
        self,
        data_dir: str,
        scales: Sequence[int],
        kind: str,
        patch_size: Optional[int] = None,
        corrupt: Optional[CorruptRecords] = None,
    ) -> None:
        self.manifest = Manifest.load_alone(data_dir) if corrupt else Manifest.load(data_dir)
        self.manifest.require(scales=scales, kind=kind, patch_size=patch_size, source=data_dir)
        self.corrupt = corrupt
        self._data_dir = data_dir
        if not self.manifest.records:
            raise UserError("%s holds no records; convert the data again" % data_dir)
        self._refuse_foreign_shards()
        self._paths = [os.path.join(data_dir, shard.name) for shard in self.manifest.shards]
        # Number of the first record of each shard.
        self._firsts = np.cumsum([0] + [shard.records for shard in self.manifest.shards])
        found = [
            self._index(path, shard.records)
            for path, shard in zip(self._paths, self.manifest.shards)
        ]
        self._offsets, self._lengths = (np.concatenate(arrays) for arrays in zip(*found))

    def read(self, number: int) -> bytes:
        """The data of record `number`, 0 to manifest.records - 1, its checksum verified.

        Raises: see `take`.
        """
        return self.take(number)[1]

    def take(self, number: int) -> Tuple[int, bytes]:
        """As `read`, with the number of the record, which may be another in place of a corrupt one.

        Raises:
          CorruptRecord: it is corrupt and corrupt records are not skipped.
          UserError: too many are corrupt.
        """
        for candidate in range(number, number + self.manifest.records):
            candidate %= self.manifest.records
            shard = int(np.searchsorted(self._firsts, candidate, side="right")) - 1
            in_shard = int(candidate - self._firsts[shard])
            offset, length = int(self._offsets[candidate]), int(self._lengths[candidate])
            if offset == _LOST:
                continue
            try:
                return candidate, read_record(self._paths[shard], offset, length, in_shard)
            except CorruptRecord:
                if self.corrupt is None:
                    raise
                self._count(self.corrupt, self._paths[shard], in_shard)
        raise UserError("%s has no record that is whole; convert the data again" % self._data_dir)

    def _refuse_foreign_shards(self) -> None:
        known = {shard.name for shard in self.manifest.shards}
        present = {name for name in files.names_in(self._data_dir) if name.endswith(".tfrecord")}
        for name in sorted(present - known):
            raise UserError(
                "%s is not of this data set, its manifest does not name it; move it elsewhere"
                % os.path.join(self._data_dir, name)
            )

    def _index(self, path: str, records: int) -> Tuple[np.ndarray, np.ndarray]:
        """Where the `records` records of a shard stand; what cannot be found is at _LOST."""
        try:
            offsets, lengths = index_shard(path)
        except CorruptRecord as error:
            if self.corrupt is None:
                raise
            offsets, lengths = error.before
        else:
            if len(offsets) != records:
                raise UserError(
                    "%s holds %d records where its manifest says %d; copy the data again, or "
                    "convert it again with --overwrite" % (path, len(offsets), records)
                )
        lost = np.full(records - len(offsets), _LOST, np.int64)
        if self.corrupt is not None:
            for record in range(len(offsets), records):
                self._count(self.corrupt, path, record)
        return np.append(offsets, lost), np.append(lengths, lost)

    def _count(self, corrupt: CorruptRecords, path: str, record: int) -> None:
        corrupt.add(path, record)
        total, records = corrupt.total, self.manifest.records
        if total > corrupt.max_share * records:
            raise UserError(
                "%d of the %d records of %s are corrupt, among them record %d of %s, more than "
                "--max_corrupt_share=%g allows; convert the data again"
                % (total, records, self._data_dir, record, path, corrupt.max_share)
            )
