"""Configs on Flower itself: the model of the simulation, whoever fails meanwhile."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from flowers import Deployment
from running import call, command

from flq_jax import wire
from flq_jax.experiments.deployment.fleet import OFFLINE, free_port

pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flq_jax.flower import records

EQUAL = "the models are equal bit for bit"
MORE = ["mnist_sgd", "mnist_ef_sign", "mnist_ef21", "mnist_slaq", "mnist_clag"]


@pytest.mark.parametrize(
    "name",
    ["mnist_two_laq", *(pytest.param(name, marks=pytest.mark.more) for name in MORE)],
)
def test_a_config_s_model_is_the_simulation_s(name, tmp_path):
    run = Deployment(name, tmp_path / "there", "--config.clients=4")
    assert run.end() == 0, run.text
    assert EQUAL in run.text and run.is_gone()
    here = call(
        command(
            name, tmp_path / "here", "--config.clients=4", "--config.rounds=3",
            "--config.log.every=2", "--config.log.checkpoint_every=2",
        )
    )  # fmt: skip
    assert here.returncode == 0, here.stderr
    files = {path.name for path in (tmp_path / "here").iterdir()}
    assert files <= {path.name for path in (tmp_path / "there").iterdir()}
    both = [_summary(tmp_path / side) for side in ("here", "there")]
    for key in ("uploads", "uplink_bits", "downlink_bits", "ledger"):
        assert both[0].get(key) == both[1].get(key), key


def _summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def _saved(folder, rounds):
    """Waits for the checkpoint after so many rounds."""
    end = time.monotonic() + 60
    while not (folder / "checkpoints" / str(rounds)).exists():
        assert time.monotonic() < end, [*folder.rglob("*")]
        time.sleep(0.05)


def _rounds(folder):
    text = (folder / "rounds.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_node_that_is_killed_is_silent_and_comes_back(tmp_path):
    options = "--config.clients=4", "--config.rounds=4", "--deadline_s=30"
    run = Deployment("mnist_ef21", tmp_path, *options)
    run.until("round 1: ")
    (node,) = run.processes("flower-supernode", "node=1 nodes=2")
    os.kill(node, signal.SIGKILL)
    assert run.end() == 0, run.text
    assert "node 1 ended, exit status -9; it is started again" in run.text
    assert EQUAL in run.text and run.is_gone()
    done = _rounds(tmp_path)
    assert len(done) == 4 and {0, 2} <= {m for each in done for m in each["there"]}


def test_a_link_that_is_killed_ends_the_run_in_a_line_and_it_resumes(tmp_path):
    options = "--config.clients=2", "--nodes=1", "--config.rounds=2", "--restarts=0"
    run = Deployment("mnist_ef_sign", tmp_path, *options)
    run.until("round 1: 2 of 2")
    _saved(tmp_path, 1)
    (link,) = run.processes("flower-superlink")
    os.kill(link, signal.SIGKILL)
    assert run.end() == 2, run.text
    assert run.lines[-1].startswith("error: flower: the link ended, exit status -9; ")
    assert "Traceback" not in run.text and run.is_gone()
    again = Deployment("mnist_ef_sign", tmp_path, *options)
    assert again.end() == 0, again.text
    assert EQUAL in again.text and again.is_gone()
    assert len(_rounds(tmp_path)) == 2 and "bytes of 1 rounds" in again.text


@pytest.mark.more
@pytest.mark.parametrize("killed", ["flower-superlink", "flwr-serverapp"])
def test_the_rounds_go_on_with_another_link_and_nodes_that_begin_anew(killed, tmp_path):
    options = "--config.clients=2", "--nodes=1", "--config.rounds=2", "--restarts=1"
    run = Deployment("mnist_ef21", tmp_path, *options)
    run.until("round 1: 2 of 2")
    _saved(tmp_path, 1)
    (process,) = run.processes(killed)
    os.kill(process, signal.SIGKILL)
    assert run.end() == 0, run.text
    assert "all are started again, after the last round" in run.text
    assert EQUAL in run.text and run.is_gone()
    assert [each["anew"] for each in _rounds(tmp_path)] == [[], [0, 1]]


@pytest.mark.more
def test_frames_of_some_megabytes_cross_as_arrays(tmp_path):
    """f32[1,113,010], 4.4 MB, both ways; a record that long is no record any more."""
    options = "--config.clients=1", "--nodes=1", "--config.model=MLP((1400,))"
    run = Deployment("mnist_sgd", tmp_path, *options, "--config.rounds=2")
    assert run.end() == 0, run.text
    assert EQUAL in run.text and run.is_gone()
    d = 784 * 1400 + 1400 + 1400 * 10 + 10
    sent = [each["bytes"] for each in _rounds(tmp_path)]
    assert [each["up_frames"] for each in sent] == [4 * d + wire.OVERHEAD_BYTES] * 2
    assert records.LARGE < 4 * d


OPENSSL = """
req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=authority -days 2
req -newkey rsa:2048 -nodes -keyout link.key -out link.csr -subj /CN=link
x509 -req -in link.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out link.pem -days 2 -extfile names
"""


@pytest.mark.more
def test_the_link_speaks_tls_to_who_knows_its_authority(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificates")
    (tmp_path / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="utf-8")
    for line in OPENSSL.strip().splitlines():
        made = ["openssl", *line.split()]
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    files = {"certificate": "link.pem", "key": "link.key", "authority": "ca.crt"}
    options = [f"--{name}={tmp_path / file}" for name, file in files.items()]
    options += ["--config.clients=2", "--nodes=1", "--config.rounds=2"]
    run = Deployment("mnist_ef_sign", tmp_path / "run", *options)
    run.until("round 1: 2 of 2")
    for port in run.ports:
        knowing = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        assert _peer(port, knowing)["subject"] == ((("commonName", "link"),),)
        with pytest.raises(ssl.SSLCertVerificationError):
            _peer(port, ssl.create_default_context())
    assert run.end() == 0, run.text
    assert EQUAL in run.text and run.is_gone()
    assert re.search("uplink .* - ", run.text)  # nobody reads how much is protobuf


def _peer(port, context):
    """The certificate of who listens there, once it is believed."""
    with (
        socket.create_connection(("127.0.0.1", int(port)), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secret,
    ):
        return secret.getpeercert()


def test_all_ends_with_the_command_however_it_does(tmp_path):
    run = Deployment("mnist_ef_sign", tmp_path, "--config.clients=2")
    run.until("round 1: 2 of 2")
    assert len(run.processes("flower-supernode")) == 2
    run.process.kill()
    assert run.end() == -signal.SIGKILL
    assert run.is_gone()


LATE = "no answer in 40 s|owes an answer"  # as an honest one of a busy machine may be
HOSTILE = '''"""Has a node's app answer wrong, as ROUNDS says: {{round: how}}."""

