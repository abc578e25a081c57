"""What a network is trained with beside the data: the weights of VGG19, from a user's file."""

import sys

from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import vgg19
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training.options import TrainingOptions


def prepare(network: Network, options: TrainingOptions) -> Network:
    """The network, and in it the checksum of what it is compared by, so that a run goes on with it.

    A file other than those that are known is told on the standard error.

    Raises:
      UserError: the file is missing, not wanted, or does not hold VGG19.
    """
    path = options.vgg19_weights
    if not network.compares_features:
        if path:
            raise UserError(
                "--vgg19_weights is for --network=srdrm_gan with --content_loss=vgg19; leave it out"
            )
        return network
    if not path:
        raise UserError(
            "--network=%s compares features of VGG19: give the file of its weights with "
            "--vgg19_weights, or train without: --content_loss=mse compares pixels in their place, "
            "--content_loss=none leaves them out" % network.family
        )
    checksum = vgg19.md5(path)
    vgg19.read(path)
    if checksum not in vgg19.KNOWN_MD5:
        print(
            "warning: --vgg19_weights=%s has the MD5 %s, not that of the weights of Keras that "
            "SRDRM-GAN was trained with, %s" % (path, checksum, vgg19.KNOWN_MD5[0]),
            file=sys.stderr,
            flush=True,
        )
    return network.replace(vgg19_md5=checksum)


def check(network: Network, platform: Platform) -> None:
    """Raises UserError where the devices cannot make the several updates of a step."""
    several = platform.batches_per_step * platform.rank_size > 1
    if network.makes_several_updates and (several or platform.may_skip_steps):
        raise UserError(
            "--network=%s makes three updates in a step, on one device and in float32: %s"
            % (
                network.family,
                "leave --replicas and TF_CONFIG out, and start one process"
                if several
                else "leave --mixed_precision out; with --use_npu give --loss_scale=none",
            )
        )
