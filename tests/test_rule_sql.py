"""The SQL of topic rules: AWS's own examples, its tables, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox import rules
from sandbox.mqtt import limits
from sandbox.rule_values import UNDEFINED, RuleError, Scope
from sandbox.rules import NESTING, SqlError, UnsupportedError

OLD, NEW = rules.VERSIONS
RED = b'{"color": "red", "temperature": 50}'
DEEP = b'{"color": {"red": 255, "green": 0}, "list": [1, {"a": 2}], "nothing": null, "yes": true}'


def outcome(
    sql: str, payload: bytes = RED, topic: str = "topic/subtopic", *, version: str = NEW
) -> Any:
    """What a rule makes of a message, read as JSON."""
    found = raw(sql, payload, topic, version=version)
    return found if found is None else json.loads(found)


def raw(sql: str, payload: bytes, topic: str = "a/b/c", *, version: str = NEW) -> bytes | None:
    return rules.statement(sql, version).outcome(scope(payload, topic, version=version))


def scope(payload: bytes, topic: str = "a/b/c", *, version: str = NEW, client: str = "me") -> Scope:
    found = rules.document(payload, version)
    return Scope(topic, payload, found, client, "123456789012", 1_481_825_251_155)


def value(expression: str, payload: bytes = DEEP, **more: Any) -> Any:
    """The value of an expression; ``...`` where it has none."""
    return outcome(f"SELECT {expression} AS found FROM 'a'", payload, **more).get("found", ...)


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("SELECT * FROM 'topic/subtopic'", {"color": "red", "temperature": 50}),
        ("SELECT color FROM 'topic/subtopic'", {"color": "red"}),
        ("SELECT color AS my_color FROM 'topic/subtopic'", {"my_color": "red"}),
        (
            "SELECT color as my_color, temperature as fahrenheit FROM 'topic/subtopic'",
            {"my_color": "red", "fahrenheit": 50},
        ),
        (
            "SELECT *, 15 as speed FROM 'topic/subtopic'",
            {"color": "red", "temperature": 50, "speed": 15},
        ),
        (
            "SELECT (temperature - 32) * 5 / 9 AS celsius, upper(color) as my_color FROM 'a'",
            {"celsius": 10, "my_color": "RED"},
        ),
        ("SELECT color AS c FROM 'a' WHERE temperature > 50 AND color <> 'red'", None),
        ("SELECT NULL AS n FROM 'topic/subtopic'", {"n": None}),
        ("SELECT missing, color FROM 'a'", {"color": "red"}),
        ("SELECT missing FROM 'a'", {}),
        (
            "select *, color as temperature from 'a' where true",
            {"color": "red"} | {"temperature": "red"},
        ),
    ],
)
def test_awss_examples(sql: str, made: Any) -> None:
    assert outcome(sql) == made


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("color.red", 255),
        ("color.red.deeper", ...),
        ("list.a", ...),
        ("nothing", None),
        ("clientid()", "me"),
        ("clientId()", "me"),
        ("accountid()", "123456789012"),
        ("timestamp()", 1_481_825_251_155),
        ("topic()", "topic/subtopic"),
        ("topic(1)", "topic"),
        ("topic(2)", "subtopic"),
        ("topic('2')", "subtopic"),
        ("topic(0)", ...),
        ("topic(3)", ...),
        ("topic(-1)", ...),
        ("topic(true)", ...),
        ("topic(1, 2)", ...),
        ("upper()", ...),
        ("upper('é1')", "É1"),
        ("lower('ABC')", "abc"),
        ("upper(list)", '[1, {"A": 2}]'),
        ("upper(true)", "TRUE"),
        ("upper(nothing)", ...),
        ("upper(1.50)", "1.50"),
        # Arithmetic: whole numbers stay whole, texts of numbers count.
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7.5 % 2", 1.5),
        ("7.0 / 2.5", 2.8),
        ("0.1 + 0.2", 0.3),
        ("'7' - '2'", 5),
        ("'7' * 1.5", 10.5),
        ("'seven' * 2", ...),
        ("- - 3", 3),
        ("-'3'", -3),
        ("1 / 0", ...),
        ("1 % 0", ...),
        ("1.5 / 0", ...),
        ("1e900 * 1e900", ...),
        (f"{'9' * 34} + 1", ...),
        (f"{'9' * 34} - 1", int("9" * 34) - 1),
        ("true + 1", ...),
        ("nothing + 1", ...),
        ("missing + 1", ...),
        ("'a' + 1", "a1"),
        ("1.5 + 'a'", "1.5a"),
        ("'a' + true", "atrue"),
        ('"a" + \'"\'', 'a"'),
        ("'a' + missing", ...),
        ("'a' + nothing", ...),
        ("'a' + list", 'a[1, {"a": 2}]'),
        # Comparisons.
        ("1 < 2", True),
        ("2 <= 2", True),
        ("3 > 10", False),
        ("'3' > 10", False),
        ("'30' > 10", True),
        ("2 >= 2.0", True),
        ("'a' < 'b'", ...),
        ("true > false", ...),
        ("nothing > 1", ...),
        ("missing > 1", ...),
        ("1 = 1.0", True),
        ("1 = '1'", False),
        ("1 <> '1'", True),
        ("1 = true", False),
        ("1 <> true", True),
        ("0 = 0", True),
        ("'a' = 'a'", True),
        ("nothing = null", True),
        ("nothing <> null", False),
        ("list = list", True),
        ("color <> list", True),
        ("missing = 1", ...),
        ("1 <> missing", ...),
        ("missing = missing", ...),
        # Logic.
        ("true AND 'TRUE'", True),
        ("true AND false", False),
        ("'false' OR yes", True),
        ("true AND 1", ...),
        ("missing OR true", ...),
        ("NOT true", False),
        ("NOT NOT 'true'", True),
        ("NOT 1", ...),
        ("NOT 1 = 2", True),
        ("true OR false AND false", True),
        ("(true OR false) AND false", False),
        ("1 + 1 = 2 AND 3 > 2", True),
        ("1e2", 100),
        ("1.5E-1", 0.15),
        ("value", ...),
        ("timestamp", ...),
    ],
)
def test_expressions(expression: str, found: Any) -> None:
    got = value(expression, topic="topic/subtopic")
    assert (got, type(got)) == (found, type(found))


def test_a_message_that_came_by_http_has_no_client() -> None:
    expression = rules.template("${clientid()}", NEW)
    assert expression.filled(scope(b"{}", client="")) == "n/a"


@pytest.mark.parametrize(("version", "written"), [(OLD, b"10.0"), (NEW, b"10")])
def test_whole_decimals(version: str, written: bytes) -> None:
    """SQL of 2016 takes 10.0 for 10, that of 2015 does not."""
    assert raw("SELECT * FROM 'a'", b'{"t": 10.0}', version=version) == b'{"t": ' + written + b"}"
    assert raw("SELECT 10.0 AS t", b"{}", version=version) == b'{"t": ' + written + b"}"
    assert raw("SELECT 0.0 AS t", b"{}", version=version) == b'{"t": ' + written[1:] + b"}"
    assert raw("SELECT 0.5 AS t", b"{}", version=version) == b'{"t": 0.5}'


@pytest.mark.parametrize(
    ("where", "called"),
    [("yes", True), ("'true'", False), ("1", False), ("missing", False), ("nothing", False)],
)
def test_actions_are_called_where_it_is_true(where: str, called: bool) -> None:
    assert (raw(f"SELECT * FROM 'a' WHERE {where}", DEEP) is not None) == called


BINARY = b"\xff\0 no JSON"


def test_a_payload_that_is_no_json() -> None:
    """As AWS's page on binary payloads has it."""
    assert raw("SELECT * FROM 'a/b'", BINARY) == BINARY
    assert raw("SELECT * FROM 'a/b' WHERE timestamp() % 12 = 3", BINARY) == BINARY
    assert raw("SELECT topic(1) AS t FROM 'a/b'", BINARY) == b'{"t": "a"}'
    for sql in (
        "SELECT * FROM 'a/b' WHERE device_type = 'thermostat'",
        "SELECT *, timestamp() AS timestamp FROM 'a/b'",
        "SELECT color FROM 'a/b'",
    ):
        with pytest.raises(RuleError, match="JSON"):
            raw(sql, BINARY)
    with pytest.raises(RuleError, match="device_id, and the payload is no JSON"):
        rules.template("device/${device_id}", NEW).filled(scope(BINARY))


