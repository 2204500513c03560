"""What lies beside a config file, and what it defines itself."""

import ast
import pathlib
import sys
from collections.abc import Mapping

from ml_collections import ConfigDict

from flq_jax.expressions.expression import ExpressionError, parse, substituted


def beside(file: str) -> None:
    """Lets expressions name the modules that lie beside a config file.

    Installed ones of the same name come first, see `imported`.
    """
    folder = str(pathlib.Path(file).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)


def qualified(config: ConfigDict, own: Mapping[str, str]) -> ConfigDict:
    """The config with the dotted name for each name that its own file defines.

    Args:
        config: of expressions; those that can't be parsed stay as they are.
        own: name -> dotted name.
    """
    config = config.copy_and_resolve_references()
    trees = {name: ast.parse(dotted, mode="eval").body for name, dotted in own.items()}
    for group in (config, config.get("let", {})):
        for option, text in group.items():
            try:
                if isinstance(text, str) and own:
                    tree = parse(text)
                    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
                    if names & own.keys():
                        group[option] = ast.unparse(substituted(tree, trees))
            except ExpressionError:
                pass  # whoever evaluates it says why
    return config
