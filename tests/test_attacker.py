"""A web page as the attacker: a real Chromium, a page of another origin, a real sandbox.

The page knows the sandbox's port, and tries each kind of request that a page can make.
"""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_websocket import signed
from browser_lab import chromium
from playwright.sync_api import Browser, Page

from helpers import policy, thing
from helpers.account import Account

REBOUND = "rebound.example"
"""A name of the attacker's, which leads to this machine once the page is in the browser."""

PAGE = '<!doctype html><link rel="icon" href="data:,"><body>free prizes</body>'

PATHS = {
    "reset": "/moto-api/reset",
    "record": "/moto-api/recorder/start-recording",
    "issue": "/keys-and-certificate?setAsActive=true",
    "delete": "/policies/kept/delete",
    "make": "/things/planted",
    "list": "/things",
    "page": "/_sandbox/refusals/123456789012",
    "forget": "/_sandbox/forget/123456789012",
    "mark": "/_sandbox/passed/123456789012/planted",
}

KINDS = {
    "fetch": "fetch(url, {method: 'POST', body: '{}'}).then(r => r.text())",
    "fetch as text": (
        "fetch(url, {method: 'POST', body: '{}', headers: {'Content-Type': 'text/plain'}})"
        ".then(r => r.text())"
    ),
    "fetch, opaque": (
        "fetch(url, {method: 'POST', body: '{}', mode: 'no-cors'}).then(r => r.text())"
    ),
    "fetch, signed": (
        "fetch(url, {method: 'POST', body: '{}', headers: {Authorization: signed}})"
        ".then(r => r.text())"
    ),
    "fetch, another method": "fetch(url, {method: 'DELETE'}).then(r => r.text())",
    "fetch to read": "fetch(url).then(r => r.text())",
    "beacon": "navigator.sendBeacon(url, '{}') && ''",
    "request object": """new Promise(done => {
        const request = new XMLHttpRequest();
        request.onloadend = () => done(request.responseText);
        request.open('POST', url);
        request.send('{}');
    })""",
    "form": """new Promise(done => {
        const frame = document.createElement('iframe');
        frame.name = 'target';
        frame.onload = () => done(frame.contentDocument?.body?.innerText ?? '');
        document.body.append(frame);
        const form = document.createElement('form');
        Object.assign(form, {action: url, method: 'POST', enctype: 'text/plain', target: 'target'});
        document.body.append(form);
        form.submit();
    })""",
    "image": """new Promise(done => {
        const image = new Image();
        image.onload = image.onerror = () => done('');
        image.src = url;
    })""",
    "script": """new Promise(done => {
        const script = document.createElement('script');
        script.onload = script.onerror = () => done('');
        script.src = url;
        document.body.append(script);
    })""",
    "style sheet": """new Promise(done => {
        const link = document.createElement('link');
        link.rel = 'stylesheet';
        link.onload = link.onerror = () => done('');
        link.href = url;
        document.head.append(link);
    })""",
    "frame": """new Promise(done => {
        const frame = document.createElement('iframe');
        frame.onload = () => done(frame.contentDocument?.body?.innerText ?? '');
        frame.src = url;
        document.body.append(frame);
    })""",
    "web socket": """new Promise(done => {
        const socket = new WebSocket(url.replace('http', 'ws'));
        socket.onopen = () => done('open');
        socket.onerror = () => done('');
    })""",
    "event source": """new Promise(done => {
        const source = new EventSource(url);
        source.onmessage = message => { source.close(); done(message.data); };
        source.onerror = () => { source.close(); done(''); };
    })""",
}
"""Each asks for ``url`` and gives what the page could read of the answer."""


