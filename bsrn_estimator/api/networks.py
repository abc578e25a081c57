"""The networks of an `Upscaler`, found and loaded when they are first needed."""

from typing import Any, Dict, Optional

from bsrn_estimator.checkpoints import AUTO, automatic
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.engines.choice import Wish
from bsrn_estimator.inference import finding, sharing
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.platforms.options import RunOptions


class Networks:
    """One network, or those among which each picture chooses; not for two threads at a time.

    Args:
      options: which, and how pictures go through it.
      engine: see `Wish`.
      mixed: see `Wish`.
      threads: see `Wish`.
    """

    def __init__(
        self, options: PredictOptions, engine: str, mixed: Optional[bool], threads: int
    ) -> None:
        self._options = options
        self._wish = Wish(engine, mixed, threads)
        self._run_options = RunOptions(threads=threads)
        self._open = sharing.is_open(options)
        self._found: Dict[Optional[str], UsableNetwork] = {}
        self._upscalers: Dict[Optional[str], Upscaler] = {}

    @property
    def are_loaded(self) -> bool:
        """Whether there is anything that does not live on in a fork."""
        return bool(self._upscalers or self._found)

    @property
    def first(self) -> UsableNetwork:
        """The one that stands for all where one is asked for."""
        return self.find(
            self._options.replace(checkpoint=automatic.WORDS[0]) if self._open else self._options
        )

    @property
    def name(self) -> str:
        """What to call them."""
        return AUTO if self._open else self.first.name

    def find(self, options: PredictOptions) -> UsableNetwork:
        """The network that options name.

        Raises:
          UserError: there is none, or nothing that computes it.
        """
        if options.checkpoint not in self._found:
            self._found[options.checkpoint] = finding.find(
                options, self._wish, _platform, self._run_options
            )
        return self._found[options.checkpoint]

    def upscaler(self, is_lossy: bool) -> Upscaler:
        """What upscales a picture, all scales ready.

        Raises:
          UserError: see `find`, or it lacks the output wanted.
        """
        options = self._options
        if self._open:
            options = options.replace(checkpoint=automatic.word_of(is_lossy))
        if options.checkpoint not in self._upscalers:
            self._upscalers[options.checkpoint] = Upscaler(
                self.find(options),
                options.choice,
                options.tile,
                options.tile_overlap,
                options.self_ensemble,
            )
        return self._upscalers[options.checkpoint]

    def close(self) -> None:
        """Frees them."""
        for upscaler in self._upscalers.values():
            upscaler.close()
        self._upscalers.clear()


def _platform() -> Any:
    from bsrn_estimator.platforms.choice import present

    return present()
