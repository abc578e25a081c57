"""Runs `command.main`."""

import sys

try:
    from bsrn_estimator.serve.command import main
except ModuleNotFoundError as error:
    if error.name not in ("aiohttp", "prometheus_client"):
        raise
    print(
        "error: serving needs %s: pip install aiohttp prometheus_client" % error.name,
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
