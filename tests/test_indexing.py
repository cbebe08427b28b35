"""Fleet indexing: what the index has, which queries find what in it, and which are refused."""

from pathlib import Path
from typing import Any

import conftest
import in_process
import pytest
from botocore.exceptions import ClientError

from helpers.account import Account
from sandbox.gaps.indexing import INDEX, QUERY_VERSION
from sandbox.state import State

REGISTRY = {"thingIndexingMode": "REGISTRY"}
MISSING = (
    404,
    "ResourceNotFoundException",
    "Index {} does not exist. Please enable index by calling UpdateIndexingConfiguration",
)


def refused(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Return the status, the code and the words of a refusal."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    said = error.value.response
    return (
        said["ResponseMetadata"]["HTTPStatusCode"],
        said["Error"]["Code"],
        said["Error"]["Message"],
    )


def missing(name: str) -> tuple[int, str, str]:
    """What AWS answers where an index is not there."""
    status, code, message = MISSING
    return status, code, message.format(name)


def found(iot: Any, query: str, **more: Any) -> list[str]:
    return [each["thingName"] for each in iot.search_index(queryString=query, **more)["things"]]


def mode(iot: Any) -> str:
    configuration = iot.get_indexing_configuration()["thingIndexingConfiguration"]
    return str(configuration["thingIndexingMode"])


@pytest.fixture
def fleet(inside: Account) -> Any:
    """Four Things of different names, types and attributes, indexed."""
    iot = inside.iot
    for name in ("Lamp", "Sensor"):
        iot.create_thing_type(thingTypeName=name)
    for name, kind, attributes in (
        ("Lamp-1", "Lamp", {"colour": "Red", "floor.no": "1"}),
        ("lamp-22", "Lamp", {"colour": "blue", "model": "axb"}),
        ("lamp_3", "Sensor", {"colour": "red", "model": "a.b"}),
        ("other", "", {}),
    ):
        typed = {"thingTypeName": kind} if kind else {}
        iot.create_thing(thingName=name, attributePayload={"attributes": attributes}, **typed)
    iot.update_indexing_configuration(thingIndexingConfiguration=REGISTRY)
    return iot


def test_registry_alone(inside: Account) -> None:
    iot = inside.iot
    both = {"thingIndexingMode": "REGISTRY_AND_SHADOW"}
    assert mode(iot) == "OFF"
    iot.update_indexing_configuration()
    assert mode(iot) == "OFF"
    iot.update_indexing_configuration(thingIndexingConfiguration=REGISTRY)
    assert refused(iot.update_indexing_configuration, thingIndexingConfiguration=both) == (
        501,
        "NotImplementedException",
        "The sandbox does not have UpdateIndexingConfiguration's "
        "thingIndexingConfiguration.thingIndexingMode REGISTRY_AND_SHADOW.",
    )
    assert mode(iot) == "REGISTRY"
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "OFF"})
    assert mode(iot) == "OFF"


def test_managed_fields(inside: Account) -> None:
    off = ("thingConnectivityIndexingMode", "deviceDefenderIndexingMode", "namedShadowIndexingMode")
    expected: dict[str, Any] = {
        "thingIndexingConfiguration": {"thingIndexingMode": "OFF", **dict.fromkeys(off, "OFF")},
        "thingGroupIndexingConfiguration": {"thingGroupIndexingMode": "OFF"},
    }
    answer = inside.iot.get_indexing_configuration()
    answer.pop("ResponseMetadata")
    assert answer == expected
    inside.iot.update_indexing_configuration(thingIndexingConfiguration=REGISTRY)
    expected["thingIndexingConfiguration"] |= {
        "thingIndexingMode": "REGISTRY",
        "managedFields": [
            {"name": "thingId", "type": "String"},
            {"name": "thingName", "type": "String"},
            {"name": "registry.version", "type": "Number"},
            {"name": "registry.thingTypeName", "type": "String"},
            {"name": "registry.thingGroupNames", "type": "String"},
        ],
    }
    answer = inside.iot.get_indexing_configuration()
    answer.pop("ResponseMetadata")
    assert answer == expected


