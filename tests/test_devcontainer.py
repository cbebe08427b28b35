"""The devcontainer, as far as it can be looked at: none has been started (2026-11)."""

import json
import re
import subprocess
import tomllib

from publish.notebooks import ROOT

SETTINGS = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
COMMANDS = {name: text for name, text in SETTINGS.items() if name.endswith("Command")}


def test_its_commands_are_the_tutorials() -> None:
    """Source: https://containers.dev/implementors/json_reference/."""
    assert COMMANDS.keys() == {"postCreateCommand", "postAttachCommand"}
    told = subprocess.run([ROOT / "tutorial", "help"], capture_output=True, text=True, check=True)
    known = dict(re.findall(r"^  (\w+)(.*)$", told.stdout, re.M))
    for text in COMMANDS.values():
        script, command, *options = text.split()
        assert (ROOT / script).stat().st_mode & 0o111
        assert command in known
        assert all(f"[{option}]" in known[command] for option in options)


def test_its_python_is_one_that_the_lesson_runs_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    least = project["requires-python"].removeprefix(">=")
    name, version = SETTINGS["image"].split(":")
    assert name == "python"
    assert [int(part) for part in version.split(".")] >= [int(part) for part in least.split(".")]


def test_it_opens_no_port_to_others() -> None:
    """A port that it notices by itself is forwarded to whoever attached the container alone."""
    assert SETTINGS["forwardPorts"] == []
    assert not re.search("public|appPort|runArgs|-p ", json.dumps(SETTINGS))
