"""A mod for clients that there are: what arrives is what the compressor makes of it."""

import numpy as np
import pytest

from flq_jax.compressors import direct, error_feedback, innovation, lazy
from flq_jax.quantizers import identity, sign, uniform

pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity

from flq_jax.flower.mod import compressing, restoring

SENT = [np.float32([[1, 2], [3, 4]]), np.float32([5, 6])]
STEP = [np.float32([[1, -3], [2, 1]]), np.float32([-4, 1])]  # mean magnitude 2


@pytest.fixture(autouse=True)
def _process_of_a_task(monkeypatch):
    for name in ("_run_id", "_task_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


class Grid:
    """One node in this process, whose app adds STEP."""

    def __init__(self, *mods, bend=lambda content: content):
        self.app, self.bend = ClientApp(mods=list(mods)), bend
        self.context = Context(1, 7, {}, RecordDict(), {})
        self.replies, self.arrays = {}, []

        @self.app.train()
        def train(message, context):
            del context
            found = message.content["arrays"].to_numpy_ndarrays()
            new = [x + step for x, step in zip(found, STEP, strict=True)]
            return Message(RecordDict({"arrays": ArrayRecord(new)}), reply_to=message)

    def push_messages(self, messages):
        for message in messages:
            number = str(len(self.replies))
            message.metadata.__dict__["_message_id"] = number
            self.replies[number] = self.app(message, self.context)
            yield number

    def pull_messages(self, numbers):
        for number in numbers:
            reply = self.replies[number]
            self.arrays = [*reply.content.array_records]
            reply.content = self.bend(reply.content)
            yield reply


def asked(grid):
    """The arrays of the replies to SENT."""
    message = Message(RecordDict({"arrays": ArrayRecord(SENT)}), 7, "train")
    replies = list(grid.send_and_receive([message], timeout=5.0))
    return [reply.content["arrays"].to_numpy_ndarrays() for reply in replies]


@pytest.mark.parametrize("link", [direct(sign()), error_feedback(sign())])
def test_a_sign_and_the_mean_magnitude_arrive(link):
    inner = Grid(compressing(link))
    ((matrix, vector),) = asked(restoring(inner, link))
    assert np.array_equal(matrix, [[3, 0], [5, 6]])
    assert np.array_equal(vector, [3, 8])
    assert not inner.arrays


def test_floats_arrive_as_they_were_sent():
    link = direct(identity())
    ((matrix, vector),) = asked(restoring(Grid(compressing(link)), link))
    assert np.array_equal(matrix, SENT[0] + STEP[0])
    assert np.array_equal(vector, SENT[1] + STEP[1])


def test_what_was_left_over_is_sent_the_next_time():
    """Signs of STEP + (STEP - 2 sign(STEP)), of mean magnitude 2 + 1/3."""
    link = error_feedback(sign())
    grid = restoring(Grid(compressing(link)), link)
    asked(grid)
    ((matrix, vector),) = asked(grid)
    left = [2 * step - 2 * np.sign(step) for step in STEP]
    flat = np.concatenate([x.ravel() for x in left])
    scale = np.mean(np.abs(flat))
    want = np.where(flat >= 0, scale, -scale)
    got = np.concatenate([(matrix - SENT[0]).ravel(), vector - SENT[1]])
    assert np.allclose(got, want, rtol=1e-6)


def test_without_the_mod_arrays_travel_as_they_are():
    ((matrix, _),) = asked(restoring(Grid(), direct(sign())))
    assert np.array_equal(matrix, SENT[0] + STEP[0])


def test_a_damaged_frame_is_a_reply_that_did_not_come(caplog):
    def bend(content):
        record = content.config_records["flq"]
        record["flq.frame"] = record["flq.frame"][:-1] + b"!"
        return content

    link = direct(sign())
    assert asked(restoring(Grid(compressing(link), bend=bend), link)) == []
    assert "CRC-32" in caplog.text


@pytest.mark.parametrize(
    "link", [innovation(uniform(4)), lazy(innovation(uniform(4)), weight=0.8)]
)
def test_a_server_that_remembers_is_refused(link):
    with pytest.raises(ValueError, match="must be one whose server remembers nothing"):
        compressing(link)
