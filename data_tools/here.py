"""The conversion by processes of this machine: pictures side by side, shards in their order."""

import contextlib
import functools
from typing import Generator, Iterator, Sequence, Tuple, Union

from bsrn_estimator.errors import UserError
from bsrn_estimator.progress import progress
from data_tools.encoding import Bad, Encoded, encode_picture
from data_tools.options import ConversionOptions
from data_tools.output import Output, aside_name, digest
from data_tools.refusals import SKIP_WAY, refusal
from data_tools.shard_writing import write_shard
from data_tools.sources import SourcePicture
from data_tools.stopping import Stopped
from data_tools.workers import WorkerDied, ordered

Groups = Sequence[Sequence[SourcePicture]]


def write(output: Output, groups: Groups, options: ConversionOptions, stop: Sequence[int]) -> None:
    """Writes the shards that are missing.

    Args:
      output: the output folder; its `entries` are completed.
      groups: the pictures of each shard.
      options: complete.
      stop: gets the number of a signal that asks to stop.

    Raises:
      UserError: a picture is bad and not to be left out.
      Stopped: a signal came; whole shards are kept.
    """
    missing = [number for number in range(len(groups)) if number not in output.entries]
    pictures = [picture for number in missing for picture in groups[number]]
    function = functools.partial(encode_picture, options=options)
    encoded = ordered(function, pictures, options.workers)
    done, total = output.covers(groups), sum(map(len, groups))
    results = _until_told(stop, encoded, output, groups)
    with contextlib.closing(results), progress(
        None, total, "Converting", "pictures", initial=done
    ) as bar:

        def of_group(group: Sequence[SourcePicture]) -> Iterator[Tuple[str, Union[Encoded, Bad]]]:
            for picture in group:
                result = next(results)
                if isinstance(result, Bad) and not options.skip_bad:
                    raise UserError(refusal([(picture.name, result.problem)], SKIP_WAY))
                bar.update()
                yield picture.name, result

        for number in missing:
            name, inputs = aside_name(options.split, number), digest(groups[number])
            output.add(number, write_shard(output.storage, name, of_group(groups[number]), inputs))


def _until_told(
    stop: Sequence[int], results: Generator, output: Output, groups: Groups
) -> Generator:
    """The results; raises Stopped at the first one after `stop` has got an entry."""
    with contextlib.closing(results):
        try:
            for result in results:
                if stop:
                    break
                yield result
            else:
                return
        except WorkerDied:
            # A signal to the whole group, as cluster managers send it, ends the workers too.
            if not stop:
                raise
    raise Stopped(stop[0], output.covers(groups), sum(map(len, groups)))
