"""Say what the post was made from, so that a change that it does not show yet is noticed.

The record is kept as ``sha256sum`` writes it: a digest, two blanks, a file.
"""

from hashlib import sha256
from pathlib import Path

from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

RECORD = ROOT / "docs" / "rendered.sha256"


def record(post: Path, notebooks: Path = FOLDER) -> str:
    """Digest the notebooks and the post's folder that was made from them.

    Line ends do not count: git may check texts out with others.
    """
    files = {f"notebooks/{name}.ipynb": notebooks / f"{name}.ipynb" for name in NOTEBOOKS}
    found = sorted(path for path in post.rglob("*") if path.is_file())
    files |= {f"_build/post/{path.relative_to(post).as_posix()}": path for path in found}
    return "".join(f"{_digest(path)}  {name}\n" for name, path in files.items())


def stale(post: Path, notebooks: Path = FOLDER, kept: Path = RECORD) -> list[str]:
    """Name the files that differ from the record; none where everything is up to date.

    Args:
        post: A folder into which the post has been rendered just now.
        notebooks: What it was rendered from.
        kept: The record, as committed.
    """
    then = set(kept.read_text("utf-8").splitlines()) if kept.exists() else set()
    now = set(record(post, notebooks).splitlines())
    return sorted({line.split("  ", 1)[1] for line in then ^ now})


def _digest(path: Path) -> str:
    return sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
