"""Topic rules: moto keeps them; their SQL is in ``sandbox/rules.py``, their work in the broker.

Of their actions ``republish`` is here. The others, and an error action, are refused by name.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, IoTClientError
from moto.iot.responses import IoTResponse

from sandbox import rules
from sandbox.broker.rules import target
from sandbox.gaps.operations import Answer, model, overriding
from sandbox.gaps.served import NotImplementedException, paths
from sandbox.mqtt.packets import RefusedError
from sandbox.mqtt.topics import check_topic

_ACTIONS = ("republish.topic", "republish.qos", "republish.roleArn")
"""What is honoured of an action, but for the role: that is AWS IAM's, and nobody asks it here."""


class SqlParseException(IoTClientError):
    """A rule's SQL cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__("SqlParseException", message)


class UnauthorizedException(IoTClientError):
    """A request is not allowed."""

    code = 401

    def __init__(self, message: str) -> None:
        super().__init__("UnauthorizedException", message)


@overriding("create_topic_rule", "replace_topic_rule")
def checked_rule(request: IoTResponse, moto: Answer) -> ActionResult:
    """Check a rule's SQL and its actions, and complete what moto keeps of it.

    Moto does not read where the API model has the rule, which is the whole body.

    Sources: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateTopicRule.html
    https://docs.aws.amazon.com/iot/latest/developerguide/iot-create-rule.html
    """
    rule = request.params.pop("topicRulePayload")
    version = rule.setdefault("awsIotSqlVersion", rules.VERSIONS[0])
    try:
        _check_version(version)
        statement = rules.statement(rule["sql"], version)
        for action in rule["actions"]:
            _check_action(action, version)
    except rules.SqlError as problem:
        raise SqlParseException(str(problem)) from problem
    except rules.UnsupportedError as problem:
        raise NotImplementedException(str(problem)) from problem
    request.params.update(rule)
    result = moto()
    kept = request.iot_backend.rules[request._get_param("ruleName")]
    kept.topic_pattern = statement.source
    return result


@overriding("get_topic_rule")
def rule_without_error_action(request: IoTResponse, moto: Answer) -> ActionResult:
    """Leave out an error action that there is not; moto tells an empty one.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_GetTopicRule.html
    """
    found: Any = moto().result
    del found["rule"]["errorAction"]
    return ActionResult(found)


@overriding("list_topic_rules")
def rules_by_state(request: IoTResponse, moto: Answer) -> ActionResult:
    """List the rules that are in force, or those that are not, where that is asked for.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListTopicRules.html
    """
    found: Any = moto().result
    wanted = request._get_param("ruleDisabled")
    listed = [each for each in found["rules"] if wanted in (None, each["ruleDisabled"])]
    return ActionResult({"rules": listed})


@overriding(
    "delete_topic_rule",
    "disable_topic_rule",
    "enable_topic_rule",
    "get_topic_rule",
    "replace_topic_rule",
)
def missing_rule(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse access to a rule that there is not: none of these operations tells that it is missing.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_GetTopicRule.html (its errors)
    """
    name = request._get_param("ruleName")
    if name not in request.iot_backend.rules:
        raise UnauthorizedException(f"Access to topic rule '{name}' was denied")
    return moto()


def _check_version(version: str) -> None:
    """Refuse another version of SQL than those that are here.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-rule-sql-version.html
    """
    if version == "beta":
        raise rules.UnsupportedError("version beta of SQL")
    if version not in rules.VERSIONS:
        raise InvalidRequestException(f"awsIotSqlVersion is one of {', '.join(rules.VERSIONS)}")


def _check_action(action: dict[str, dict[str, str]], version: str) -> None:
    for path in paths(model("iot").shape_for("Action"), action, _ACTIONS):
        if path not in _ACTIONS:
            raise rules.UnsupportedError(f"a topic rule's action {path}")
    if "republish" not in action:
        raise InvalidRequestException("An action names what it does, such as republish")
    topic = action["republish"]["topic"]
    fixed = target(topic, version).fixed
    if topic.startswith("$") and topic[:2] not in ("$$", "${"):
        raise InvalidRequestException(
            f"To republish to a reserved topic, write $$ in place of its $, not {topic}"
        )
    if fixed is not None:
        try:
            check_topic(fixed)
        except RefusedError as problem:
            raise InvalidRequestException(f"Topic {topic}: {problem.reason}") from problem
