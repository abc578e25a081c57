"""Using an exported SavedModel or frozen graph in the place of a checkpoint."""

import contextlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.checkpoints.trained import new_session
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import frozen_graph, saved_model
from bsrn_estimator.export.bfloat16 import in_bfloat16
from bsrn_estimator.export.described import DescribedNetwork
from bsrn_estimator.export.finding import saved_model_in
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32


class ExportedNetwork(DescribedNetwork):
    """The network of an exported model, run by TensorFlow.

    Args:
      path: a SavedModel, a folder that holds one, or a frozen graph's .pb file.
      session_config: options of its sessions; see `trained.new_session`.
      precision: in which it is computed, see `networks.precision`.

    Raises:
      UserError: it is not an export of this project, or is damaged.
    """

    def __init__(
        self,
        path: str,
        session_config: Optional[tf.ConfigProto] = None,
        precision: str = FLOAT32,
    ) -> None:
        self._session_config, self.precision = session_config, precision
        self._folder = None if path.endswith(".pb") else saved_model_in(path)
        super().__init__(self._folder or path)

    def open(
        self, scales: Sequence[int], choice: OutputChoice
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `UsableNetwork.open`."""
        self._check(choice)
        with tf.Graph().as_default():
            session = new_session(self._session_config)
            try:
                tensors = self._load(session, scales)
            except UserError:
                session.close()
                raise

        def run(picture, scale) -> List:
            lr, hr = tensors[scale]
            return [session.run(hr, {lr: picture})]

        return (choice.output,), run, session.close

    def _load(self, session, scales: Sequence[int]) -> Dict[int, Tuple]:
        """The input and output tensor of each scale."""
        if not self._folder:
            return {scales[0]: _load_frozen(self.path, self.precision)}
        signatures = load_saved_model(session, self._folder)
        with _readable(self.path):
            return tensors_of(session, signatures, scales, self.precision)


def load_saved_model(session, folder: str) -> Dict[str, Any]:
    """Loads a SavedModel into `session`, whose graph is the default graph.

    Returns:
      Its signatures by name: tf.SignatureDef.

    Raises:
      UserError: it is damaged.
    """
    with _readable(folder):
        tags = [tf.saved_model.tag_constants.SERVING]
        return dict(tf.saved_model.load(session, tags, literal.folder(folder)).signature_def)


def tensors_of(
    session: tf.Session, signatures: Dict[str, Any], scales: Sequence[int], precision: str = FLOAT32
) -> Dict[int, Tuple]:
    """The tensors "lr" and "hr" of the signatures that take and give RGB pictures, by scale.

    Args:
      session: it holds the graph, which is the default graph, and its weights.
      signatures: as `load_saved_model` gives them.
      scales: those wanted.
      precision: where it is BFLOAT16, the tensors are those of a copy with the weights as
        constants, which is added to the graph.
    """
    chosen = [signatures[saved_model.RGB_SIGNATURE % scale] for scale in scales]
    names = [pair for one in chosen for pair in (one.inputs["lr"].name, one.outputs["hr"].name)]
    if precision == FLOAT32:
        found = [session.graph.get_tensor_by_name(name) for name in names]
    else:
        outputs = [one.outputs["hr"].name.split(":")[0] for one in chosen]
        frozen = tf.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), outputs
        )
        found = tf.import_graph_def(in_bfloat16(frozen), return_elements=names, name=BFLOAT16)
    return {scale: (found[2 * i], found[2 * i + 1]) for i, scale in enumerate(scales)}


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file makes the parser raise nearly anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError("%s cannot be loaded: %s" % (path, reason[:160])) from None


def _load_frozen(path: str, precision: str) -> Tuple:
    """The input and output tensor of a frozen graph, in the default graph."""
    definition = tf.GraphDef()
    names = [frozen_graph.INPUT + ":0", frozen_graph.OUTPUT + ":0"]
    with _readable(path):
        with open(path, "rb") as file:
            definition.ParseFromString(file.read())
        if precision == BFLOAT16:
            definition = in_bfloat16(definition)
        lr, hr = tf.import_graph_def(definition, return_elements=names, name="")
    return lr, hr
