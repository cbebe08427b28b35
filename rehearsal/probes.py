"""The questions that nobody here could answer, each asked in code; ``questions.md`` has the words.

An answer is a few plain values, the same on each run. What was asked on the way is recorded, too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from botocore.exceptions import ClientError
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.button import PATIENCE, Device, device
from helpers.errors import LessonError
from helpers.marker import MARKER
from helpers.policy import document, statement
from rehearsal.mask import mask

Step = Callable[[Client], object]
MQTT_3, MQTT_5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
OPENED = "CONNACK Success"
TAKES_AT_MOST = 600.0
"""Seconds until a new policy counts at AWS's broker; AWS speaks of minutes."""


@dataclass(frozen=True)
class Scene:
    """What the questions are asked about: two certificates with policies, and one switched off."""

    account: Account
    pause: float
    """Seconds before each connection: AWS takes one a second from each client id."""
    device: Device
    variable: Device
    """Its policy says ``${iot:Thing.ThingName}``, and in full a client id that always may."""
    inactive: str
    """The ARN of a certificate that is not active; its policy allows what it is asked for."""

    def talk(self, device: Device, version: int, *steps: Step, client_id: str = "") -> list[str]:
        """Connect, take one step after the other, and return what came back of each."""
        time.sleep(self.pause)
        heard: Queue[str] = Queue()
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or device.name,
            protocol=MQTTProtocolVersion(version),
            reconnect_on_failure=False,
        )
        client.on_connect = lambda _c, _u, _f, reason, its: heard.put(_connected(reason, its))
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: heard.put(
            f"SUBACK {', '.join(map(str, reasons))}"
        )
        client.on_publish = lambda _c, _u, _m, reason, _p: heard.put(f"PUBACK {reason}")
        client.on_disconnect = lambda _c, _u, _f, reason, _p: heard.put(f"closed: {reason}")
        link, files = self.account.link, device.files
        endpoint = self.account.iot.describe_endpoint(endpointType="iot:Data-ATS")
        said = []
        try:
            link.open(
                client,
                endpoint["endpointAddress"],
                certificate=files.certificate,
                private_key=files.private_key,
                root_ca=files.root_ca,
            )
            for step in (lambda _: None, *steps):
                step(client)
                said.append(link.take(client, heard, PATIENCE))
                if not said[-1].startswith(("CONNACK Success", "SUBACK", "PUBACK")):
                    break
        except Empty:
            said.append("nothing")
        except (OSError, ValueError) as problem:
            said.append(type(problem).__name__)
        finally:
            link.close(client)
        return said

    def decide(self, principal: str, **names: list[str]) -> dict[str, object]:
        """Ask TestAuthorization whether the device may connect as itself."""
        client = self.device.name
        arn = self.account.arn("client", client)
        answer = self.account.iot.test_authorization(
            principal=principal,
            clientId=client,
            authInfos=[{"actionType": "CONNECT", "resources": [arn]}],
            **names,  # type: ignore[arg-type]  # the names of policies
        )["authResults"][0]
        return {
            "decision": answer["authDecision"],
            "missing": list(answer.get("missingContextValues", [])),
        }

    def arn_of(self, device: Device) -> str:
        """Return the ARN of a device's certificate."""
        return self.account.arn("cert", device.files.certificate_id)


