"""Writes the ONNX models that come with the project, of the networks that do.

python -m bsrn_estimator.engines
"""

import argparse

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.checkpoints.files import SHIPPED_FOLDERS
from bsrn_estimator.engines import cache
from bsrn_estimator.networks.choice import OutputChoice


def main() -> None:
    """Writes them beside the weights; takes no arguments but --help."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    for folder in sorted(set(SHIPPED_FOLDERS.values())):
        network = trained.find(folder)
        cache.write(network, network.scales, folder, OutputChoice())


if __name__ == "__main__":
    main()
