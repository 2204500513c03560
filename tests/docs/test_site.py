"""The site builds without a warning, and asks the network for nothing."""

import importlib
import re

import pytest

build = importlib.import_module("flq_jax.docs.build")


@pytest.mark.more
def test_the_site_is_built_and_complete(tmp_path):
    pytest.importorskip("furo")
    assert build.built(tmp_path / "site") == 0
    pages = list((tmp_path / "site").rglob("*.html"))
    assert any(page.stem == "quantizers" for page in pages)
    for page in pages:
        text = page.read_text()
        fetched = re.findall(
            r"<(?:script|img|link)\b[^>]*(?:src|href)=\"(https?:[^\"]*)", text
        )
        assert not fetched, page