def test_an_index_that_is_not_there(inside: Account) -> None:
    iot = inside.iot
    assert refused(iot.search_index, queryString="*") == missing(INDEX)
    assert refused(iot.describe_index, indexName=INDEX) == missing(INDEX)
    iot.update_indexing_configuration(thingIndexingConfiguration=REGISTRY)
    described = iot.describe_index(indexName=INDEX)
    assert (described["indexName"], described["indexStatus"]) == (INDEX, "ACTIVE")
    assert described["schema"] == "REGISTRY"
    assert found(iot, "*", indexName=INDEX, queryVersion=QUERY_VERSION) == []
    for name in ("AWS_ThingGroups", "aws_things"):
        assert refused(iot.search_index, indexName=name, queryString="*") == missing(name)
        assert refused(iot.describe_index, indexName=name) == missing(name)
    status, code, _ = refused(iot.search_index, queryString="*", queryVersion="2017-09-31")
    assert (status, code) == (400, "InvalidRequestException")


ALL = ["Lamp-1", "lamp-22", "lamp_3", "other"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("thingName:lamp-22", ["lamp-22"]),
        ("thingName:lamp-1", ["Lamp-1"]),
        ("thingName:LAMP-22", ["lamp-22"]),
        ("thingName:lamp", []),
        ("thingName:lamp*", ["Lamp-1", "lamp-22", "lamp_3"]),
        ("thingName:lamp-?", ["Lamp-1"]),
        ("thingName:lamp.22", []),
        ("thingName:l*2", ["lamp-22"]),
        ("thingName:*2", ["lamp-22"]),
        ("thingName:?ther", ["other"]),
        ("thingName:*", ALL),
        ("thingTypeName:lamp", ["Lamp-1", "lamp-22"]),
        ("thingTypeName:*", ["Lamp-1", "lamp-22", "lamp_3"]),
        ("attributes.colour:red", ["Lamp-1", "lamp_3"]),
        ("attributes.Colour:red", []),
        ("attributes.model:a.b", ["lamp_3"]),
        ("attributes.model:a?b", ["lamp-22", "lamp_3"]),
        ("attributes.floor.no:1", ["Lamp-1"]),
        ("attributes.colour:*", ["Lamp-1", "lamp-22", "lamp_3"]),
        ("*", ALL),
        ("* *", ALL),
        ("thingTypeName:lamp attributes.colour:red", ["Lamp-1"]),
        (" thingTypeName:lamp\tAND\nattributes.colour:red ", ["Lamp-1"]),
        ("thingName:lamp* AND thingTypeName:* attributes.colour:blue", ["lamp-22"]),
        (" ".join(["*"] * 12), ALL),
        (f"thingName:*{'2' * 89}", []),
    ],
)
def test_registry_search(fleet: Any, query: str, names: list[str]) -> None:
    assert found(fleet, query) == names


