"""Starts a command that ends when the process does that started it by `children.start`.

python -m flq_jax.experiments.deployment.guard COMMAND [ARGUMENT ...]
"""

import os
import sys

from ..process import children


def main() -> None:
    """Becomes the command; what the system does at a parent's end outlasts that."""
    children.end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 there is none to be had


if __name__ == "__main__":
    main()
