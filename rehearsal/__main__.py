"""Run the four notebooks and ask open questions, on the sandbox or on AWS, and record it all.

On the sandbox, unless IOT_TUTORIAL_TARGET=aws and IOT_TUTORIAL_ACCOUNT name a real account:
docs/rehearsal.md says how, what it makes there, costs and removes.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from botocore.exceptions import BotoCoreError, ClientError
from jupyter_client.manager import KernelManager

from helpers import closing
from helpers.account import Account
from helpers.errors import LessonError
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT
from rehearsal import probes
from rehearsal.compare import WITHIN, compare, read
from rehearsal.mask import LEARNER, mask
from rehearsal.record import VARIABLE, Recording, connect
from sandbox import process

BUILD = ROOT / "_build" / "rehearsal"
STILL_THERE = "AWS still lists some of it; in some minutes: ./tutorial rehearse --clean"
UNLESS_NOTHING_IS_LEFT = (
    "It stopped. If it does not say above that nothing of it is left: ./tutorial rehearse --clean"
)
AWS_PLACE = BUILD / "aws"
"""Where it works on AWS. The folder goes with the clean-up; until then, it holds the keys."""
SANDBOX = "The sandbox of this rehearsal: on this machine alone, and it costs nothing."
AWS = f"""AWS account ········{{number}}. This makes 8 Things, 15 policies and 8 certificates there.
Their names begin with {LEARNER}-. It calls AWS about a thousand times, connects about a hundred
times, and takes up to an hour, most of which is waiting. It costs a few US cents at most:
https://aws.amazon.com/iot-core/pricing/
At the end, and when you press Ctrl-C, all of it is removed. What an earlier rehearsal has left is
removed first: whatever the lesson made under names that begin with {LEARNER}-."""


def main() -> None:
    """Do what the command line says."""
    options = _parser().parse_args()
    target = os.environ.get("IOT_TUTORIAL_TARGET") or "sandbox"
    if target not in ("sandbox", "aws"):
        sys.exit(f"There is no target {target!r}: 'sandbox' and 'aws' are the ones to ask for.")
    aws = target == "aws"
    if options.replay and aws:
        sys.exit("A recording is compared with the sandbox: unset IOT_TUTORIAL_TARGET.")
    try:
        recorded = read(options.replay) if options.replay else None
    except (OSError, ValueError) as problem:
        sys.exit(str(problem))
    _ask(aws, yes=options.yes)
    for each in (signal.SIGINT, signal.SIGTERM):  # clean up, then end
        signal.signal(each, signal.default_int_handler)
    name = "replay" if options.replay else target
    file = (options.to or BUILD / f"{name}.jsonl").resolve()
    try:
        stopped = rehearse(file, aws=aws, only_clean=options.clean)
    except (BotoCoreError, ClientError, KeyboardInterrupt, LessonError) as problem:
        # A LessonError may name certificates to look at; an error of AWS's names the account.
        told = str(problem) if isinstance(problem, LessonError) else mask(str(problem))
        sys.exit(f"{told}\n{UNLESS_NOTHING_IS_LEFT}")
    if recorded is not None:
        differences = compare(recorded, read(file), within=options.within)
        print(*differences, f"{len(differences)} differences", sep="\n")
        stopped += differences
    sys.exit(1 if stopped else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./tutorial rehearse", description=__doc__)
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the recording there")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="list how the sandbox differs from a recording"
    )
    parser.add_argument(
        "--within",
        type=float,
        default=WITHIN,
        metavar="SECONDS",
        help=f"by how much times may differ ({WITHIN:g})",
    )
    parser.add_argument(
        "--clean", action="store_true", help="only remove what an earlier rehearsal has left"
    )
    parser.add_argument(
        "--yes", action="store_true", help="on the sandbox: ask nothing, for a script"
    )
    return parser


def _ask(aws: bool, *, yes: bool) -> None:
    """Say what is about to happen, and go on if somebody types yes; AWS hears nothing before."""
    number = os.environ.get("IOT_TUTORIAL_ACCOUNT", "")
    if aws and not (len(number) == 12 and number.isdecimal()):
        sys.exit("Say which AWS account: set IOT_TUTORIAL_ACCOUNT to its 12 digits.")
    print(AWS.format(number=number[-4:]) if aws else SANDBOX)
    if aws and (yes or not sys.stdin.isatty()):
        sys.exit("On AWS, somebody types yes in a terminal: no --yes, and no script.")
    if not yes and input("Go on? Type yes: ") != "yes":
        sys.exit("Nothing was done.")


def rehearse(file: Path, *, aws: bool = False, only_clean: bool = False) -> list[str]:
    """Run the lesson and ask the questions; remove everything, however that ends.

    Args:
        file: Where the recording goes; one that is there is replaced.
        aws: Whether to do it in the account that ``IOT_TUTORIAL_ACCOUNT`` names.
        only_clean: Whether to remove what an earlier rehearsal has left, and no more.

    Returns:
        The parts that stopped in an error, and why.

    Raises:
        LessonError: it does not connect; or not all could be removed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    begun = file.with_suffix(".part")  # an earlier recording stays until this one is whole
    begun.write_text("")
    recording = Recording(begun)
    recording.write(
        rehearsal=1,
        target="aws" if aws else "sandbox",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        boto3=version("boto3"),
    )
    stopped: list[str] = []
    with _place(aws, begun) as place:
        account = connect()
        print(account, flush=True)
        try:
            with part(recording, "what an earlier rehearsal left"):
                closing.clean_up(account)
            if not only_clean:
                stopped += _run(account, recording, place, pause=1.1 if aws else 0)
        finally:
            print("cleaning up ...", flush=True)
            with part(recording, "clean-up"):
                closing.clean_up(account)
                left = closing.inventory(account)
            print("nothing of it is left" if left.empty else STILL_THERE, flush=True)
            stopped += [] if left.empty else [STILL_THERE]
    if only_clean:
        begun.unlink()
        return stopped
    text = begun.read_text("utf-8")
    if mask(text) != text:
        stopped.append("Something in the recording is not masked: do not publish it.")
    begun.replace(file)
    print(*stopped, f"The recording: {file}", sep="\n")
    return stopped


