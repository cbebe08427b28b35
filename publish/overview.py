"""The overview of who talks to whom: the successor of the post's picture from AWS's guide."""

from html import escape

import schemdraw
from schemdraw import flow
from schemdraw.elements import Element

Point = tuple[float, float]

ALTERNATIVE = (
    "Who talks to whom. The button shows its certificate and sends its message to the message "
    "broker, by MQTT over TLS. The broker asks the registry whether the certificate is active and "
    "what its policy allows, and passes the message on to the listener. You make Thing, policy and "
    "certificate in the registry, with boto3."
)


def draw() -> bytes:
    """Draw it as SVG: a button, a broker, a listener, and the registry that you write to."""
    schemdraw.use("svg")
    with schemdraw.Drawing(show=False, fontsize=13, unit=1) as drawing:
        drawing.config(bgcolor="white", margin=0.3)
        button = _box((0, 0), "Button", "its certificate,\nits private key")
        listener = _box((0, -3.2), "Listener", "a device with\na certificate of its own")
        you = _box((0, -7.4), "You", "the notebooks,\nor the console")
        broker = _box(
            (8, -1.6), "Message broker", "lets in and passes on\nwhat policies allow", 5.4
        )
        registry = _box((8, -7.4), "Registry", "Things, policies,\ncertificates")
        _arrow(button.E, (8, 0), "MQTT over TLS")
        _arrow((8, -3.2), listener.E, "MQTT over TLS")
        _arrow(you.E, registry.W, "boto3")
        flow.Arrow().at(broker.S).to(registry.N).label(
            "certificate active?\npolicy allows it?", fontsize=11, ofst=(0, 0.35), halign="left"
        )
    svg = bytes(drawing.get_imagedata("svg")).decode()
    start, rest = svg.split(">", 1)
    return f'{start} role="img"><title>{escape(ALTERNATIVE)}</title>{rest}'.encode()


def _box(place: Point, name: str, about: str, height: float = 2.2) -> Element:
    box = flow.Box(w=5.2, h=height).at(place).anchor("W").fill("#eef5ff")
    return box.label(f"{name}\n{about}", fontsize=12)


def _arrow(start: Point, end: Point, label: str) -> None:
    flow.Arrow().at(start).to(end).label(label, fontsize=11, ofst=0.15)
