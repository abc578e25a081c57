"""Writes the ONNX models that come with the project, of the network that does.

python -m bsrn_estimator.engines
"""

import argparse

from bsrn_estimator.checkpoints import PRETRAINED, trained
from bsrn_estimator.checkpoints.files import PRETRAINED_FOLDER
from bsrn_estimator.engines import cache
from bsrn_estimator.networks.choice import OutputChoice


def main() -> None:
    """Writes them beside the weights; takes no arguments but --help."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    network = trained.find(PRETRAINED)
    cache.write(network, network.scales, PRETRAINED_FOLDER, OutputChoice())


if __name__ == "__main__":
    main()