@pytest.mark.parametrize("payload", [b"", b"NaN", b'{"a": 1e1000}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json(payload: bytes) -> None:
    assert rules.document(payload, NEW) is UNDEFINED


@pytest.mark.parametrize("payload", [b"80", b"[1, 2]", b'"text"', b"null"])
def test_json_that_is_no_object(payload: bytes) -> None:
    assert raw("SELECT * FROM 'a'", payload) == payload
    assert raw("SELECT color FROM 'a'", payload) == b"{}"
    with pytest.raises(RuleError, match="an object of JSON"):
        raw("SELECT *, 1 AS one FROM 'a'", payload)


def test_half_a_pair_of_surrogates_stays_what_it_is() -> None:
    written = raw("SELECT * FROM 'a'", b'{"a": "\\ud800\xc3\xa9"}')
    assert written == b'{"a": "\\ud800\xc3\xa9"}'


def test_what_json_cannot_hold_is_not_sent() -> None:
    with pytest.raises(RuleError, match="cannot be written"):
        raw("SELECT * FROM 'a'", b'{"a": 1e400}')


def test_a_text_does_not_grow_beyond_a_message() -> None:
    payload = json.dumps({"a": "x" * (limits.PAYLOAD_BYTES // 2)}).encode()
    assert raw("SELECT a + a AS b FROM 'a'", payload)
    with pytest.raises(RuleError, match="longer than a message"):
        raw("SELECT a + a + 'x' AS b FROM 'a'", payload)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain/topic", "plain/topic"),
        ("${topic()}/republish", "a/b/c/republish"),
        ("x/${topic(2)}/${color}/${temperature + 1}", "x/b/red/51"),
        ("x/${missing}/${NULL}", "x//"),
        ("${color = 'red'}", "true"),
    ],
)
def test_templates(text: str, filled: str) -> None:
    found = rules.template(text, NEW)
    assert found.filled(scope(RED)) == filled
    assert found.fixed == (text if "$" not in text else None)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "   ",
        "SELECT",
        "SELECT *,",
        "SELECT FROM 'a'",
        "SELECT * FROM",
        "SELECT * FROM a",
        'SELECT * FROM "a"',
        "SELECT * FROM ''",
        "SELECT * FROM 'a/#/b'",
        "SELECT * FROM 'a+'",
        f"SELECT * FROM '{'a/' * 8}b'",
        "SELECT * FROM '$mine/a'",
        "SELECT * FROM '$aws/rules/other/#'",
        "SELECT * FROM '$share/group/a'",
        "SELECT * FROM 'a' WHERE",
        "SELECT * FROM 'a' WHERE (1 = 1",
        "SELECT * FROM 'a' WHERE 1 = 1)",
        "SELECT * FROM 'a' WHERE 1 != 1",
        "SELECT * FROM 'a' ORDER BY b",
        "SELECT * FROM 'a', 'b'",
        "SELECT * FROM 'a' -- a comment",
        "SELECT a AS FROM 'a'",
        "SELECT a AS 'b' FROM 'a'",
        "SELECT a. FROM 'a'",
        "SELECT a.1 AS b FROM 'a'",
        "SELECT 'a FROM 'a'",
        "SELECT foo() AS a FROM 'a'",
        "SELECT topic(1 2) AS a FROM 'a'",
        "SELECT topic( AS a FROM 'a'",
        "SELECT 1e1000 AS a FROM 'a'",
        "SELECT 1e99999999999999999999 AS a FROM 'a'",
        "SELECT * FROM 'a' WHERE AND",
        "SELECT € AS a FROM 'a'",
        "SELECT \u0661 AS a FROM 'a'",
        "DELETE FROM 'a'",
        f"SELECT {'(' * (NESTING + 1)}1{')' * (NESTING + 1)} AS a FROM 'a'",
    ],
)
def test_what_is_no_sql(sql: str) -> None:
    with pytest.raises(SqlError):
        rules.statement(sql, NEW)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SET @a = 1 SELECT @a AS b FROM 'a'", "SET clause"),
        ("SELECT VALUE color FROM 'a'", "SELECT VALUE"),
        ("SELECT VALUE 5 FROM 'a'", "SELECT VALUE"),
        ("SELECT value CASE a WHEN 1 THEN 2 END FROM 'a'", "SELECT VALUE"),
        ("SELECT VALUE [1, 2] FROM 'a'", "SELECT VALUE"),
        ("SELECT * AS all FROM 'a'", "* AS"),
        ("SELECT a.b FROM 'a'", "without AS"),
        ("SELECT topic() FROM 'a'", "without AS"),
        ("SELECT 5 FROM 'a'", "without AS"),
        ("SELECT true FROM 'a'", "without AS"),
        ("SELECT a AS b.c FROM 'a'", "dot in the name"),
        ("SELECT (SELECT v FROM e) AS a FROM 'a'", "nested SELECT"),
        ("SELECT CASE a WHEN 1 THEN 2 END AS b FROM 'a'", "CASE"),
        ("SELECT [1, 2] AS a FROM 'a'", "array literals"),
        ("SELECT {'a': 1} AS a FROM 'a'", "object literals"),
        ("SELECT @a AS a FROM 'a'", "variables"),
        ("SELECT 'a\\n' AS a FROM 'a'", "backslash"),
        ("SELECT * FROM 'a' WHERE color IN ['red', 'blue']", "operator IN"),
        ("SELECT abs(-5) AS a FROM 'a'", "function abs()"),
        ("SELECT encode(*, 'base64') AS a FROM 'a'", "function encode()"),
        ("SELECT * FROM 'a' WHERE isUndefined(b)", "function isundefined()"),
        ("SELECT get_thing_shadow('a', 'b').state AS a FROM 'a'", "function get_thing_shadow()"),
        ("SELECT * FROM '$aws/things/+/jobs/notify'", "jobs"),
        ("SELECT * FROM '$aws/events/thing/+/created'", "registry and job events"),
    ],
)
def test_what_is_not_here_is_named(sql: str, what: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        rules.statement(sql, NEW)
    assert what in str(refused.value)


@pytest.mark.parametrize("text", ["${", "a/${topic(}", "${}", "${a", "${a b}", "${SELECT}"])
def test_templates_that_are_none(text: str) -> None:
    with pytest.raises(SqlError):
        rules.template(text, NEW)


def test_fields_may_be_named_as_keywords_elsewhere() -> None:
    payload = b'{"value": 1, "timestamp": 2, "level": 3, "set": 4}'
    assert raw("SELECT value, timestamp, level FROM 'a'", payload) == (
        b'{"value": 1, "timestamp": 2, "level": 3}'
    )
    assert raw("SELECT value AS v FROM 'a' WHERE value < timestamp", payload) == b'{"v": 1}'


def test_rules_without_from_are_for_basic_ingest_alone() -> None:
    assert rules.statement("SELECT * WHERE a = 1", NEW).source is None
    source = "$aws/things/+/shadow/update/accepted"
    assert rules.statement(f"SELECT * FROM '{source}'", OLD).source == source


def test_thousands_of_terms_are_no_burden() -> None:
    assert value(" + ".join(["1"] * 5000)) == 5000
    assert value(f"{'NOT ' * 5001}true") is False
    assert value(f"{'-' * 5001}1") == -1
    assert rules.statement(f"SELECT {'(' * (NESTING - 1)}1{')' * (NESTING - 1)} AS a", NEW)


def test_what_has_been_read_is_remembered_up_to_a_bound() -> None:
    for number in range(1001):
        rules.statement(f"SELECT {number} AS n", NEW)
        rules.template(str(number), NEW)
    assert rules.statement.cache_info().currsize == rules.template.cache_info().currsize == 1000


WORDS = (
    "SELECT * FROM 'a/+' WHERE AND OR NOT ( ) , . - + / % = <> < <= > >= AS a b.c 5 1.5 1e400 "
    "'x' \"y\" true null topic( topic() timestamp() upper( abs( IN [ ] { } @ CASE VALUE SET "
    "${ } $$ \\ ' \" ; € \0"
)
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
SQL = st.one_of(TEXTS, TEXTS.map(lambda each: f"SELECT {each} AS a FROM 'a'"))
PAYLOADS = st.one_of(
    st.binary(max_size=50),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abcx"), inner),
        max_leaves=8,
    ).map(lambda each: json.dumps(each).encode(errors="surrogatepass")),
)


