"""One shard, written from the records of its pictures: by this process, or by a worker of Beam."""

import os
from typing import Iterable, List, Tuple, Union

from bsrn_estimator import files
from bsrn_estimator.data.tfrecord import ShardWriter
from data_tools.encoding import Bad, Encoded
from data_tools.output import Entry
from data_tools.storage import Storage


def write_shard(
    storage: Storage, name: str, results: Iterable[Tuple[str, Union[Encoded, Bad]]], inputs: str
) -> Entry:
    """Writes a shard aside.

    Args:
      storage: the output folder.
      name: of the shard; it is written as `files.aside` says.
      results: the names of the pictures that it covers, in order, and their records.
      inputs: the digest of these pictures.

    Returns:
      What has been written, which is nothing where all pictures are bad.

    Raises:
      OSError: it cannot be written. What was written is removed then, and where `results` raises.
    """
    aside = files.aside(name)
    skipped: List[Tuple[str, str]] = []
    sizes: List[str] = []
    with storage.workplace() as folder:
        writer = ShardWriter(os.path.join(folder, name))
        try:
            for picture, result in results:
                if isinstance(result, Bad):
                    skipped.append((picture, result.problem))
                else:
                    writer.write_framed(result.frames, result.records)
                    sizes.append(result.size)
            if not writer.records:
                writer.discard()
                return Entry(0, 0, 0, inputs, tuple(skipped), (), aside)
            shard = writer.finish(rename=False)
            storage.put(writer.incomplete_path, aside)
        except BaseException:
            writer.discard()
            raise
    counts = shard.records, shard.bytes, shard.crc32c
    return Entry(*counts, inputs, tuple(skipped), tuple(sizes), aside)
