"""Where the packages lie: in a clone three of them lie beside the library.

Installed, all are the library's, and nothing else stands at the top level.
`flq_jax/__init__.py` gives them the same names in a clone.
"""

from setuptools import find_packages, setup

BESIDE = ("experiments", "configs", "benchmarks")

beside = find_packages(include=[*BESIDE, *(f"{name}.*" for name in BESIDE)])
setup(
    packages=find_packages(include=["flq_jax", "flq_jax.*"])
    + [f"flq_jax.{name}" for name in beside],
    package_dir={f"flq_jax.{name}": name for name in BESIDE},
)
