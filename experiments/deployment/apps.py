"""The two apps of a config's run, as Flower's processes find them."""

import pathlib
import sys

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from flq_jax.data import DataError
from flq_jax.flower.client_app import Work, client_app
from flq_jax.flower.nodes import NoNodes
from flq_jax.flower.server_app import serve

from ..assembly.setting import dataset_of
from ..folder.record import Job
from ..options import own_modules, submitted
from ..process import compilation_cache, surroundings
from ..process.errors import ConfigError
from . import bundle, serving, working


def client(file: str) -> ClientApp:
    """What a node runs of what was submitted, which lies beside this file."""

    def make(context: Context) -> Work:
        config = _config(file)
        mine = working.clients_of(context.node_config, config.clients)
        return working.work(config, dataset_of(config), mine)

    return client_app(make)


def server(file: str) -> ServerApp:
    """What the link's host runs of it; how it ends is left in the run's folder."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        said = context.run_config
        folder = pathlib.Path(str(said["workdir"]))
        times = float(said["deadline-s"]), float(said["wait-s"])
        serving.leave_word(folder)
        why, begins = "it was ended", None
        try:
            config = _config(file)
            job = Job("", config, dataset_of(config), folder)
            service = serving.service(job, *times)
            begins = service.begin
            serving.leave_word(folder, begins=begins)
            serve(grid, service)
            why = ""
        except (ConfigError, DataError, NoNodes, OSError) as error:
            why = str(error)
            raise
        except Exception as error:
            why = repr(error)
            raise
        finally:
            why = " ".join(why.split())
            serving.leave_word(folder, ended=True, why=why, begins=begins)

    return app


def _config(file: str):
    """The config that was submitted, in this process as in the command's own."""
    path = bundle.submission(file)
    # What `command_line` reads of a process that was submitted.
    sys.argv = [sys.argv[0], f"--submitted={path}"]
    surroundings.pin()
    compilation_cache.keep()
    found = submitted.read(str(path))
    own_modules.beside(found.file)
    return found.configs[""]
