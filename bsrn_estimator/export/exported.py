"""Using an exported SavedModel or frozen graph in the place of a checkpoint."""

import contextlib
import hashlib
import json
import os
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.checkpoints.trained import UsableNetwork, new_session
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about, frozen_graph, saved_model
from bsrn_estimator.export.bfloat16 import in_bfloat16
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32
from bsrn_estimator.pictures.tiling import default_tile


def saved_model_in(folder: str) -> Optional[str]:
    """The SavedModel that `folder` is or holds, None where it holds none.

    Looked for in the folder itself, in its numbered folders (the highest number), and in those of
    its folder `saved_model`, where mode export writes.
    """
    if os.path.isfile(os.path.join(folder, "saved_model.pb")):
        return folder
    for parent in (folder, os.path.join(folder, "saved_model")):
        names = os.listdir(parent) if os.path.isdir(parent) else []
        for name in sorted((name for name in names if name.isdigit()), key=int, reverse=True):
            if os.path.isfile(os.path.join(parent, name, "saved_model.pb")):
                return os.path.join(parent, name)
    return None


def is_export(path: str) -> bool:
    """Whether `path` means an exported model, not a checkpoint."""
    return path.endswith(".pb") or (os.path.isdir(path) and saved_model_in(path) is not None)


class ExportedNetwork(UsableNetwork):
    """The network of an exported model.

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
        self.path = self._folder or path
        self._info = about.read(self.path)
        self.scales = tuple(self._info["scales"])
        size = self._info["pictures"]["lr_size"]
        self.fixed_shape = (size[0], size[1]) if size else None
        self.step = self._info["step"]
        self.name = "%s (exported at step %d)" % (self.path, self.step)

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        return default_tile(scale)

    def open(
        self, scales: Sequence[int], choice: OutputChoice
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `UsableNetwork.open`."""
        held = (self._info["output"], self._info["first_output"])
        if choice.output != held[0] or choice.first_output not in (0, held[1]):
            raise UserError(
                "%s was exported with --output=%s --first_output=%d and gives nothing else; use "
                "the checkpoint for other outputs" % ((self.path,) + held)
            )
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

    def identity(self) -> str:
        """The digest that `trained.TrainedNetwork.identity` gave, and the output exported."""
        held = json.dumps([self._info[name] for name in ("network", "output", "first_output")])
        return hashlib.sha256(held.encode()).hexdigest()[:16]


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
