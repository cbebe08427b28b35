"""Who may: every check of a CONNECT, a message and a SUBSCRIBE, in AWS's order.

An :class:`Authority` asks the policies of one connection's certificate, as they are now. The
functions after it say what is asked, and what AWS IoT refuses whatever the policies say.
"""

import uuid
from collections.abc import Callable, Sequence
from functools import partial

import iot_policy as policy
from iot_policy.patterns import Context
from sandbox.broker.link import Peer, Signer
from sandbox.mqtt import limits
from sandbox.mqtt.packets import (
    V5,
    Connect,
    Property,
    Publish,
    ReasonCode,
    RefusedError,
    Subscribe,
)
from sandbox.mqtt.topics import check_filter, check_topic
from sandbox.registry import RegisteredCertificate, Registry, certificate_names

ContextOf = Callable[[Sequence[policy.AttachedThing]], Context]
"""Returns the values of a connection's policy variables, given the Things of its certificate."""


class Authority:
    """Decides for one connection, and remembers each decision until the registry changes."""

    def __init__(
        self,
        registry: Registry,
        certificate: RegisteredCertificate,
        client_id: str,
        context_of: ContextOf,
    ) -> None:
        self._registry = registry
        self._certificate = certificate
        self._client_id = client_id
        self._context_of = context_of
        self._revision = -1
        self._decisions: dict[tuple[str, str], bool] = {}
        self._policies: list[policy.Policy] = []
        self._context: Context = {}
        self._unreadable = ""

    @property
    def principal_id(self) -> str:
        """The id of the certificate that it decides for."""
        return self._certificate.principal_id

    @property
    def active(self) -> bool:
        """Whether the certificate is still registered, and ACTIVE."""
        return self._registry.status(self._certificate) == "ACTIVE"

    def check_certificate(self) -> None:
        """Raise RefusedError unless the certificate is still registered, and ACTIVE."""
        status = self._registry.status(self._certificate)
        if status != "ACTIVE":
            raise RefusedError(
                ReasonCode.NOT_AUTHORIZED,
                f"certificate {self.principal_id[:8]}… is {status}: only an ACTIVE one may connect",
                action="iot:Connect",
                resource=self._certificate.arn,
                problem=f"certificate {status}",
            )

    def check_connection(self) -> None:
        """Raise RefusedError unless the connection may be, as certificate and policies are now.

        That a connection is cut when a policy no longer allows it, AWS does not document; it does
        say that a change takes up to eight minutes to count, which a lesson cannot wait for.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
        """
        self.check_certificate()
        self.check("iot:Connect", f"client/{self._client_id}")

    def allows(self, action: str, resource: str) -> bool:
        """Return whether the policies allow *action*, such as ``iot:Publish``, on ``topic/…``."""
        if self._revision != self._registry.revision:
            self._read_policies()
        key = action, resource
        allowed = self._decisions.get(key)
        if allowed is None:
            if len(self._decisions) >= limits.DECISIONS:
                self._decisions.clear()
            allowed = self._decisions[key] = self._decide(action, resource)
        return allowed

    def check(self, action: str, resource: str) -> None:
        """Raise RefusedError, with the explanation, unless the policies allow it."""
        if not self.allows(action, resource):
            raise self.explain(action, resource)

    def explain(self, action: str, resource: str) -> RefusedError:
        """Return why *action* on *resource* is denied."""
        request = self._request(action, resource)
        if self._unreadable:
            return RefusedError(
                ReasonCode.NOT_AUTHORIZED,
                self._unreadable,
                action=action,
                resource=request.resource,
                problem="unreadable policy",
            )
        found = policy.explain(self._policies, request)
        return RefusedError(
            ReasonCode.NOT_AUTHORIZED,
            found.hint,
            action=action,
            resource=request.resource,
            verdict=found.decision.verdict,
            explanation=str(found),
            problem=found.problem,
        )

    def unanswered(self, action: str, resource: str, service: str) -> RefusedError:
        """Return what to record of a request that AWS IoT's *service* would act on."""
        return _unanswered(action, _arn(self._certificate, resource), service)

    def _read_policies(self) -> None:
        # The revision first: after a change meanwhile, the next decision reads them again.
        self._revision = self._registry.revision
        self._decisions.clear()
        thing = self._registry.thing(self._certificate, self._client_id)
        self._context = self._context_of([thing] if thing else [])
        self._policies, self._unreadable = [], ""
        try:
            for found, group in self._registry.policies(self._certificate, thing):
                self._policies.append(policy.parse(found.name, str(found.document), group))
        except policy.MalformedPolicy as error:
            # The policy that cannot be read might hold a Deny: without it, nothing is allowed.
            self._policies, self._unreadable = [], f"policy {found.name} cannot be read: {error}"

    def _decide(self, action: str, resource: str) -> bool:
        return policy.decide(self._policies, self._request(action, resource)).verdict == "ALLOWED"

    def _request(self, action: str, resource: str) -> policy.Request:
        return policy.Request(action, _arn(self._certificate, resource), self._context)


class AccountAuthority(Authority):
    """Decides for a connection that is signed with the account's own credentials.

    On AWS their IAM policies decide. Those of the sandbox may do all; what AWS IoT refuses to
    everybody is refused to them, too.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iam-policies.html
    """

    active = True

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    @property
    def principal_id(self) -> str:
        """The access key id that it decides for."""
        return self._signer.principal_id

    def check_certificate(self) -> None:
        """Do nothing: there is no certificate."""

    def check_connection(self) -> None:
        """Do nothing: it may be."""

    def allows(self, action: str, resource: str) -> bool:
        """Return True."""
        return True

    def unanswered(self, action: str, resource: str, service: str) -> RefusedError:
        """Return what to record of a request that AWS IoT's *service* would act on."""
        return _unanswered(action, _arn(self._signer, resource), service)


