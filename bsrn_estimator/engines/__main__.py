"""Writes the ONNX models that come with the project, of the networks that do.

python -m bsrn_estimator.engines
"""

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.checkpoints.files import SHIPPED_FOLDERS
from bsrn_estimator.engines import cache
from bsrn_estimator.networks.choice import OutputChoice


def main() -> None:
    """Writes them beside the weights."""
    for word, folder in SHIPPED_FOLDERS.items():
        network = trained.find(word)
        cache.write(network, network.scales, folder, OutputChoice())


if __name__ == "__main__":
    main()
