"""Ends what is left of a deployment once the process that started it has ended.

python -m flq_jax.experiments.deployment.sweeper FOLDER

That process holds the other end of our input, and the system closes it, be it by `kill -9`.
What Flower starts watches its own parents, but not before it has begun to run, and on a
busy machine that may be a while.
"""

import pathlib
import sys

from .fleet import end, members


def main() -> None:
    """Waits, then ends the processes of the deployment with that folder."""
    sys.stdin.read()
    while found := members(pathlib.Path(sys.argv[1])):
        end(found)


if __name__ == "__main__":
    main()