@contextmanager
def _place(aws: bool, file: Path) -> Iterator[Path]:
    """Go to a folder with the notebooks, and lead what asks for AWS IoT to where it should go."""
    place = AWS_PLACE if aws else Path(tempfile.mkdtemp(prefix="iot-"))
    shutil.copytree(
        FOLDER, place, ignore=shutil.ignore_patterns("keys", ".*", "pictures"), dirs_exist_ok=True
    )
    ours = {"IOT_TUTORIAL_LEARNER": LEARNER, VARIABLE: str(file), "PYTHONPATH": str(ROOT)}
    own = place / ".sandbox"
    if not aws:
        ours["IOT_TUTORIAL_STATE_DIR"] = os.environ.get("IOT_TUTORIAL_STATE_DIR") or str(own)
        for name in [name for name in os.environ if name.startswith(("AWS_", "IOT_TUTORIAL_"))]:
            del os.environ[name]
        ours |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    os.environ.update(ours)
    try:
        with chdir(place):
            yield place
    finally:
        process.stop(own)
        # Where the clean-up did not end, the keys say which certificates are to go.
        if not aws or not any(each.is_file() for each in place.glob("keys/**/*")):
            shutil.rmtree(place)


def _run(account: Account, recording: Recording, place: Path, *, pause: float) -> Iterator[str]:
    """Run the notebooks and ask the questions; yield what stopped in an error."""
    for number, name in enumerate(NOTEBOOKS, start=1):
        print(f"notebook {number} of {len(NOTEBOOKS)}: {name}", flush=True)
        if problem := _run_notebook(place / f"{name}.ipynb", recording):
            yield f"stopped in {problem}"
    print(f"{len(probes.QUESTIONS)} questions", flush=True)
    try:
        ask_all(account, recording, pause=pause)
    except (ClientError, LessonError) as problem:
        yield f"stopped at the questions: {problem}"


def ask_all(account: Account, recording: Recording, *, pause: float) -> None:
    """Ask the questions of ``questions.md`` and record the answers.

    Args:
        account: Whom to ask, as :func:`rehearsal.record.recorded` gives it.
        recording: Where the answers go.
        pause: Seconds before each connection.
    """
    with part(recording, "questions"):
        scene = probes.prepare(account, pause=pause)
    for question in probes.QUESTIONS:
        with part(recording, f"question {question}") as said:
            said["answer"] = probes.ask(question, scene)


@contextmanager
def part(recording: Recording, name: str) -> Iterator[dict[str, Any]]:
    """Record that a part of the rehearsal begins, and how it ends."""
    recording.write(cell=name)
    with recording.timed(end="") as said:
        try:
            yield said
        except Exception as problem:
            said |= {"code": type(problem).__name__, "text": mask(str(problem))}
            raise


def _run_notebook(file: Path, recording: Recording) -> str:
    """Run a notebook up to its first error that the lesson does not promise; return that one."""
    cells = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    kernel = KernelManager(kernel_name="python3")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    kernel.start_kernel(cwd=str(file.parent), **quiet)
    client = kernel.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)

        def run(code: str) -> dict[str, Any]:
            # Not execute_interactive: after Ctrl-C it waits on, in the loop that ends the kernel.
            asked = client.execute(code, allow_stdin=False)
            while kernel.is_alive():
                with suppress(Empty):
                    reply = client.get_shell_msg(timeout=1)
                    if reply["parent_header"].get("msg_id") == asked:
                        return dict(reply["content"])
            raise RuntimeError("The kernel has ended.")

        begun = run("from rehearsal import record; record.begin()")
        assert begun["status"] == "ok", begun
        for cell in cells:
            name = f"{file.stem}/{cell.id}"
            with part(recording, name) as said:
                reply = run(cell.source)
                run("")  # a panel may look at what the cell has changed, once that has ended
                said["code"] = reply.get("ename", "")
                said["text"] = mask(reply.get("evalue", ""))
            if said["code"] and "raises-exception" not in cell.metadata.get("tags", []):
                return f"{name}: {said['code']}: {said['text']}"
    except RuntimeError as problem:  # there is no kernel, or none any more
        return f"{file.stem}: {problem}"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel()  # the call that it is in may end, so that its answer is heard
    return ""


if __name__ == "__main__":
    main()
