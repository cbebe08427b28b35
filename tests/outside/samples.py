"""The samples of AWS's device SDKs for Python and Node: messages, shadow, WebSocket."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from outside import device
from outside.result import Result
from outside.typist import Session, type_answers
from outside.world import REGION, World

SHADOW = (
    *(("", "get"), ("", 'update-desired {"heat": 21}'), ("", 'update-reported {"heat": 19}')),
    *(("", "get"), ("", 'update-reported {"heat": 21}'), ("", "delete"), ("", "get"), ("", "quit")),
)
"""What someone types who tries the shadow sample's commands."""


def run(world: World) -> Iterator[Result]:
    """Run each sample with the arguments that its page names."""
    made = device.make(world, "sample")
    signed = ["--endpoint", made.endpoint, "--signing_region", REGION]
    own = ["--endpoint", made.endpoint, "--cert", str(made.certificate), "--key", str(made.key)]
    python = world.sources / "pysdk" / "samples"
    node = _compiled(world)
    for language, x509, websocket, shadow, thing in (
        (
            "python",
            [sys.executable, str(python / "mqtt" / "mqtt5_x509.py")],
            [sys.executable, str(python / "mqtt" / "mqtt5_aws_websocket.py")],
            [sys.executable, str(python / "service_clients" / "shadow.py")],
            "--thing",
        ),
        (
            "node",
            ["node", str(node / "mqtt5_x509.js")],
            ["node", str(node / "mqtt5_aws_websocket.js")],
            ["node", str(node / "shadow.js")],
            "--thing_name",
        ),
    ):
        yield _published(world, f"{language}-mqtt5_x509", [*x509, *own])
        yield _published(world, f"{language}-mqtt5_aws_websocket", [*websocket, *signed])
        said = type_answers(
            [*shadow, *own, thing, made.thing],
            SHADOW,
            env=world.environment(),
            cwd=world.folder,
            quiet=2,
            timeout=45,
            asks=_waits_for_a_line if language == "node" else None,
        )
        yield Result.of(
            f"{language}-shadow",
            said,
            no_shadow_at_first="404" in said.text,
            updated=said.text.lower().count("update-reported response")
            + said.text.lower().count("update reported response")
            == 2,
            seen="ShadowUpdated" in said.text.replace("ShadowUpdatedEvent", "ShadowUpdated"),
            delta="ShadowDeltaUpdated" in said.text,
        )


def _published(world: World, name: str, command: list[str]) -> Result:
    """Judge a sample that sends five messages to itself."""
    try:
        ran = subprocess.run(
            command, env=world.environment(), capture_output=True, text=True, timeout=60
        )
        said = Session(ran.stdout + ran.stderr, ran.returncode)
    except subprocess.TimeoutExpired as late:
        said = Session((late.stdout or b"").decode() + (late.stderr or b"").decode(), None)
    return Result.of(
        name,
        said,
        five_received=said.text.count("Received message") == 5
        or said.text.count("Message Received") == 5,
    )


def _waits_for_a_line(printed: str) -> bool:
    """Node reads its terminal without blocking; its shadow sample says when it waits."""
    return "Enter command:" in printed


def _compiled(world: World) -> Path:
    """Compile the Node samples as they are, beside the SDK that npm installed."""
    folder = world.folder / "node"
    folder.mkdir()
    (folder / "node_modules").symlink_to(world.libraries / "node" / "node_modules")
    samples = world.sources / "jssdk" / "samples" / "node"
    for name in ("mqtt/mqtt5_x509", "mqtt/mqtt5_aws_websocket", "service_clients/shadow"):
        shutil.copy(samples / name / "index.ts", folder / f"{Path(name).name}.ts")
    subprocess.run(
        [
            *("node_modules/.bin/tsc", "--target", "es2019", "--module", "commonjs"),
            *("--esModuleInterop", "--skipLibCheck", "--types", "node"),
            *(f"{name}.ts" for name in ("mqtt5_x509", "mqtt5_aws_websocket", "shadow")),
        ],
        cwd=folder,
        check=False,  # it writes the program although a newer library's types differ
        capture_output=True,
    )
    return folder
