"""Which network upscales which of the pictures of a command."""

from typing import Callable, Dict, List, NamedTuple, Sequence

from bsrn_estimator.checkpoints import AUTO, automatic
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.pictures.files import PictureFile

Find = Callable[[PredictOptions], UsableNetwork]


class Share(NamedTuple):
    """Pictures and the network that upscales them.

    Attributes:
      network: the network.
      files: the pictures.
      word: what the choice by picture calls the network; "" where the user names it.
    """

    network: UsableNetwork
    files: Sequence[PictureFile]
    word: str = ""


def is_open(options: PredictOptions) -> bool:
    """Whether each picture decides which network it takes."""
    return options.named in (None, AUTO)


def by_picture(options: PredictOptions, files: Sequence[PictureFile], find: Find) -> List[Share]:
    """A share for each of the networks that come with the project and that a picture takes.

    Args:
      options: what to do.
      files: all pictures.
      find: gives the network of options that name one.
    """
    taken: Dict[str, List[PictureFile]] = {word: [] for word in automatic.WORDS}
    for file in files:
        taken[automatic.word_for(file.path)].append(file)
    return [
        Share(find(options.replace(checkpoint=word)), mine, word)
        for word, mine in taken.items()
        if mine
    ]


def sentence(shares: Sequence[Share]) -> str:
    """Which networks are used for how many pictures, and what computes them."""
    network = shares[0].network
    named = network.name
    if shares[0].word:
        counts = ["%s for %s" % (share.word, _pictures(len(share.files))) for share in shares]
        named = "%s, %s" % (AUTO, " and ".join(counts))
    return "network: %s, run by %s, computed in %s" % (named, network.engine, network.precision)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else "%d pictures" % count
