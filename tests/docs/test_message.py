"""The picture of a message has all of its bytes."""

import importlib
import pathlib

message = importlib.import_module("flq_jax.docs.message")


def test_each_byte_is_drawn_once():
    """26 of header and check, four of the range, one of the four codes."""
    data = message.frame()
    (axes,) = message.drawn().axes
    assert len(data) == len(axes.patches) == 31
    texts = [text.get_text() for text in axes.texts]
    drawn = [text for text in texts if len(text) == 2 and text != "R "]
    assert bytes.fromhex("".join(drawn)) == data
    assert data[26] == 0 + (1 << 2) + (2 << 4) + (3 << 6)


def test_the_picture_in_the_page_is_there():
    picture = pathlib.Path(__file__).parents[2] / "docs/images/message.svg"
    assert "<svg" in picture.read_text()