@given(SQL, PAYLOADS, st.sampled_from(rules.VERSIONS))
@example("SELECT a = 1 AS b FROM 'a'", b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", NEW)
@example("SELECT a * a AS b FROM 'a'", b'{"a": ' + b"9" * 4300 + b"}", NEW)
@example("SELECT -a AS b FROM 'a'", b'{"a": 1e-999}', NEW)
def test_nothing_crashes_it(sql: str, payload: bytes, version: str) -> None:
    try:
        made = raw(sql, payload, version=version)
        assert made is None or isinstance(made, bytes)
    except (SqlError, UnsupportedError, RuleError) as refused:
        assert str(refused)
    try:
        assert isinstance(rules.template(sql, version).filled(scope(payload)), str)
    except (SqlError, UnsupportedError, RuleError) as refused:
        assert str(refused)


NUMBERS = st.integers(-(10**15), 10**15)


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*", "<", "<=", ">", ">=", "=", "<>"]))
def test_it_reckons_as_python_does(left: int, right: int, sign: str) -> None:
    same = {"=": "==", "<>": "!="}.get(sign, sign)
    payload = json.dumps({"a": left, "b": right}).encode()
    assert value(f"a {sign} b", payload) == eval(f"left {same} right")


@given(NUMBERS, NUMBERS.filter(bool))
def test_quotient_and_remainder_make_the_whole(left: int, right: int) -> None:
    payload = json.dumps({"a": left, "b": right}).encode()
    assert value("(a / b) * b + a % b", payload) == left
