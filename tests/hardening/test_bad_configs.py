"""Configs that cannot be: one line that names the option, at once, and no folder."""

import collections
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import test_configs
import test_wrong_expressions
from running import ROOT, call, command

from flq_jax.configs import default
from flq_jax.experiments.options.command_line import OWN_FLAGS
from flq_jax.experiments.options.names import flatten
from flq_jax.experiments.options.rules import RULES
from flq_jax.single import single

pytestmark = pytest.mark.repro

RNG = np.random.default_rng(17)
DEFAULTS = flatten(default.get_config())
MOST_SECONDS = 10.0  # of a processor; the machine may be another's, too
MOST_WALL = 60  # seconds
NO_VALUES = {
    bool: ("maybe", "2", ""),
    int: ("abc", "1.5", "1e3", "0x", ""),
    float: ("abc", "1,5", "--", ""),
    tuple: ("a,b", "1.5", "[", ""),
    str: (),
}
PROBES = {
    bool: (),
    int: (-1, 0, 9, 2**31, 2**32, 2**64, 10**30),
    float: tuple(map(float, ("-1", "0", "9", "nan", "inf", "-inf", "1e39", "1e-46"))),
    tuple: ((0,), (-1,), (2**31,), (10**30,), (8, 4), (0, 33)),
    str: ("", "no such", "a\nb", "$x", "\u00fc"),
}
GOOD = "from flq_jax.configs import default\n\n\ndef get_config():\n    return default.get_config()\n"
SWEEP = GOOD + "\n\ndef sweep():\n    return {%s: get_config()}\n"


def wrong_types():
    for option, value in DEFAULTS.items():
        for text in NO_VALUES[type(value)]:
            yield [f"--config.{option}={text}"], f"config.{option}"


def out_of_range():
    for option, default_value in DEFAULTS.items():
        rule, probes = RULES[option], PROBES[type(default_value)]
        for value in (*probes, *(misspelt(name) for name in rule.choices)):
            f32 = single(value) if isinstance(value, float) else value
            if not (rule.holds(value) and rule.holds(f32)):
                text = ",".join(map(str, value)) if type(value) is tuple else str(value)
                yield [f"--config.{option}={text}"], f"config.{option}"


def misspelt(name):
    """The name with a letter doubled, or another one in its place."""
    at = int(RNG.integers(len(name)))
    return name[:at] + name[at] * 2 + name[at + 1 :]


def unknown_names():
    for option in DEFAULTS:
        wrong = misspelt(option)
        yield [f"--config.{wrong}=1"], f"--config.{wrong}"
    for flag in OWN_FLAGS:
        yield [f"--{misspelt(flag)}x=1"], "--"
    yield ["--config.compressor=1"], "config.compressor"
    yield ["--config.rounds.x=1"], "config.rounds"
    yield ["--config.=1"], "--config."
    yield ["x"], "x"
    for flag, value in (
        ("together", 0), ("processes", 0), ("process", -1), ("process", 1),
        ("processes", 2), ("coordinator", "x"), ("coordinator", "localhost:99999"),
        ("runs", "none"), ("submitted", "/nowhere"), ("summary", "perhaps"),
    ):  # fmt: skip
        yield [f"--{flag}={value}"], "coordinator" if value == 2 else flag


def combinations():
    for option, value, _ in test_configs.BAD:
        options = {"log.every": 50, "log.checkpoint_every": 200, option: value}
        yield [f"--config.{name}={text}" for name, text in options.items()], option


def expressions():
    """Every tenth of the wrong ones; those of own modules and of `let` need files."""
    cases = [
        (options, named)
        for options, named in test_wrong_expressions.WRONG
        if not any(
            "let." in f"{name}" or "own" in f"{text}" for name, text in options.items()
        )
    ]
    for options, named in cases[::10]:
        yield [f"--config.{name}={text}" for name, text in options.items()], named


def former_options():
    """Those of configs before expressions."""
    for option in (
        "compressor.bits", "compressor.quantizer", "downlink.bits", "client.batch", "l2",
        "data.name", "data.alpha", "model.name", "network.name", "server.learning_rate",
        "sampled", "warm_up", "network.blocks",
    ):  # fmt: skip
        yield [f"--config.{option}=3"], f"config.{option}: no such option"