@pytest.mark.parametrize(
    "query",
    [
        *(" ", "AND", "AND *", "* AND", "* AND AND *", " ".join(["*"] * 13)),
        *("thingName:*1 attributes.colour:*d", "thingName:?1 thingName:?2"),
        f"thingName:*{'2' * 90}",
        *(f"thingName:a{character}b" for character in "`@#%/';,"),
    ],
)
def test_what_aws_refuses_of_a_query(fleet: Any, query: str) -> None:
    assert refused(fleet.search_index, queryString=query)[:2] == (400, "InvalidQueryException")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("* OR *", "OR"),
        ("NOT thingName:a", "NOT"),
        ("* and *", "and"),
        ("-thingName:a", "-thingName:a"),
        ("thingName:-a", "thingName:-a"),
        ("(thingName:a)", "(thingName:a)"),
        ("thingName:(a b)", "thingName:(a"),
        ('thingName:"a"', 'thingName:"a"'),
        (r"thingName:a\:b", r"thingName:a\:b"),
        ("thingName:a:b", "thingName:a:b"),
        ("thingName:lamp\N{NO-BREAK SPACE}*", "thingName:lamp\N{NO-BREAK SPACE}*"),
        ("attributes.floor:[1 TO 2]", "attributes.floor:[1"),
        ("attributes.floor>1", "attributes.floor>1"),
        ("attributes.floor:", "attributes.floor:"),
        ("lamp", "lamp"),
        ("lamp*", "lamp*"),
        *((f"{field}:a", f"{field}:a") for field in ("thingId", "thingGroupNames", "thingname")),
        ("shadow.reported.light:on", "shadow.reported.light:on"),
        ("connectivity.connected:true", "connectivity.connected:true"),
    ],
)
def test_what_is_not_there_of_a_query_is_named(fleet: Any, query: str, named: str) -> None:
    assert refused(fleet.search_index, queryString=query) == (
        501,
        "NotImplementedException",
        f"The sandbox does not have SearchIndex's queryString with {named}.",
    )


def test_a_thing_is_told_as_the_registry_has_it(fleet: Any) -> None:
    """Nothing of its connections or its shadows, which moto makes up or adds."""
    for name in ("first", "second"):
        fleet.create_thing_group(thingGroupName=name)
    fleet.add_thing_to_thing_group(thingName="Lamp-1", thingGroupName="second")
    answer = fleet.search_index(queryString="thingTypeName:lamp")
    answer.pop("ResponseMetadata")
    ids = [fleet.describe_thing(thingName=name)["thingId"] for name in ("Lamp-1", "lamp-22")]
    assert answer == {
        "things": [
            {
                "thingName": "Lamp-1",
                "thingId": ids[0],
                "thingTypeName": "Lamp",
                "thingGroupNames": ["second"],
                "attributes": {"colour": "Red", "floor.no": "1"},
            },
            {
                "thingName": "lamp-22",
                "thingId": ids[1],
                "thingTypeName": "Lamp",
                "thingGroupNames": [],
                "attributes": {"colour": "blue", "model": "axb"},
            },
        ]
    }


def test_a_change_is_found_at_once(fleet: Any) -> None:
    fleet.create_thing(thingName="lamp-4")
    fleet.update_thing(thingName="other", attributePayload={"attributes": {"colour": "red"}})
    fleet.delete_thing(thingName="lamp_3")
    assert found(fleet, "attributes.colour:red") == ["Lamp-1", "other"]
    assert found(fleet, "thingName:lamp-4") == ["lamp-4"]


def test_a_search_has_pages(fleet: Any) -> None:
    pages, token = [], {}
    while not pages or token:
        page = fleet.search_index(queryString="thingName:lamp*", maxResults=2, **token)
        pages.append([each["thingName"] for each in page["things"]])
        token = {"nextToken": page["nextToken"]} if "nextToken" in page else {}
    assert pages == [["Lamp-1", "lamp-22"], ["lamp_3"]]
    for number in range(100):
        fleet.create_thing(thingName=f"more-{number:03}")
    assert len(found(fleet, "*")) == len(found(fleet, "*", maxResults=100)) == 100
    status, code, _ = refused(fleet.search_index, queryString="*", maxResults=101)
    assert (status, code) == (400, "InvalidRequestException")


def test_it_is_of_one_account_and_region_and_comes_back(inside: Account, tmp_path: Path) -> None:
    inside.iot.update_indexing_configuration(thingIndexingConfiguration=REGISTRY)
    elsewhere = conftest.client(inside, region="us-east-1")
    assert (mode(inside.iot), mode(elsewhere)) == ("REGISTRY", "OFF")
    State(tmp_path / "state").save()
    in_process.empty()
    assert mode(inside.iot) == "OFF"
    State(tmp_path / "state").restore()
    assert (mode(inside.iot), mode(elsewhere)) == ("REGISTRY", "OFF")