def prepare(account: Account, *, pause: float) -> Scene:
    """Make what the questions are asked about, and wait until the broker lets it in."""
    iot, arn, name = account.iot, account.arn, account.name
    own, other = name("probe"), name("variable")
    topic = f"iotbutton/{thing.EXAMPLE_SERIAL}"
    for each, allowed in {
        own: document(
            statement("iot:Connect", arn("client", own)),
            statement("iot:Publish", arn("topic", topic)),
            statement("iot:Publish", arn("topic", "$probe/x")),
            statement("iot:Subscribe", arn("topicfilter", "$SYS/#")),
        ),
        other: document(
            statement("iot:Connect", arn("client", "${iot:Thing.ThingName}")),
            statement("iot:Connect", arn("client", name("known"))),
        ),
    }.items():
        thing.register(iot, each)
        policy.put_in_force(iot, f"{each}-policy", allowed)
        certificate.issue(account, each, f"{each}-policy")
    off = arn("cert", certificate.create(account, name("inactive")).certificate_id)
    iot.attach_policy(policyName=f"{own}-policy", target=off)
    scene = Scene(account, pause, device(account, own), device(account, other), off)
    give_up = time.monotonic() + (TAKES_AT_MOST if pause else 0)
    for waiting, client_id in ((scene.device, ""), (scene.variable, name("known"))):
        while scene.talk(waiting, MQTT_3, client_id=client_id) != [OPENED]:
            if time.monotonic() > give_up:
                break  # and ask all the same
            time.sleep(4 * pause)
    return scene


def _connected(reason: object, its: Any) -> str:
    most = getattr(its, "MaximumQoS", None)
    return f"CONNACK {reason}" + (f", QoS {most} at most" if most is not None else "")


def inactive_certificate(scene: Scene) -> object:
    """Ask TestAuthorization of a certificate that is INACTIVE."""
    return scene.decide(scene.inactive)


def names_to_add(scene: Scene) -> object:
    """Ask what a certificate might do if it had one policy more, which denies."""
    name = scene.account.name("denies")
    policy.put_in_force(
        scene.account.iot, name, document(statement("iot:Connect", "*", effect="Deny"))
    )
    return scene.decide(scene.arn_of(scene.device), policyNamesToAdd=[name])


def names_to_skip(scene: Scene) -> object:
    """Ask what a certificate might do without the policy that it has."""
    return scene.decide(
        scene.arn_of(scene.device), policyNamesToSkip=[f"{scene.device.name}-policy"]
    )


def thing_variables(scene: Scene) -> object:
    """Ask TestAuthorization with a policy whose variables the certificate's Thing fills in."""
    account, name = scene.account, scene.account.name("recommended")
    principal = scene.arn_of(scene.device)
    recommended = policy.recommended(account.region, account.number)
    policy.put_in_force(account.iot, name, recommended)
    account.iot.attach_policy(policyName=name, target=principal)
    time.sleep(10 * scene.pause)
    without = {"policyNamesToSkip": [f"{scene.device.name}-policy"]}
    attached = scene.decide(principal, **without)
    account.iot.detach_thing_principal(thingName=scene.device.name, principal=principal)
    time.sleep(10 * scene.pause)
    detached = scene.decide(principal, **without)
    account.iot.attach_thing_principal(thingName=scene.device.name, principal=principal)
    return {"attached": attached, "detached": detached}


def thing_id(scene: Scene) -> object:
    """Create a Thing twice: is it one, with one id?"""
    made = {
        "thingName": scene.account.name("twice"),
        "attributePayload": {"attributes": thing.attributes(thing.EXAMPLE_SERIAL)},
    }
    ids = {scene.account.iot.create_thing(**made)["thingId"] for _ in range(2)}  # type: ignore[arg-type]
    return {"ids": len(ids)}


def policy_bytes(scene: Scene) -> object:
    """Create a policy with blanks, an escape and an odd order of keys: does it come back so?"""
    iot, name = scene.account.iot, scene.account.name("bytes")
    text = (
        '{ "Statement":[{"Resource" : "*","Effect":"Deny",\n\t"Action":"iot:Conn\\u0065ct"}] ,'
        ' "Version":"2012-10-17"}\n'
    )
    iot.create_policy(policyName=name, policyDocument=text, tags=policy.TAGS)
    return {"same": iot.get_policy(policyName=name)["policyDocument"] == text}