import sys

if "flwr-clientapp" in " ".join(sys.orig_argv):
    import json, os, time

    from flq_jax.flower import records

    wrong = json.loads(os.environ["ROUNDS"])
    honest = records.said

    def said(answer):
        how = wrong.get(str(answer.round_index))
        reply = answer.replies[0]
        frame = reply.frame
        if how == "slow":
            time.sleep(50)
        if how == "damaged":
            frame = frame[:-1] + bytes([frame[-1] ^ 255])
        if how == "oversized":
            frame = frame * 1000
        if how == "foreign":
            return records.framed({"hello": 1}, {})
        if how == "stale":
            answer = answer._replace(digest="0" * 16, round_index=0)
        return honest(answer._replace(replies=(reply._replace(frame=frame),)))

    records.said = said
'''


def test_who_answers_wrong_or_late_is_as_if_it_were_silent(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HOSTILE, encoding="utf-8")
    folder = tmp_path / "run"
    options = "--config.clients=2", "--nodes=2", "--elsewhere", "--config.rounds=5"
    run = Deployment("mnist_ef_sign", folder, *options, "--deadline_s=40")
    line = run.until(r"flower-supernode (--insecure .*)\n")[1]
    wrong = {0: "damaged", 1: "oversized", 2: "foreign", 3: "stale", 4: "slow"}
    nodes = []
    for number, rounds in enumerate([{}, wrong]):
        own = OFFLINE | {
            "FLWR_HOME": str(tmp_path / f"home{number}"),
            "PYTHONPATH": str(tmp_path),
            "ROUNDS": json.dumps(rounds),
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        words = shlex.split(line.replace("node=N", f"node={number}"))
        tool = pathlib.Path(sys.executable).with_name("flower-supernode")
        nodes.append(
            subprocess.Popen(
                [tool, *words, f"--port={free_port()}"],
                env=run.environment | own,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    try:
        status = run.end()
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait(60)
    assert status == 0, run.text
    assert EQUAL in run.text and run.is_gone()
    done = _rounds(folder)
    assert len(done) == 5 and any(0 in each["there"] for each in done)
    assert not any(1 in each["there"] for each in done)
    said = ["CRC-32", "must be <=", "round must be", "another broadcast"]
    for word, each in zip([*said, LATE], done, strict=True):
        assert re.search(f"{word}|{LATE}", each["left_out"]["1"]), each
