"""Which files of which packages the page gets: what is installed here, less what it never reads."""

import json
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from publish.notebooks import ROOT

PROJECT = ("exercises", "helpers", "iot_policy", "sandbox")
"""The lesson's own packages, sources included: ``??`` shows them."""
ROOTS = (
    *("boto3", "certifi", "comm", "ipython", "ipywidgets", "moto", "paho-mqtt", "prettytable"),
    *("werkzeug",),
)
"""What the lesson, its stand-ins and the kernel import; what these require comes with them."""
LATER = ("jedi",)
"""What only Tab completion needs: the page gets it when it has nothing else to do."""
LEFT_OUT = {
    "cryptography": "it is compiled: publish/lite/standins, or --wheels",
    "regex": "it is compiled: publish/lite/standins, or --wheels",
    "jupyterlab-widgets": "the site has it as JavaScript",
    "widgetsnbextension": "it is for another front end",
    "pexpect": "a page has no processes",
    "psutil": "a page has no processes",
}
"""What a package above requires, and the page does not get."""
EMPTIED = {
    # 4.7 MB of text, which moto reads only when it is asked for AWS's own IAM policies.
    "moto/iam/aws_managed_policies.py": b'aws_managed_policies_data = "{}"\n',
}
SERVICES = ("data.iot", "ec2", "iam", "iot", "s3", "sts")
"""Whose endpoints the page knows: the lesson's, and those by which moto finds its regions."""
_KERNEL = ("ipykernel", "pyodide_kernel")
_WHEELS = "@jupyterlite/pyodide-kernel-extension/static/pypi/"

_PAGE = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_system": "Emscripten",
    "python_full_version": "3.14.2",
    "python_version": "3.14",
    "sys_platform": "emscripten",
}
"""What the requirements' markers are told of the page's Python."""

_NEVER = re.compile(
    r"""(^|/)tests?/ | \.(c|js|md|py[cdi]|rst|so|txt|typed|whl)$ | ^[^/]+-info/ | ^\.\.
    | ^boto3/(data|examples)/ | ^botocore/data/(?!(iot|iot-data|sts)/)[^/]+/
    | ^certifi/cacert | ^botocore/cacert | ^dateutil/zoneinfo/
    | ^moto/(?!(cloudwatch|core|events|iam|iot|iotdata|moto_api|s3|sts|utilities)/)[^/]+/
    | ^moto/\w+/.*\.json$
    | ^pygments/(formatters|styles)/(?!__init__|_mapping|default\.|html\.|terminal)
    | ^pygments/lexers/(?!__init__|_mapping|diff\.|python\.)
    | ^prompt_toolkit/(contrib|shortcuts/progress_bar)/ | ^wcwidth/table_grapheme_overrides/_known
    | ^IPython/testing/plugin/ | ^werkzeug/debug/ | ^IPython/extensions/(?!__init__|storemagic)
    | ^IPython/sphinxext/""",
    re.VERBOSE,
)
"""What the lesson never imports or reads."""


def is_wanted(name: str) -> bool:
    """Return whether the page's Python may read this file, by its path below site-packages.

    >>> is_wanted("botocore/data/iot/2015-05-28/service-2.json.gz"), is_wanted("moto/ec2/models.py")
    (True, False)
    """
    return not _NEVER.search(name)


def _content(name: str, file: Path) -> bytes:
    """Return a file's content, without what the lesson does not ask for."""
    if name == "botocore/data/endpoints.json":
        endpoints = json.loads(file.read_text("utf-8"))
        for partition in endpoints["partitions"]:
            services = partition["services"]
            partition["services"] = {key: services[key] for key in SERVICES if key in services}
        return json.dumps(endpoints).encode()
    return EMPTIED.get(name) or file.read_bytes()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(*roots: str, but: frozenset[str] = frozenset()) -> dict[str, metadata.Distribution]:
    """Return *roots* and what they require in a page, by name, as installed here."""
    found: dict[str, metadata.Distribution] = {}
    names = [*roots]
    while names:
        name = _normal(names.pop())
        if name in found or name in LEFT_OUT or name in but:
            continue
        found[name] = metadata.distribution(name)
        for line in found[name].requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate(_PAGE):
                names.append(wanted.name)
    return found


def first() -> dict[str, metadata.Distribution]:
    """Return the packages that the page needs before the first cell."""
    return required(*ROOTS, but=frozenset(later()))


def later() -> dict[str, metadata.Distribution]:
    """Return the packages of Tab completion."""
    return required(*LATER)


def files(packages: dict[str, metadata.Distribution]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file that the page may read, and what names the version."""
    for key, package in sorted(packages.items()):
        for each in package.files or ():
            name = each.as_posix()
            if is_wanted(name):
                yield name, _content(name, Path(str(package.locate_file(each))))
        about = f"Metadata-Version: 2.1\nName: {key}\nVersion: {package.version}\n"
        yield f"{key.replace('-', '_')}-{package.version}.dist-info/METADATA", about.encode()


def _folder(folder: Path, *parts: str) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.joinpath(*parts).rglob("*")):
        if file.suffix in (".py", ".css"):
            yield file.relative_to(folder).as_posix(), file.read_bytes()


def own() -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the lesson's own files."""
    for package in PROJECT:
        yield from _folder(ROOT, package)
    yield from _folder(ROOT / "publish/lite/kernel")


def standins() -> Iterator[tuple[str, bytes]]:
    """Yield path and content of what stands in for the compiled packages."""
    yield from _folder(ROOT / "publish/lite/standins")


def labextension(package: str, name: str) -> Path:
    """Return the folder of a JupyterLab extension that an installed package brings."""
    end = f"labextensions/{name}/package.json"
    found = (each for each in metadata.files(package) or () if each.as_posix().endswith(end))
    return Path(str(next(found).locate())).resolve().parent


def kernel() -> Iterator[tuple[str, bytes]]:
    """Yield path and content of JupyterLite's kernel, from the wheels that it brings."""
    from zipfile import ZipFile

    folder = labextension("jupyterlite-pyodide-kernel", "@jupyterlite/pyodide-kernel-extension")
    for name in _KERNEL:
        (wheel,) = folder.glob(f"static/pypi/{name}-*.whl")
        with ZipFile(wheel) as archive:
            for each in archive.namelist():
                if is_wanted(each):
                    yield each, archive.read(each)