def of_the_data():
    """What is found once the examples are read."""
    for option, value, named in (
        ("clients", 2001, "config.split"),
        ("client", "gradient(batch=10 ** 6)", "config.client"),
        ("data", "minst()", "config.data"),
        ("data", "idx('/nowhere')", "/nowhere"),
        ("split", "dirichlet(alpha=0.1, min_size=10 ** 6)", "config.split"),
        ("split", "natural()", "config.split"),
        ("model", "SVHNNet()", "config.model"),
        ("model", "MLP((10 ** 9,))", "config.model"),
    ):
        yield [f"--config.{option}={value}"], named


OWN = (
    "def stops():\n    raise SystemExit(0)\n", "def stops():\n    return 1 / 0\n",
    "def stops():\n    return 7\n", "import flax.linen as nn\n\n\nstops = 7\n",
    "def stops(needed):\n    return needed\n", "stops = None\n",
)  # fmt: skip
NAMED = GOOD.replace(
    "return default.get_config()",
    "config = default.get_config()\n    config.{0} = {1!r}\n    return config",
)
LETS = (
    ("uniform", 4), ("clients", 4), ("step", 4), ("_x", 4), ("lambda", 4), ("optax", 4),
    ("xi", float("nan")), ("q", "uniform("), ("model", "Logistic()"),
)  # fmt: skip


def own_files(folder):
    """Configs with constructors and names of their own."""
    for number, text in enumerate(OWN):
        for option in ("uplink", "model", "data", "split", "server", "network"):
            path = folder / f"own{number}_{option}.py"
            path.write_text(text + NAMED.format(option, "stops()"))
            yield [f"--config={path}"], f"config.{option}: "
    for name, value in LETS:
        path = folder / f"let_{name}.py"
        shown = 'float("nan")' if value != value else repr(value)
        option = f"let['{name}']"
        path.write_text(
            GOOD.replace(
                "return default.get_config()",
                f"config = default.get_config()\n    config.{option} = {shown}\n"
                "    return config",
            )
        )
        yield [f"--config={path}"], f"config.let.{name}"


