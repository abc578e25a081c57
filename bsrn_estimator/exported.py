"""Using an exported SavedModel or frozen graph in the place of a checkpoint."""

import hashlib
import json
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from bsrn_estimator import frozen_graph, saved_model
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.trained import new_session
from bsrn_estimator.upscale import default_tile

VERSION = 1
INFO_ENDING = ".json"


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


class ExportedNetwork:
    """An exported model as `upscale.Upscaler` takes it.

    Args:
      path: a SavedModel, a folder that holds one, or a frozen graph's .pb file.
      session_config: options of its sessions; see `trained.new_session`.

    Attributes:
      scales: the scales that it has.
      fixed_shape: height and width of the LR pictures that it takes; None where they are free.
      step: the global step of its checkpoint.
      name: what to call it in messages.

    Raises:
      UserError: it is not an export of this project, or is damaged.
    """

    def __init__(self, path: str, session_config: Optional[tf.ConfigProto] = None) -> None:
        self._session_config = session_config
        self._folder = None if path.endswith(".pb") else saved_model_in(path)
        self.path = self._folder or path
        self._info = _information(self.path, self._folder is not None)
        self.scales = tuple(self._info["scales"])
        size = self._info["pictures"]["lr_size"]
        self.fixed_shape = (size[0], size[1]) if size else None
        self.step = self._info["step"]
        self.name = "%s (exported at step %d)" % (self.path, self.step)

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        return default_tile(scale)

    def open(
        self, scales: Sequence[int], output: str, first_output: int = 0
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `upscale.Upscaler`: names of the outputs, a function to run it, one to end it."""
        held = (self._info["output"], self._info["first_output"])
        if output != held[0] or first_output not in (0, held[1]):
            raise UserError(
                "%s was exported with --output=%s --first_output=%d and gives nothing else; use "
                "the checkpoint for other outputs" % ((self.path,) + held)
            )
        with tf.Graph().as_default():
            session = new_session(self._session_config)
            load = _load_saved_model if self._folder else _load_frozen
            try:
                tensors = load(session, self.path, scales)
            except Exception as error:  # a damaged file makes the parser raise nearly anything
                session.close()
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise UserError("%s cannot be loaded: %s" % (self.path, reason[:160])) from None

        def run(picture, scale) -> List:
            lr, hr = tensors[scale]
            return [session.run(hr, {lr: picture})]

        return (output,), run, session.close

    def identity(self) -> str:
        """The digest that `trained.TrainedNetwork.identity` gave, and the output exported."""
        held = json.dumps([self._info[name] for name in ("network", "output", "first_output")])
        return hashlib.sha256(held.encode()).hexdigest()[:16]


def _information(path: str, is_saved_model: bool) -> Dict[str, Any]:
    """What an export says of itself."""
    about = os.path.join(path, saved_model.INFO_FILE) if is_saved_model else path + INFO_ENDING
    try:
        with open(about) as file:
            info = json.load(file)
        if info["export_version"] > VERSION:
            raise UserError("%s is of a newer version of this project; update it" % about)
        for name in ("scales", "output", "first_output", "step", "network"):
            info[name]  # noqa: B018 a missing one raises here, not later
        info["pictures"]["lr_size"]  # noqa: B018
    except FileNotFoundError:
        raise UserError(
            "%s has no %s, so it is not known what it was made of; name an export of this project"
            % (path, about)
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("%s does not describe an export: %r" % (about, error)) from None
    return info


def _load_saved_model(session, folder: str, scales) -> Dict[int, Tuple]:
    """The input and output tensor of each scale."""
    loaded = tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], folder)
    tensors: Dict[int, Tuple] = {}
    for scale in scales:
        signature = loaded.signature_def[saved_model.RGB_SIGNATURE % scale]
        named = session.graph.get_tensor_by_name
        tensors[scale] = (
            named(signature.inputs["lr"].name),
            named(signature.outputs["hr"].name),
        )
    return tensors


def _load_frozen(session, path: str, scales) -> Dict[int, Tuple]:
    """The input and output tensor of its one scale."""
    definition = tf.GraphDef()
    with open(path, "rb") as file:
        definition.ParseFromString(file.read())
    lr, hr = tf.import_graph_def(
        definition,
        return_elements=[frozen_graph.INPUT + ":0", frozen_graph.OUTPUT + ":0"],
        name="",
    )
    return {scales[0]: (lr, hr)}
