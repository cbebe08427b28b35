"""The values for Zero to JupyterHub are ones that its chart takes."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from publish.notebooks import ROOT

SCHEMA = "Z2JH_VALUES_SCHEMA"
"""The environment variable that names the chart's values.schema.yaml; .ci/run sets it."""
VALUES = yaml.safe_load((ROOT / "workshop/kubernetes/values.yaml").read_text("utf-8"))


def optional(schema: Any) -> Any:
    """Drop what must be there: Helm checks our values laid over the chart's own, which have it."""
    if isinstance(schema, dict):
        return {
            name: optional(part) for name, part in schema.items() if not is_required(name, part)
        }
    return [optional(part) for part in schema] if isinstance(schema, list) else schema


def is_required(name: str, part: Any) -> bool:
    return name == "required" and isinstance(part, list)


@pytest.fixture(scope="module")
def chart() -> Draft7Validator:
    if SCHEMA not in os.environ:
        pytest.skip(
            f"2026-11: {SCHEMA} does not name the chart's schema, which is not ours to copy"
        )
    schema = yaml.safe_load(Path(os.environ[SCHEMA]).read_text("utf-8"))
    return Draft7Validator(optional(schema))


def test_the_chart_takes_the_values(chart: Draft7Validator) -> None:
    assert [error.message for error in chart.iter_errors(VALUES)] == []


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (("singleuser", "storage", "homeMount"), "/srv"),
        (("singleuser", "memory", "limit"), True),
        (("cull", "timeout"), "45 minutes"),
        (("proxy", "https", "type"), "none"),
    ],
)
def test_the_schema_would_find_a_mistake(
    chart: Draft7Validator, where: tuple[str, ...], what: object
) -> None:
    wrong = yaml.safe_load(yaml.safe_dump(VALUES))
    place = wrong
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = what
    assert list(chart.iter_errors(wrong))


def test_the_codes_are_in_no_file() -> None:
    asked = VALUES["hub"]["config"]["SharedPasswordAuthenticator"]
    assert VALUES["hub"]["config"]["JupyterHub"]["authenticator_class"] == "shared-password"
    assert asked == {"admin_users": ["teacher"]}


def test_what_a_learner_makes_is_on_their_disk() -> None:
    lab = VALUES["singleuser"]
    disk = lab["storage"]["homeMountPath"]
    assert lab["extraEnv"]["IOT_TUTORIAL_STATE_DIR"].startswith(f"{disk}/")
    assert f"{disk}/ " in lab["cmd"][2]
    assert VALUES["hub"]["config"]["KubeSpawner"]["notebook_dir"] == f"{disk}/notebooks"
    first = lab["defaultUrl"].removeprefix("/lab/tree/")
    assert (ROOT / "notebooks" / first).exists()
