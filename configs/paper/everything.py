"""All that the paper prints: Table I and Figs. 2, 3 and 4, in one command.

    python -m experiments.launch --config=configs/paper/everything.py --workdir=runs/paper
    python -m experiments.table1 --workdir=runs/paper
    python -m experiments.report --workdir=runs/paper

It launches a process on each core; given again, what is not finished. The figures 3 and
4 are in the folders of their runs. 16 minutes on two cores.
"""

from flq_jax.configs import default
from flq_jax.configs.paper import fig2, fig3, fig4, table1


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every run of the table and of the figures."""
    figures = {"fig3": fig3.get_config(), "fig4": fig4.get_config()}
    return table1.sweep() | fig2.sweep() | figures