def admit(
    packet: Connect, registry: Registry, principal: RegisteredCertificate | Signer, peer: Peer
) -> Authority:
    """Check a CONNECT: the certificate first, then what is asked, then the policies.

    Args:
        packet: Gets a client id from the broker if it has none.
        registry: Says what the certificate may do.
        principal: The certificate that the client has proven to hold, or who has signed for it.
        peer: Where the client comes from, and which host it asked for.

    Returns:
        What the connection may do from now on.

    Raises:
        RefusedError: it may not connect.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/connect-policy.html
    """
    if not packet.client_id:
        packet.client_id, packet.assigned = _assigned_id(packet), True
    if isinstance(principal, Signer):
        authority: Authority = AccountAuthority(principal)
    else:
        authority = _by_policies(packet, registry, principal, peer)
    authority.check_certificate()
    _check_connect(packet)
    authority.check_connection()
    if packet.will:
        check_message(packet.will, authority)
    return authority


def _by_policies(
    packet: Connect, registry: Registry, certificate: RegisteredCertificate, peer: Peer
) -> Authority:
    will = packet.will
    attributes = ["LastWill"] if will else []
    if not packet.clean_start:
        attributes.append("PersistentConnect")
    context_of = partial(
        policy.connection_context,
        packet.client_id,
        peer.address,
        certificate.certificate_id,
        certificate_names=certificate_names(certificate.pem),
        domain_name=peer.server_name,
        connect_attributes=attributes,
        last_will_topic=_arn(certificate, f"topic/{will.topic}") if will else None,
    )
    return Authority(registry, certificate, packet.client_id, context_of)


def check_message(message: Publish, authority: Authority) -> None:
    """Raise RefusedError unless *message* may be published: its form first, then the policies."""
    check_form(message)
    resource = f"topic/{message.topic}"
    authority.check("iot:Publish", resource)
    if message.retain:
        authority.check("iot:RetainPublish", resource)


def check_form(message: Publish) -> None:
    """Raise RefusedError if AWS IoT takes no such message, whoever publishes it.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt-differences
    """
    _check_qos(message.qos, "use")
    check_topic(message.topic)
    if len(message.payload) > limits.PAYLOAD_BYTES:
        raise RefusedError(
            ReasonCode.PACKET_TOO_LARGE,
            f"a payload of {len(message.payload)} bytes; "
            f"AWS IoT takes {limits.PAYLOAD_BYTES} at most",
        )
    if message.retain and message.topic.startswith("$"):
        raise RefusedError(
            ReasonCode.TOPIC_NAME_INVALID, "a reserved topic ($…) takes no retained message"
        )


def check_subscribe(packet: Subscribe) -> None:
    """Raise RefusedError if AWS IoT takes no such SUBSCRIBE, whatever the policies say."""
    if Property.SUBSCRIPTION_IDENTIFIER in packet.properties:
        raise RefusedError(
            ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            "AWS IoT has no subscription identifiers",
        )
    if len(packet.subscriptions) > limits.FILTERS_PER_SUBSCRIBE:
        raise RefusedError(
            ReasonCode.QUOTA_EXCEEDED,
            f"a SUBSCRIBE has {limits.FILTERS_PER_SUBSCRIBE} filters at most",
        )
    for each in packet.subscriptions:
        _check_qos(each.qos, "subscribe with")


def check_subscription(topic_filter: str, authority: Authority) -> None:
    """Raise RefusedError unless *topic_filter* may be subscribed to."""
    check_filter(topic_filter)
    authority.check("iot:Subscribe", f"topicfilter/{topic_filter}")


def _check_qos(qos: int, use: str) -> None:
    if qos > limits.MAXIMUM_QOS:
        raise RefusedError(ReasonCode.QOS_NOT_SUPPORTED, f"AWS IoT has no QoS 2: {use} QoS 0 or 1")


def _check_connect(packet: Connect) -> None:
    if len(packet.client_id.encode()) > limits.CLIENT_ID_BYTES:
        raise RefusedError(
            ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            f"a client id of AWS IoT has {limits.CLIENT_ID_BYTES} bytes at most",
        )
    if packet.client_id.startswith("$") and not packet.assigned:
        raise RefusedError(
            ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            "a client id does not begin with $: AWS IoT's own do",
        )
    if Property.AUTHENTICATION_METHOD in packet.properties:
        raise RefusedError(
            ReasonCode.BAD_AUTHENTICATION_METHOD,
            "AWS IoT knows a device by its certificate, not by an authentication method",
        )


def _assigned_id(packet: Connect) -> str:
    if packet.version != V5 and not packet.clean_start:
        raise RefusedError(
            ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            "a persistent session needs a client id: give one, or ask for a clean session",
        )
    return f"$GEN/{uuid.uuid4()}"


def _unanswered(action: str, resource: str, service: str) -> RefusedError:
    return RefusedError(
        ReasonCode.SUCCESS,
        f"the sandbox has no {service}: this is allowed, and nothing comes of it",
        action=action,
        resource=resource,
        problem="UNANSWERED",
    )


def _arn(principal: RegisteredCertificate | Signer, resource: str) -> str:
    return policy.arn(principal.region, principal.account, resource)
