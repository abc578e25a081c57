"""The networks of one server: a single one, or those among which each picture chooses."""

from typing import Dict, Mapping, NamedTuple, Tuple

from bsrn_estimator.checkpoints import AUTO, automatic
from bsrn_estimator.serve.served import ServedModel


class Networks:
    """Networks in memory, and which one a request means.

    Attributes:
      models: by the word for each, or "" for one that nobody chooses.
      words: what a request may ask for, the default first; none where there is no choice.
      first: the one that stands for all where one is asked for.
      scales: those that are served.
    """

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        """Takes them; those of `automatic.WORDS`, or one called ""."""
        self.models = dict(models)
        self.words: Tuple[str, ...] = (AUTO,) + automatic.WORDS if len(self.models) > 1 else ()
        self.first = next(iter(self.models.values()))
        self.scales = self.first.scales

    def named(self, name: str) -> Dict[str, ServedModel]:
        """The models by their names in TensorFlow Serving's API: NAME, and NAME-photo."""
        return {
            name if model is self.first else "%s-%s" % (name, word): model
            for word, model in self.models.items()
        }

    def chosen(self, word: str, body: bytes) -> "Chosen":
        """The network for the picture file `body`, where `word` is asked for, one of `words`."""
        if not self.words:
            return Chosen("", self.first)
        word = automatic.word_for(body) if word == AUTO else word
        return Chosen(word, self.models[word])

    def warm_up(self) -> None:
        """Runs each once; see `ServedModel.warm_up`."""
        for model in self.models.values():
            model.warm_up()

    def close(self) -> None:
        """Frees what they hold."""
        for model in self.models.values():
            model.close()


class Chosen(NamedTuple):
    """The network that a picture takes, and the word for it; "" where there is no choice."""

    word: str
    model: ServedModel
