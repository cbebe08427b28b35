"""A learner's copy of the notebooks: made from ``notebooks/``, never overwritten, trusted.

A file that the learner has not changed is replaced when ``notebooks/`` has a newer one. A small
file in the copy records what each was made from.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sandbox.files import write_whole

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
KEYS = "keys"
"""The folder of private keys, beside the notebooks that made them. It is never copied."""
_RECORD = ".made-from.json"
_COUNT = re.compile(rb'("execution_count": )\d+')


def lesson(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """List the files that make the lesson: notebooks, pages, and what lies in folders beside."""
    found = []
    for file in sorted(notebooks.rglob("*")):
        parts = file.relative_to(notebooks).parts
        hidden = any(part == KEYS or part.startswith(".") for part in parts)
        wanted = file.suffix in (".ipynb", ".md") or len(parts) > 1
        if file.is_file() and wanted and not hidden:
            found.append(file)
    return found


def as_new(file: Path) -> bytes:
    """Return a file of the lesson as a learner gets it: of a notebook, no cell has run yet."""
    content = file.read_bytes()
    return _COUNT.sub(rb"\1null", content) if file.suffix == ".ipynb" else content


def trust(contents: Iterable[bytes], *, data_dir: Path | None = None) -> None:
    """Record for JupyterLab that the outputs of these notebooks may be shown, drawings included.

    Args:
        contents: Those that are no notebooks are passed over.
        data_dir: Jupyter's data folder of the user who is to trust them; of this one by default.

    Source: https://jupyter-server.readthedocs.io/en/latest/operators/security.html
    """
    # These load slowly, and most starts copy nothing.
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary(**({"data_dir": str(data_dir)} if data_dir else {}))
    with closing(notary.store):
        for content in contents:
            with suppress(ValueError):  # what cannot be read as a notebook needs no trust
                notary.sign(nbformat.reads(content, as_version=4))


def update(folder: Path, notebooks: Path = NOTEBOOKS) -> list[str]:
    """Copy into *folder* what is missing there, and what its owner has never changed.

    Returns:
        The names of the files that their owner has changed and that ``notebooks/`` has newer.
    """
    record = _read(folder / _RECORD)
    made_from = dict(record)
    committed = _committed(notebooks)
    stale, newer = [], []
    for file in lesson(notebooks):
        name = file.relative_to(notebooks).as_posix()
        content, copy = as_new(file), folder / name
        version = _version(file, content)
        there = _version(copy, copy.read_bytes()) if copy.exists() else None
        if there not in (None, version, made_from.get(name)):
            newer += [name] if version != made_from.get(name) else []
            continue
        if there != version:
            stale.append((copy, content))
        # A learner may have worked in notebooks/ itself: a copy of what git does not hold could be
        # the only one some day, so it counts as changed.
        record[name] = version if committed.get(name) == _blob(file) else ""
    if stale:
        trust(content for _, content in stale)
    for copy, content in stale:
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_whole(copy, content, mode=0o644)
    if record != made_from:
        write_whole(folder / _RECORD, json.dumps(record, indent=1).encode(), mode=0o644)
    return newer


def set_aside(folder: Path) -> Path:
    """Move all that is in *folder*, but for its keys, into a new folder beside it.

    The keys stay because what they open, in the account, is still there. So does *folder* itself,
    in which kernels may be at work.

    Returns:
        The new folder; its name ends with the date and the time.
    """
    aside = folder.with_name(f"{folder.name}-{datetime.now():%Y-%m-%d-%H%M%S}")
    aside.mkdir()
    for each in sorted(folder.iterdir()):
        if each.name != KEYS:
            each.rename(aside / each.name)
    return aside


def share_keys(folder: Path, other: Path) -> bool:
    """Link the keys of *other* into *folder*, which lies beside it and has none.

    Returns:
        Whether there is a new link.
    """
    here, there = folder / KEYS, other / KEYS
    link = Path("..") / other.name / KEYS
    if here.is_symlink() and here.readlink() == link and not here.exists():
        here.unlink()  # where it led is deleted
    if here.exists() or here.is_symlink() or not any(each.is_file() for each in there.rglob("*")):
        return False
    here.symlink_to(link, target_is_directory=True)
    return True


def uncommitted(notebooks: Path = NOTEBOOKS) -> list[str]:
    """List the files of the lesson that git knows, and that are not as it last committed them."""
    files = {file.relative_to(notebooks).as_posix(): file for file in lesson(notebooks)}
    committed = _committed(notebooks)
    return [name for name in files if name in committed and committed[name] != _blob(files[name])]


def _committed(notebooks: Path) -> dict[str, str]:
    """Return git's id of each committed file; of none if git does not say."""
    command = ["git", "ls-tree", "-r", "-z", "HEAD"]
    try:
        said = subprocess.run(command, cwd=notebooks, capture_output=True, text=True).stdout
    except OSError:
        return {}
    entries = [entry.split("\t") for entry in said.split("\0") if entry]
    return {name: about.split()[2] for about, name in entries}


def _blob(file: Path) -> str:
    """Return the id that git gives to the content of a file."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _version(file: Path, content: bytes) -> str:
    """Return a digest of a file; of a notebook's cells only, if it is one.

    The rest of a notebook JupyterLab changes by itself, as soon as it is opened.
    """
    if file.suffix == ".ipynb":
        with suppress(ValueError, KeyError, TypeError):
            content = json.dumps(json.loads(content)["cells"], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _read(record: Path) -> dict[str, str]:
    try:
        return dict(json.loads(record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}
