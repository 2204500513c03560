"""The error by levels, on the gradients of a run (Feng, Ning et al. 2023, Fig. 4).

    python -m experiments.main --config=configs/paper/fig4.py

`figures/levels.png` and `.json` have the root mean squared error of Lloyd-Max and of
uniform levels, 2 to 256 of them, on client 0's gradients in every twentieth round,
Panter and Dite's law, and the knee.
"""

from flq_jax.configs.paper import fig3


def get_config():
    config = fig3.get_config()
    config.log.study = "levels"
    return config
