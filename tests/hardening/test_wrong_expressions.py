"""Wrong expressions: one line that names the option, at once, and no folder."""

import sys
import time

import pytest

from flq_jax.configs import default
from flq_jax.data import DataError
from flq_jax.experiments.engine import sweep
from flq_jax.experiments.options import own_modules, validation
from flq_jax.experiments.process.errors import ConfigError

MOST_SECONDS = 3.0
WRONG = [
    ({"uplink": "[direct(q) for q in (1, 2)]"}, "config.uplink"),
    ({"uplink": "direct(identity()).init"}, "config.uplink"),
    ({"uplink": "direct(identity("}, "config.uplink"),
    ({"step": "2 ** 10 ** 9"}, "config.step"),
    ({"step": "0.1 / 0"}, "config.step"),
    ({"step": "0.1 if clients else 1"}, "config.step"),
    ({"model": "__import__('os')"}, "config.model"),
    ({"uplink": " "}, "config.uplink"),
    ({"uplink": "direct(unifrom(4))"}, "config.uplink"),
    ({"data": "minst()"}, "config.data"),
    ({"data": "mnist"}, "config.data"),
    ({"data": "uniform(4)"}, "config.data"),
    ({"split": "contigous()"}, "config.split"),
    ({"model": "Logistc()"}, "config.model"),
    ({"task": "classfication()"}, "config.task"),
    ({"step": "rate"}, "config.step"),
    ({"step": "step"}, "config.step"),
    ({"client": "gradent()"}, "config.client"),
    ({"downlink": "exactly()"}, "config.downlink"),
    ({"server": "sgd(step)"}, "config.server"),
    ({"server": "optax.sgdd(step)"}, "config.server"),
    ({"server": "optax"}, "config.server"),
    ({"aggregate": "MEDIAN"}, "config.aggregate"),
    ({"network": "sampeld(5)"}, "config.network"),
    ({"network": "cell(greedy(3))"}, "config.network"),
    ({"uplink": "direct(uniform(bit=4))"}, "config.uplink"),
    ({"uplink": "direct()"}, "config.uplink"),
    ({"uplink": "lazy(innovation(sign()), 0.8)"}, "config.uplink"),
    ({"model": "MLP((200,), width=3)"}, "config.model"),
    ({"client": "gradient(batch=1, batch=2)"}, "config.client"),
    ({"network": "cell()"}, "config.network"),
    ({"uplink": "4"}, "config.uplink"),
    ({"uplink": "direct"}, "config.uplink"),
    ({"uplink": "geometric(1.0, 0.9)"}, "config.uplink"),
    ({"uplink": "direct(direct(sign()))"}, "config.uplink"),
    ({"uplink": "lazy(sign())"}, "config.uplink"),
    ({"uplink": "direct(4)"}, "config.uplink"),
    ({"model": "Bits(8, 8, 8)"}, "config.model"),
    ({"model": "MLP((200,), bits=8)"}, "config.model"),
    ({"model": "MLP(200)"}, "config.model"),
    ({"model": "MLP('200')"}, "config.model"),
    ({"model": "MLP((2.5,))"}, "config.model"),
    ({"server": "optax.cosine_decay_schedule(1.0, rounds)"}, "config.server"),
    ({"server": "step"}, "config.server"),
    ({"aggregate": "1"}, "config.aggregate"),
    ({"step": "'0.1'"}, "config.step"),
    ({"step": "(0.1,)"}, "config.step"),
    ({"step": "True"}, "config.step"),
    ({"split": "(1, 2)"}, "config.split"),
    ({"data": "synthetic('7')"}, "config.data"),
    ({"client": "gradient(batch='all')"}, "config.client"),
    ({"client": "gradient(batch=2.5)"}, "config.client"),
    ({"client": "gradient(batch=500, draw=3)"}, "config.client"),
    ({"client": "local_epochs(optimizer=0.1)"}, "config.client"),
    ({"network": "cell(3)"}, "config.network"),
    ({"network": "random(3)"}, "config.network"),
    ({"task": "classification"}, "config.task"),
    ({"uplink": "direct(uniform(9))"}, "config.uplink"),
    ({"uplink": "direct(uniform(0))"}, "config.uplink"),
    ({"uplink": "direct(uniform(2.5))"}, "config.uplink"),
    ({"uplink": "direct(stochastic(0))"}, "config.uplink"),
    ({"uplink": "direct(top_k(0))"}, "config.uplink"),
    ({"uplink": "direct(top_k(1.5))"}, "config.uplink"),
    ({"uplink": "direct(top_k(10 ** 6))"}, "config.uplink"),
    ({"uplink": "sign(-1.0)"}, "config.uplink"),
    ({"uplink": "momentum(direct(sign()), beta=1.0)"}, "config.uplink"),
    ({"uplink": "lazy(innovation(sign()), weight=-1)"}, "config.uplink"),
    ({"uplink": "lazy(innovation(sign()), history=10 ** 8)"}, "config.uplink"),
    ({"uplink": "bucketed(uniform(4), 0)"}, "config.uplink"),
    ({"uplink": "uveqfed('hexagon')"}, "config.uplink"),
    ({"uplink": "uniform(8, geometric(1.0, 1.5))"}, "config.uplink"),
    ({"uplink": "uniform(8, geometric(-1.0, 0.5))"}, "config.uplink"),
    ({"downlink": "direct(segmented(uniform(9)))"}, "config.downlink"),
    ({"downlink": "tanh_downlink(0)"}, "config.downlink"),
    ({"step": "0"}, "config.step"),
    ({"step": "-0.1"}, "config.step"),
    ({"step": "1e-50"}, "config.step"),
    ({"step": "1e300 * 1e300"}, "config.step"),
    ({"step": "10 ** 400"}, "config.step"),
    ({"task": "classification(l2=-1.0)"}, "config.task"),
    ({"model": "MLP((0,))"}, "config.model"),
    ({"model": "MLP((10 ** 9,))"}, "config.model"),
    ({"model": "MLP((8,), bits=Bits(9, 8, 8))"}, "config.model"),
    ({"model": "SVHNNet()"}, "config.model"),
    ({"client": "gradient(batch=-1)"}, "config.client"),
    ({"client": "gradient(batch=10 ** 6)"}, "config.client"),
    (
        {"client": "local_epochs(optimizer=optax.sgd(0.1), batch=20, epochs=0)"},
        "config.client",
    ),
    ({"network": "sampled(0)"}, "config.network"),
    ({"network": "sampled(11)"}, "config.network"),
    ({"network": "cell(random(0))"}, "config.network"),
    ({"network": "cell(random(6), assignment='hungary')"}, "config.network"),
    ({"network": "cell(random(6), thrift=-1.0)"}, "config.network"),
    ({"split": "shards(shards_per_client=0)"}, "config.split"),
    ({"split": "dirichlet(alpha=0.0)"}, "config.split"),
    ({"split": "dirichlet(min_size=10 ** 6)"}, "config.split"),
    ({"split": "natural()"}, "config.split"),
    ({"data": "synthetic(train=3)"}, "config.data"),
    ({"data": "npz('/nowhere.npz')"}, "/nowhere"),
    ({"data": "idx('/nowhere')"}, "/nowhere"),
    ({"server": "optax.sgd('fast')"}, "config.server"),
    ({"uplink": "lazy(direct(sign()))"}, "config.uplink"),
    (
        {"downlink": "innovation(segmented(sign()))", "network": "sampled(5)"},
        "config.downlink",
    ),
    (
        {"downlink": "innovation(segmented(sign()))", "network": "cell(random(3))"},
        "config.downlink",
    ),
    ({"downlink": "lazy(innovation(sign()))"}, "config.downlink"),
    ({"server": "onebit_adam(step, warm_up=0)"}, "config.server"),
    ({"server": "onebit_adam(step, warm_up=3)"}, "config.server"),
    (
        {
            "server": "onebit_adam(step, warm_up=3)",
            "uplink": "momentum(error_feedback(warm_up(sign(), 3)), beta=0.9)",
            "network": "sampled(5)",
        },
        "config.server",
    ),
    ({"uplink": "innovation(one_of((sign(), uniform(2))))"}, "config.uplink"),
    (
        {"uplink": "direct(one_of((sign(), uniform(2))))", "network": "sampled(3)"},
        "config.uplink",
    ),
    ({"uplink": "innovation(one_of((sign(),)))"}, "config.uplink"),
    ({"uplink": "direct(warm_up(top_k(0.1), 5))"}, "config.uplink"),
    (
        {
            "uplink": "direct(bucketed(one_of((sign(), uniform(2))), 100))",
            "network": "cell(random(3))",
        },
        "config.uplink",
    ),
    (
        {"uplink": "direct(warm_up(sign(), 5))", "network": "cell(random(3))"},
        "config.uplink",
    ),
    ({"stop.residual": 1e-06}, "config.stop.residual"),
    (
        {
            "stop.residual": 1e-06,
            "client": "gradient(batch=0)",
            "network": "sampled(3)",
        },
        "config.stop.residual",
    ),
    (
        {"stop.residual": 1e-06, "client": "gradient(batch=0)", "model": "MLP((8,))"},
        "config.stop.residual",
    ),
    ({"log.study": "levels", "network": "sampled(3)"}, "config.log.study"),
    ({"clients": 2001}, "config.split"),
    ({"let.uniform": 4}, "config.let.uniform"),
    ({"let.clients": 4}, "config.let.clients"),
    ({"let.step": 4}, "config.let.step"),
    ({"let._x": 4}, "config.let._x"),
    ({"let.optax": 4}, "config.let.optax"),
    ({"let.bits": float("nan")}, "config.let.bits"),
    ({"let.bits": "uniform("}, "config.let.bits"),
    ({"let.lambda": 4}, "config.let.lambda"),
    ({"let.q": "unifrom(4)", "uplink": "direct(q)"}, "config.uplink"),
    ({"let.q": "direct(sign())", "uplink": "direct(q)"}, "config.uplink"),
    ({"let.a": "b", "let.b": "a", "uplink": "direct(a)"}, "config.uplink"),
    ({"let.model": "Logistic()"}, "config.let.model"),
    ({"uplink": "direct(nowhere.ternary())"}, "config.uplink"),
    ({"uplink": "direct(flq_jax.nothing())"}, "config.uplink"),
    ({"uplink": "direct(wrong_own.missing())"}, "config.uplink"),
    ({"uplink": "direct(wrong_own.raises())"}, "config.uplink"),
    ({"uplink": "direct(wrong_own.leaves())"}, "config.uplink"),
    ({"uplink": "direct(wrong_own.number())"}, "config.uplink"),
    ({"uplink": "direct(wrong_own.half())"}, "config."),
    ({"model": "wrong_own.flat()"}, "config."),
    ({"model": "wrong_own.Bare"}, "config.model"),
    ({"split": "wrong_own.split()"}, "config.split"),
    ({"split": "wrong_own.split_floats()"}, "config.split"),
    ({"data": "wrong_own.number()"}, "config.data"),
    ({"data": "wrong_exits.data()"}, "config.data"),
    ({"task": "wrong_own.task()"}, "config."),
    ({"server": "wrong_own.number()"}, "config.server"),
    ({"client": "gradient(500)"}, "config.client"),
    ({"client": "local_epochs(optimizer=0.1, batch=20, epochs=1)"}, "config.client"),
    (
        {"client": "local_epochs(optimizer=optax.sgd(0.1), batch=2.5, epochs=1)"},
        "config.client",
    ),
    ({"step": "0.1 / d"}, "config.step"),
    ({"server": "optax.chain(optax.sgd('fast'))"}, "config.server"),
    (
        {
            "server": "optax.sgd(optax.cosine_decay_schedule(1.0, rounds))",
            "uplink": "lazy(innovation(sign()))",
        },
        "config.uplink",
    ),
    ({"packed": True, "model": "wrong_own.Flat()"}, "config.packed"),
    ({"step": "nan"}, "config.step"),
]
OWN = """import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from flq_jax import Task, uniform


class Flat(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x.reshape(-1))


class Bare(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


def flat():
    return Flat()

def raises():
    raise KeyError("two\\nlines")

def leaves():
    raise SystemExit(0)

def number():
    return 7

def split(clients, labels):
    return (np.array([0]),) * (clients - 1)

def split_floats(clients, labels):
    return (np.array([0.5]),) * clients

def half():
    return uniform(4)._replace(decode=lambda layout, m: m)

def task(model):
    return Task(lambda p, x, y: jnp.zeros(3), lambda p, x, y: {}, convex=False)
"""


