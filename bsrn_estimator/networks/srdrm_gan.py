"""SRDRM-GAN (arXiv:1909.09437): the generator of SRDRM, trained against a discriminator.

Whoever uses the trained network needs the generator alone, so this family is SRDRM's but for how it
is trained. TensorFlow is imported when a graph is built.
"""

import contextlib
import dataclasses
from typing import Any, Callable, ClassVar, Dict, List, Optional, Sequence, Tuple

from bsrn_estimator.networks.base import Shapes, Update
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.settings import TRAINING, setting

VGG19, MSE, NONE = "vgg19", "mse", "none"
SHARED, OWN = "shared", "own"
_DISCRIMINATOR = "discriminator/"


@dataclasses.dataclass(frozen=True)
class SrdrmGan(Srdrm):
    """An SRDRM that is trained as a GAN; see `Srdrm` for what it is once it is trained."""

    family: ClassVar[str] = "srdrm_gan"

    output_kernel: int = setting(9, "as for srdrm", flag="output_kernel", shown="5; srdrm_gan 9")
    content_loss: str = setting(
        VGG19,
        "srdrm_gan: what its generator's loss compares beside the discriminator's verdict and the "
        "loss of srdrm: features of --vgg19_weights; in their place pixels (mse); or none",
        choices=(VGG19, MSE, NONE),
        modes=TRAINING,
    )
    adam_steps: str = setting(
        SHARED,
        "srdrm_gan: the three updates of a step count Adam's steps together, as in the authors' "
        "code, or each network its own",
        choices=(SHARED, OWN),
        modes=TRAINING,
    )
    # What is compared, for a run that goes on: the file itself may be anywhere.
    vgg19_md5: str = setting("", flag=None)

    @classmethod
    def told_by(cls, shapes: Shapes) -> Optional[Dict[str, Any]]:
        """As `Srdrm`, where there is a discriminator beside it."""
        is_trained_so = any(name.startswith(_DISCRIMINATOR) for name in shapes)
        return super().told_by(shapes) if is_trained_so else None

    @property
    def makes_several_updates(self) -> bool:
        """It does, three; see `Network.makes_several_updates`."""
        return True

    @property
    def compares_features(self) -> bool:
        """Whether training needs the weights of VGG19; see `Network.compares_features`."""
        return self.content_loss == VGG19

    @property
    def counts_together(self) -> bool:
        """See `Network.counts_together`."""
        return self.adam_steps == SHARED

    def updates(
        self,
        features: Dict,
        labels: Dict,
        schedule: str,
        loss_scope: Callable = contextlib.nullcontext,
        feature_file: Optional[str] = None,
    ) -> Sequence[Update]:
        """The discriminator on real pictures, on made ones, then the generator; see `Network`."""
        from bsrn_estimator.compat import tf
        from bsrn_estimator.networks import srdrm_gan_losses as losses
        from bsrn_estimator.networks import srdrm_layers, vgg19
        from bsrn_estimator.networks.discriminator import discriminator

        lr = srdrm_layers.from_grey_levels(features["lr"])
        hr = labels["hr" if schedule == "random" else "hr_x%d" % self.scale]
        truth = srdrm_layers.from_grey_levels(hr)

        def real() -> Tuple[Any, Dict, List]:
            verdict, moved = _moved_by(tf, lambda: discriminator(truth, exact=loss_scope))
            return losses.as_real(verdict), {}, moved

        def fake() -> Tuple[Any, Dict, List]:
            # As it will be used: by the moving averages.
            made = tf.stop_gradient(srdrm_layers.generator(lr, self, exact=loss_scope))
            verdict, moved = _moved_by(tf, lambda: discriminator(made, exact=loss_scope))
            return losses.as_fake(verdict), {}, moved

        def generator() -> Tuple[Any, Dict, List]:
            made, moved = _moved_by(
                tf, lambda: srdrm_layers.generator(lr, self, training=True, exact=loss_scope)
            )
            # The discriminator's averages stay as they are, though it goes by the batch.
            verdict, _ = _moved_by(tf, lambda: discriminator(made, exact=loss_scope))
            compared = None
            if self.content_loss == VGG19:
                weights = vgg19.read(feature_file or "")
                compared = vgg19.features(made, weights), vgg19.features(truth, weights)
            elif self.content_loss == MSE:
                compared = made, truth
            with loss_scope():
                loss, parts = losses.of_generator(verdict, made, truth, compared)
            return loss, parts, moved

        return (
            Update("d_real", _DISCRIMINATOR, real),
            Update("d_fake", _DISCRIMINATOR, fake),
            Update("generator", self.scope, generator),
        )


def _moved_by(tf: Any, build: Callable) -> Tuple[Any, List]:
    """What `build` gives, and the operations that move the averages of its batch norms."""
    before = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    made = build()
    return made, tf.get_collection(tf.GraphKeys.UPDATE_OPS)[before:]