@pytest.fixture(scope="module")
def browsing() -> Iterator[Browser]:
    # A browser that asks nobody whether a page may reach this machine, as all did until 2025.
    open_to_all = "--disable-features=LocalNetworkAccessChecks"
    with chromium(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1", open_to_all) as running:
        yield running


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """The attacker's own site."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(PAGE)
    handler = functools.partial(_Quiet, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def held(aws: Account) -> dict[str, Any]:
    """All that a page might have changed or made."""
    return {
        "things": aws.iot.list_things()["things"],
        "policies": aws.iot.list_policies()["policies"],
        "certificates": aws.iot.list_certificates()["certificates"],
        "milestones": aws.line.read(f"milestones/{aws.number}"),
    }


def attack(page: Page, root: str) -> tuple[dict[str, str], list[int]]:
    """Try each kind on each path; return what could be read, and the status of every answer."""
    statuses: list[int] = []
    devtools = page.context.new_cdp_session(page)  # it sees what the page itself may not
    devtools.send("Network.enable")
    devtools.on(
        "Network.responseReceivedExtraInfo", lambda each: statuses.append(each["statusCode"])
    )
    read = {}
    for kind, code in KINDS.items():
        for what, path in PATHS.items():
            read[f"{kind}: {what}"] = str(
                page.evaluate(
                    f"async ([url, signed]) => {{ try {{ return await ({code}); }} catch {{}} }}",
                    [root + path, "AWS4-HMAC-SHA256 Credential=x/20171001/eu-west-1/iot/x, y"],
                )
                or ""
            )
    return read, statuses


SOCKET = """url => new Promise(done => {
    const socket = new WebSocket(url, 'mqtt');
    socket.onopen = () => done('open');
    socket.onerror = () => done('refused');
})"""


def prepare(aws: Account) -> str:
    thing.register(aws.iot, "kept")
    document = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))
    aws.iot.create_policy(policyName="kept", policyDocument=document)
    aws.line.change(f"passed/{aws.number}/kept")
    return str(aws.iot.meta.endpoint_url)


def web_socket(aws: Account, name: str = "localhost") -> str:
    """The address of the broker's WebSocket, signed: README names the secret to everybody."""
    about = aws.line.read("about")
    assert isinstance(about, dict)
    host = f"{name}:{about['wss_port']}"
    return f"wss://{host}{signed(host)}"


@pytest.mark.parametrize("name", ["localhost", REBOUND])
def test_a_page_of_another_origin_gets_no_web_socket(
    aws: Account, browsing: Browser, elsewhere: str, state_dir: Path, name: str
) -> None:
    """Even one whose user has told the browser to trust the sandbox."""
    page = browsing.new_context(ignore_https_errors=True).new_page()
    page.route("https://evil.example/", lambda each: each.fulfill(body=PAGE))
    page.goto("https://evil.example/")
    assert page.evaluate(SOCKET, web_socket(aws, name)) == "refused"
    log = (state_dir / "sandbox.log").read_text()
    assert "the sandbox answers no web page of another host" in log.splitlines()[-1]
    page.goto(elsewhere)  # a page of this machine, such as the learner's own, is none of elsewhere
    assert page.evaluate(SOCKET, web_socket(aws)) == "open"
    page.context.close()


def test_a_page_of_another_origin_changes_and_reads_nothing(
    aws: Account, browsing: Browser, elsewhere: str
) -> None:
    root = prepare(aws)
    before = held(aws)
    page = browsing.new_page()
    page.goto(elsewhere)
    read, answers = attack(page, root)
    assert {how: what for how, what in read.items() if what} == {}
    assert held(aws) == before
    # The requests did come: else this would say nothing of the sandbox.
    assert len(answers) > len(KINDS) * len(PATHS) / 2
    assert set(answers) == {403}
    page.close()


def test_a_name_that_is_made_to_lead_here_opens_nothing(aws: Account, browsing: Browser) -> None:
    """DNS rebinding: for the browser the page and the sandbox are then of one origin."""
    root = prepare(aws)
    before = held(aws)
    rebound = root.replace("127.0.0.1", REBOUND)
    page = browsing.new_page()
    page.route(f"{rebound}/trap", lambda each: each.fulfill(body=PAGE, content_type="text/html"))
    page.goto(f"{rebound}/trap")
    read, answers = attack(page, rebound)
    for how, what in read.items():
        assert not what or "is not here" in what, how
    assert held(aws) == before
    assert len(answers) > len(KINDS) * len(PATHS) / 2
    assert set(answers) == {403}
    page.close()