def options_of(options):
    """The config with these options, on few examples."""
    config = default.get_config()
    config.data, config.client = "synthetic(train=200, test=10)", "gradient(batch=20)"
    let = {n.removeprefix("let."): v for n, v in options.items() if n[:4] == "let."}
    with config.let.unlocked():
        config.let.update(let)
    config.update_from_flattened_dict(
        {name: value for name, value in options.items() if name[:4] != "let."}
    )
    return config


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder with modules of one's own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "wrong_own.py").write_text(OWN)
    (folder / "wrong_exits.py").write_text("import sys\nsys.exit(0)\n")
    path = [*sys.path]
    own_modules.beside(str(folder / "config.py"))
    yield
    sys.path[:] = path


@pytest.mark.parametrize(
    "options, named", WRONG, ids=[" ".join(map(str, o.values())) for o, _ in WRONG]
)
def test_a_wrong_expression_is_one_line_and_leaves_no_folder(
    options, named, own, tmp_path
):
    begin = time.process_time()
    with pytest.raises((ConfigError, DataError)) as error:
        config = options_of(options)
        validation.validate(config)
        sweep.prepared({"": config}, tmp_path / "run")
    assert time.process_time() - begin < MOST_SECONDS
    line = str(error.value)
    assert named in line and "\n" not in line and len(line) < 900
    assert isinstance(error.value, DataError) or line.startswith("config.")
    assert not (tmp_path / "run").exists()


def test_there_are_enough_of_them_about_every_part():
    assert len(WRONG) >= 60
    about = {name for options, _ in WRONG for name in options}
    assert about >= set(default.get_config()) - {
        *(
            "at_once",
            "seed",
            "rounds",
            "clients",
            "let",
            "cell",
            "stop",
            "accounting",
            "log",
        )
    }
