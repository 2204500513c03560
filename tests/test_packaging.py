"""What a wheel carries, and that version and licence are said alike everywhere."""

import configparser
import email
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import yaml

import flq_jax

ROOT = pathlib.Path(__file__).parent.parent


def _wheel(folder):
    """Builds the wheel there and leaves nothing in the source tree."""
    extra = folder / "extra.cfg"
    extra.write_text(f"[build]\nbuild_base={folder}\n[egg_info]\negg_base={folder}\n")
    build = "-m pip wheel --quiet --no-deps --no-build-isolation --no-index".split()
    subprocess.run(
        [sys.executable, *build, "--wheel-dir", str(folder), str(ROOT)],
        env={**os.environ, "DIST_EXTRA_CONFIG": str(extra)},
        check=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_a_wheel_carries_version_licences_and_types(tmp_path):
    with _wheel(tmp_path) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(wheel.read(metadata))
        licences = metadata.replace("METADATA", "licenses/")
        for path in told.get_all("License-File"):
            assert wheel.read(licences + path) == (ROOT / path).read_bytes()
    assert told["Version"] == flq_jax.__version__
    assert told["License-Expression"] == "Apache-2.0 AND CC-BY-SA-3.0"
    assert "LICENSE" in told.get_all("License-File")
    assert "flq_jax/py.typed" in names


def test_the_licence_is_named_where_it_is_cited():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "CC BY-SA 3.0" in (ROOT / "flq_jax/data/mnist_files/README.md").read_text()
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["license"] == "Apache-2.0"  # of the software; MNIST's stands beside it


def test_the_citation_names_this_version_and_the_paper_of_the_readme():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == flq_jax.__version__
    paper = cited["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]][:2] == [
        "Feng",
        "Ning",
    ]
    assert f"Feng, Ning et al. ({paper['year']})" in (ROOT / "README.md").read_text()


def test_the_changelog_ends_at_this_version():
    headings = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert headings[:2] == ["Unreleased", flq_jax.__version__]


def test_readme_and_manual_name_the_pythons_and_the_jax_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    pythons = re.findall(
        r"Python :: (3\.\d+)$", setup["metadata"]["classifiers"], re.MULTILINE
    )
    (oldest,) = re.findall(r"jax>=([\d.]+)", setup["options"]["install_requires"])
    assert setup["options"]["python_requires"] == f">={pythons[0]}"
    said = (
        f"Python {', '.join(pythons[:-1])} or {pythons[-1]} and JAX {oldest} or newer"
    )
    assert said in (ROOT / "README.md").read_text(encoding="utf-8")
    manual = (ROOT / "docs/manual.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (3\.\d+) \|", manual, re.MULTILINE) == pythons