def list_after_change(scene: Scene) -> object:
    """Make something, list; remove it, list: is each change in the list at once?"""
    iot, name = scene.account.iot, scene.account.name("late")
    text = policy.to_json(document(statement("iot:Connect", "*", effect="Deny")))
    target = scene.arn_of(scene.variable)

    def listed() -> dict[str, bool]:
        things = iot.get_paginator("list_things").paginate(
            attributeName=MARKER[0], attributeValue=MARKER[1]
        )
        policies = iot.get_paginator("list_policies").paginate()
        attached = iot.get_paginator("list_attached_policies").paginate(target=target)
        return {
            "ListThings": name in things.search("things[].thingName"),
            "ListPolicies": name in policies.search("policies[].policyName"),
            "ListAttachedPolicies": name in attached.search("policies[].policyName"),
        }

    thing.register(iot, name)
    iot.create_policy(policyName=name, policyDocument=text, tags=policy.TAGS)
    iot.attach_policy(policyName=name, target=target)
    made = listed()
    policy.remove(iot, name)
    thing.remove(iot, name)
    return {"made": made, "removed": listed()}


def tags(scene: Scene) -> object:
    """Create a policy with a tag, and ask for its tags at once."""
    iot, name = scene.account.iot, scene.account.name("tagged")
    text = policy.to_json(document(statement("iot:Connect", "*", effect="Deny")))
    made = iot.create_policy(policyName=name, policyDocument=text, tags=policy.TAGS)
    there = iot.list_tags_for_resource(resourceArn=made["policyArn"])["tags"]
    return {"tags": there == policy.TAGS}


def subscribe_denied_mqtt_3(scene: Scene) -> object:
    """Subscribe with MQTT 3.1.1 to what no policy allows."""
    return scene.talk(scene.device, MQTT_3, lambda client: client.subscribe("not/allowed", qos=1))


def subscribe_denied_mqtt_5(scene: Scene) -> object:
    """Subscribe with MQTT 5 to what no policy allows."""
    return scene.talk(scene.device, MQTT_5, lambda client: client.subscribe("not/allowed", qos=1))


def qos_2(scene: Scene) -> object:
    """Publish with QoS 2 in MQTT 5, where a server says in its CONNACK that it has none."""
    topic = scene.device.topic
    return scene.talk(scene.device, MQTT_5, lambda client: client.publish(topic, "{}", qos=2))


def dollar_topics(scene: Scene) -> object:
    """Use topics that begin with ``$`` and that the policy allows: the broker's own, one's own."""
    return {
        "SUBSCRIBE $SYS/#": scene.talk(
            scene.device, MQTT_5, lambda client: client.subscribe("$SYS/#", qos=1)
        ),
        "PUBLISH $probe/x": scene.talk(
            scene.device, MQTT_5, lambda client: client.publish("$probe/x", "{}", qos=1)
        ),
    }


def thing_name_variable(scene: Scene) -> object:
    """Connect with a policy that says ``${iot:Thing.ThingName}``, as old pages have it."""
    return scene.talk(scene.variable, MQTT_5)


QUESTIONS: dict[str, Callable[[Scene], object]] = {
    "inactive-certificate": inactive_certificate,
    "names-to-add": names_to_add,
    "names-to-skip": names_to_skip,
    "thing-variables": thing_variables,
    "thing-id": thing_id,
    "policy-bytes": policy_bytes,
    "list-after-change": list_after_change,
    "tags": tags,
    "subscribe-denied-mqtt-3": subscribe_denied_mqtt_3,
    "subscribe-denied-mqtt-5": subscribe_denied_mqtt_5,
    "qos-2": qos_2,
    "dollar-topics": dollar_topics,
    "thing-name-variable": thing_name_variable,
}
"""By the heading that each has in ``questions.md``, in the order in which they are asked."""


def ask(question: str, scene: Scene) -> object:
    """Ask one question; an error is an answer, too."""
    try:
        return QUESTIONS[question](scene)
    except (ClientError, LessonError) as problem:
        return mask(str(problem))