def files(folder):
    """(bytes of a config file, what the line names); None: there is no file."""
    whole = (ROOT / "configs/mnist_flq_binary.py").read_bytes()
    yield None
    for at in range(10, len(whole) - 1, 29):
        if b"return config" not in whole[:at]:
            yield whole[:at]
    yield from (b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf1 / 0", b"x = '\xfcber'\n")
    yield '"""Gr\u00f6\u00dfe."""\n'.encode("latin-1") + GOOD.encode()
    yield from (b"(" * 10_000, b"def get_config(): return 3", b"get_config = 1")
    yield b"def get_config(): return get_config()"
    yield b"import sys\nsys.exit(0)"
    yield b"import no_such_module"
    yield b"raise ValueError('two\\nlines')"
    yield b"class get_config(dict): pass"
    yield GOOD.replace("default.get_config()", "default").encode()
    frozen = "import ml_collections\n" + GOOD
    yield frozen.replace(
        "default.get_config()", "ml_collections.FrozenConfigDict(default.get_config())"
    ).encode()
    for name in (
        "..", ".", "", "/", "a/b", "a\\b", "a b", "\\n", ".x", "slurm", "report.html",
        "$\\frac$", "[bold]", "\u00fc/", "\0", "-" * 5000 + "/", "*", "?", "~/", "a:b",
    ):  # fmt: skip
        yield (SWEEP % repr(name)).encode()
    yield from ((SWEEP % name).encode() for name in ("0", "None", "b'a'", "(1, 2)"))
    for returned in ("{}", "[]", "None", "3", "{'a': {}}", "{'a': None}", "1 / 0"):
        yield (GOOD + f"\n\ndef sweep():\n    return {returned}\n").encode()
    yield (GOOD + "\n\nsweep = 3\n").encode()
    yield SWEEP.replace("{%s: get_config()}", "exit(0)").encode()
    for option, value in DEFAULTS.items():  # each option of another type
        other = "'x'" if not isinstance(value, str) else "3"
        text = GOOD.replace(
            "return default.get_config()", "config = default.get_config()"
        )
        text += f"    with config.ignore_type():\n        config.{option} = {other}\n"
        yield (text + "    return config\n").encode()
    yield GOOD.replace("default.get_config()", "default.get_config().data").encode()


def bad_files(folder):
    for number, content in enumerate(files(folder)):
        path = folder / f"config{number}.py"
        if content is not None:
            path.write_bytes(content)
        yield [f"--config={path}"], "config"


FORKS = """
import json, os, signal, sys, time
from absl import app
from flq_jax.experiments import main
from flq_jax.experiments.options import command_line
assert "jax" not in sys.modules  # a process with threads is not forked
for argv, said in json.load(sys.stdin):
    child, begin = os.fork(), time.monotonic()
    if not child:
        signal.alarm(%d)
        for number in (1, 2):
            os.dup2(os.open(f"{said}.{number}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv = argv
        app.run(main.main, argv=argv, flags_parser=command_line.parse)
    _, status, used = os.wait4(child, 0)
    ended = os.waitstatus_to_exitcode(status), time.monotonic() - begin
    print(json.dumps([*ended, used.ru_utime + used.ru_stime]), flush=True)
"""


def forked(commands, folder):
    """(status, stderr, seconds, seconds of a processor) of each, by one warm process."""
    asked = [
        (["experiments/main.py", *args[3:]], str(folder / f"said{number}"))
        for number, args in enumerate(commands)
    ]
    done = subprocess.run(
        [sys.executable, "-c", FORKS % MOST_WALL],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    for (_, said), line in zip(asked, done.stdout.splitlines(), strict=True):
        status, wall, used = json.loads(line)
        with open(f"{said}.2", encoding="utf-8", errors="replace") as file:
            yield status, file.read(), wall, used


def called(commands):
    """Likewise, each by a process of its own; its start counts as the processor's."""
    for args in commands:
        begin = time.monotonic()
        done = call(args)
        yield done.returncode, done.stderr, time.monotonic() - begin, 0.0


def faults(found, named):
    """What is wrong with the end of a command."""
    status, errors, wall, used = found
    lines = errors.splitlines()
    holds = {
        f"status {status}": status == 2,
        f"{len(lines)} lines": len(lines) == 1,
        "no error: line": errors.startswith("error: "),
        f"names no {named}": named in errors,
        "traceback": "Traceback" not in errors,
        f"{used:.1f} s": used < MOST_SECONDS and wall < MOST_WALL,
    }
    return [fault for fault, held in holds.items() if not held]


def line(runs, options):
    """The command; without overrides where the options are another config file."""
    if options[0].startswith("--config="):
        return [*command("mnist_sgd", runs)[:3], *options, f"--workdir={runs}"]
    return command("mnist_sgd", runs, *options)


def test_bad_configs_are_one_line_each_and_leave_no_folder(tmp_path):
    kinds = {
        "wrong type": wrong_types(),
        "out of range": out_of_range(),
        "unknown name": unknown_names(),
        "combination": combinations(),
        "expression": expressions(),
        "former option": former_options(),
        "of the data": of_the_data(),
        "own": own_files(tmp_path),
        "file": bad_files(tmp_path),
    }
    cases = [(kind, *case) for kind, found in kinds.items() for case in found]
    runs = tmp_path / "runs"
    commands = [line(runs, options) for _, options, _ in cases]
    chosen = range(0, len(cases), len(cases) // 25)
    ends = [*forked(commands, tmp_path), *called(commands[i] for i in chosen)]
    cases += [cases[i] for i in chosen]
    wrong = []
    for (kind, options, named), end in zip(cases, ends, strict=True):
        if found := faults(end, named):
            wrong.append((kind, options, found, end[1][-300:]))
    counts = collections.Counter(kind for kind, *_ in cases[: len(commands)])
    print(
        f"\n{len(commands)} bad configs ({', '.join(f'{n} {k}' for k, n in counts.items())}), "
        f"{len(chosen)} of them by processes of their own as well: {len(wrong)} not status 2 "
        f"and one line that names the option; slowest {max(e[3] for e in ends):.1f} s of a "
        f"processor, {max(e[2] for e in ends):.1f} s by the clock; folders made: "
        f"{len(list(tmp_path.glob('runs*')))}"
    )
    assert not wrong, "\n".join(map(str, wrong))
    assert len(commands) >= 200 and not runs.exists()
