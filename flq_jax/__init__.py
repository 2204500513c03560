"""A laboratory for low-bit federated learning."""

import os

_HERE = os.path.dirname(__file__)
if not os.path.isdir(os.path.join(_HERE, "configs")):
    # In a clone `experiments`, `configs` and `benchmarks` lie beside this package, and
    # those of this very clone are meant, whichever clone is installed.
    __path__.append(os.path.dirname(_HERE))

__version__ = "0.1.0"  # setup.cfg reads it from here
