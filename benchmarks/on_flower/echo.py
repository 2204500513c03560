"""A server that sends one file after another, and a client that sends each back.

The server sends case i once `go` holds i, and writes i into `at` once its answer is there.
"""

import pathlib
import time

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from flq_jax.flower import records
from flq_jax.remote import NEVER, Answer, Instruction, Reply

POLL_S = 0.1
OWN = "own"  # in the name of a case that travels in Flower's own way

client, server = ClientApp(), ServerApp()


@client.train()
def _back(message: Message, context: Context) -> Message:
    del context
    if OWN in message.content.array_records:
        return Message(message.content, reply_to=message)
    told = records.heard(message.content)
    reply = Reply(0, told.frame, 0.5, True, False, 0.25, False)
    answer = Answer(told.round_index, told.digest, False, (reply,))
    return Message(records.said(answer), reply_to=message)


@server.main()
def _send(grid: Grid, context: Context) -> None:
    folder = pathlib.Path(str(context.run_config["folder"]))
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(POLL_S)
    for i, case in enumerate(sorted(folder.glob("*.case"))):
        while not _holds(folder / "go", i):
            time.sleep(POLL_S)
        message = Message(_content(case), nodes[0], MessageType.TRAIN, group_id=str(i))
        numbers = list(grid.push_messages([message]))
        while not list(grid.pull_messages(numbers)):
            time.sleep(POLL_S)
        (folder / "at").write_text(str(i), encoding="utf-8")


def _content(case: pathlib.Path) -> RecordDict:
    data = case.read_bytes()
    if OWN in case.name:
        return RecordDict({OWN: ArrayRecord([np.frombuffer(data, np.float32)])})
    return records.told(Instruction(0, data, NEVER, b"", (0,), (NEVER,), (0,)))


def _holds(path: pathlib.Path, i: int) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == str(i)
