"""The card's lines are kept as they come, its table and picture are made of them."""

import json

from absl import flags
from absl.testing import flagsaver

from flq_jax.benchmarks import accelerator
from flq_jax.benchmarks.on_card.card import CEILING, Part


def test_every_row_is_kept_as_soon_as_it_is_there(tmp_path, monkeypatch, capsys):
    lines, picture, seen = tmp_path / "a.jsonl", tmp_path / "a.png", []

    def works(small, ceiling):
        assert small
        assert ceiling == CEILING
        yield "one", lambda: {"us": 20.0, "floor_us": 5.0}
        yield "two", lambda: seen.append(lines.read_text(encoding="utf-8")) or {}

    parts = {"rounds": Part(1.0, works), "seeds": Part(1.0, works)}
    monkeypatch.setattr(accelerator, "PARTS", parts)
    with flagsaver.flagsaver():
        argv = [
            "--small",
            "--parts=rounds",
            f"--lines={lines}",
            f"--card_picture={picture}",
        ]
        flags.FLAGS(["accelerator", *argv])
        accelerator.main([])
    early = [json.loads(line) for line in seen[0].splitlines()]
    assert [row["part"] for row in early] == ["where", "rounds"]
    assert early[1]["work"] == "one"
    kept = lines.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["part"] for line in kept] == ["where"] + 3 * ["rounds"]
    printed = capsys.readouterr().out
    assert "\n".join(kept) in printed
    # 20 us are four times the floor of 5.
    (line,) = [row for row in printed.splitlines() if "│ one" in row]
    assert [cell.strip() for cell in line.split("│")[3:6]] == ["20", "5", "4"]
    assert picture.read_bytes().startswith(b"\x89PNG")
