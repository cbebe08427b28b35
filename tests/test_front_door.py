"""The front door over real sockets: who is let in, and what nobody can do to the others."""

import http.client
import json
import logging
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import conftest
import in_process
import psutil
import pytest
from botocore.exceptions import ClientError
from moto.iot.responses import IoTResponse

from helpers.account import Account
from sandbox import http_server, process
from sandbox.control import ControlPlane
from sandbox.front_door import FrontDoor
from sandbox.http_server import HttpServer
from sandbox.inside import signed

SIGNED = signed("iot")
IDLE = 1100
HALF_SENT = 50
MEGABYTE = 1024 * 1024


@pytest.fixture
def server(nowhere: None) -> Iterator[HttpServer]:
    """The front door on a port of this process, before an account that holds nothing."""
    running = http_server.serve(FrontDoor(in_process.sandbox()), (0,))
    yield running
    running.shutdown()


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Send one request; return the status, the error's code and the headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {"Authorization": SIGNED} | {k.replace("_", "-"): v for k, v in headers.items()}
    connection.request(method, path, body, {k: v for k, v in given.items() if v})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, found.get("x-amzn-errortype", ""), found


def raw(port: int, sent: bytes) -> bytes:
    """Send bytes; return all that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_names_of_the_machine_are_let_in(server: HttpServer, name: str) -> None:
    port = server.effective_port
    assert ask(port, "/things", Host=f"{name}:{port}")[0] == 200
    assert ask(port, "/things", Host=f"{name}:{port}", Origin=f"http://{name}:{port}")[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "evil.example:{port}, 127.0.0.1:{port}",
        "0.0.0.0:{port}",
        "iot.eu-west-1.amazonaws.com",
    ],
)
def test_another_host_is_refused(server: HttpServer, host: str) -> None:
    port = server.effective_port
    status, code, _ = ask(port, "/things", Host=host.format(port=port))
    assert (status, code) == (403, "AccessDeniedException")


def test_no_host_is_refused(server: HttpServer) -> None:
    sent = f"GET /things HTTP/1.0\r\nAuthorization: {SIGNED}\r\n\r\n"
    assert b"403 FORBIDDEN" in raw(server.effective_port, sent.encode())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8888"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_a_page_of_another_origin_is_refused(
    server: HttpServer, method: str, headers: dict[str, str]
) -> None:
    port = server.effective_port
    given = {name: value.format(port=port) for name, value in headers.items()}
    status, code, answered = ask(port, "/things/new", method, **given)
    assert (status, code) == (403, "AccessDeniedException")
    assert not [name for name in answered if name.startswith("access-control")]
    assert in_process.holdings()["things"] == []


@pytest.mark.parametrize("path", ["/things", "/_sandbox/about", "/moto-api/reset", "/"])
def test_no_signature_is_refused(server: HttpServer, path: str) -> None:
    for method in ("GET", "POST"):
        status, code, _ = ask(server.effective_port, path, method, Authorization="")
        assert (status, code) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("service", ["s3", "iam", "ec2", "moto_api", "execute-api", "", "IOT"])
def test_other_services_are_closed(server: HttpServer, service: str) -> None:
    for path in ("/", "/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/"):
        authorization = signed(service)
        status, code, _ = ask(server.effective_port, path, "POST", Authorization=authorization)
        assert (status, code) == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    "path",
    [
        "/moto-api/reset",
        "/moto-api/data.json",
        "/moto-api/recorder/start-recording",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_motos_own_pages_are_not_there(server: HttpServer, path: str, method: str) -> None:
    in_process.client().create_thing(thingName="kept")
    status, code, answered = ask(server.effective_port, path, method)
    assert (status, code) == (404, "UnknownOperationException")
    assert not [name for name in answered if name.startswith("access-control")]
    assert in_process.holdings()["things"] == [("kept", "{}")]


@pytest.mark.parametrize("region", ["", "nowhere", "eu-west-1;x", "EU-WEST-1", "*"])
def test_another_region_than_awss_is_refused(server: HttpServer, region: str) -> None:
    authorization = signed("iot", region=region)
    status, code, _ = ask(server.effective_port, "/things", Authorization=authorization)
    assert (status, code) == (403, "InvalidSignatureException")


@pytest.mark.parametrize(
    "headers",
    [
        {"User_Agent": "x region/us-east-1"},
        {"x_moto_account_id": "111122223333"},
        {"X_Amz_Target": "x.DeleteThing"},
        {"Action": "DeleteThing"},
    ],
    ids=str,
)
def test_what_else_moto_goes_by_counts_for_nothing(
    server: HttpServer, headers: dict[str, str]
) -> None:
    port = server.effective_port
    for path in ("/things/mine", "/things/mine?Action=DeleteThing&thingName=mine"):
        assert ask(port, path, "POST", b"{}", **headers)[0] == 200
        assert ask(port, path, **headers)[0] == 200
        assert in_process.holdings()["things"] == [("mine", "{}")]


def test_of_sts_only_who_am_i(aws: Account) -> None:
    sts = conftest.client(aws, "sts")
    assert sts.get_caller_identity()["Account"] == aws.number
    with pytest.raises(ClientError, match="GetCallerIdentity alone"):
        sts.get_session_token()


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a": 1', b"a=b"])
def test_what_cannot_be_read_is_the_clients_mistake(server: HttpServer, body: bytes) -> None:
    port = server.effective_port
    for kind in ("application/json", "application/x-www-form-urlencoded", ""):
        status, code, _ = ask(port, "/things/new", "POST", body, Content_Type=kind)
        assert (status, code) == (400, "InvalidRequestException")
    assert in_process.holdings()["things"] == []


@pytest.mark.parametrize("path", ["/nothing/here", "/policies/x/y/z", "//", "/%2e%2e/%00"])
def test_what_aws_has_not_is_not_found(server: HttpServer, path: str) -> None:
    status, code, _ = ask(server.effective_port, path, "PUT")
    assert (status, code) == (404, "UnknownOperationException")


@pytest.mark.parametrize("page", ["nothing", "nothing/123456789012", ""])
def test_a_page_that_is_not_there(server: HttpServer, page: str) -> None:
    status, code, _ = ask(server.effective_port, f"/_sandbox/{page}")
    assert (status, code) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize("number", ["", "x", "-1", "0x10", "999999999", "9" * 40])
def test_an_owner_that_is_no_process_is_refused(aws: Account, number: str) -> None:
    port = int(str(aws.iot.meta.endpoint_url).rpartition(":")[2])
    status, code, _ = ask(port, f"/_sandbox/owner/{number}", "POST")
    assert (status, code) == (400, "InvalidRequestException")


def test_what_moto_fails_at_is_answered_in_awss_form(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: IoTResponse) -> str:
        raise ZeroDivisionError("nobody foresaw\nthis")

    monkeypatch.setattr(IoTResponse, "list_things", fail)
    with caplog.at_level(logging.INFO, "sandbox"):
        status, code, answered = ask(server.effective_port, "/things")
    assert (status, code) == (500, "InternalFailureException")
    assert answered["content-type"].startswith("application/json")
    assert len(caplog.messages) == 1
    assert "GET /things failed: ZeroDivisionError" in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
    with caplog.at_level(logging.DEBUG, "sandbox"):
        ask(server.effective_port, "/things")
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OSError(28, "No space left on device"), "ServiceUnavailableException"),
        (RecursionError("too deep"), "InternalFailureException"),
    ],
)
def test_a_change_that_cannot_be_kept_is_not_confirmed(
    nowhere: None, problem: Exception, code: str
) -> None:
    def fail() -> None:
        raise problem

    in_process.sandbox()
    iot = in_process.client(ControlPlane(readers={}, changers={}, changed=fail))
    with pytest.raises(ClientError) as refused:
        iot.create_thing(thingName="a")
    assert refused.value.response["Error"]["Code"] == code


class TestBounds:
    def test_a_body_that_is_too_large_is_refused_before_it_comes(self, server: HttpServer) -> None:
        head = (
            f"POST /things/new HTTP/1.1\r\nHost: 127.0.0.1:{server.effective_port}\r\n"
            f"Authorization: {SIGNED}\r\nContent-Length: {1500 * MEGABYTE}\r\n\r\n"
        )
        assert b"413 Request Entity Too Large" in raw(server.effective_port, head.encode())

    def test_a_body_without_end_is_not_kept(self, aws: Account) -> None:
        port = int(str(aws.iot.meta.endpoint_url).rpartition(":")[2])
        before = psutil.Process(conftest.pid(aws)).memory_info().rss
        head = f"POST /things/new HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {SIGNED}\r\n"
        piece = b"%x\r\n%s\r\n" % (MEGABYTE, b"x" * MEGABYTE)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            with pytest.raises(OSError):
                for _ in range(200):
                    connection.sendall(piece)
        assert psutil.Process(conftest.pid(aws)).memory_info().rss < before + 20 * MEGABYTE

    def test_headers_without_end_are_refused(self, server: HttpServer) -> None:
        head = b"GET /things HTTP/1.1\r\nX-Long: ".ljust(http_server.HEADER_BYTES, b"x")
        assert b"431" in raw(server.effective_port, head).splitlines()[0]

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"GET /th",
            b"POST /things/x HTTP/1.1\r\nHost: x\r\n",
            b"POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
            b"POST /things/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        ],
    )
    def test_who_sends_no_whole_request_is_hung_up_on(
        self, server: HttpServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
    ) -> None:
        monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.3)
        monkeypatch.setattr(http_server, "IDLE_SECONDS", 0.3)
        assert raw(server.effective_port, sent) == b""

    def test_a_request_that_drips_is_hung_up_on(
        self, server: HttpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.5)
        with socket.create_connection(("127.0.0.1", server.effective_port)) as connection:
            connection.settimeout(0.05)
            with pytest.raises(OSError, match=r"reset|pipe|closed"):
                for _ in range(400):
                    connection.sendall(b"x")
                    try:
                        if connection.recv(1) == b"":
                            raise ConnectionError("closed")
                    except TimeoutError:
                        continue

    def test_the_longest_silent_makes_room(
        self, server: HttpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "connections", 10)
        with ExitStack() as open_ones:
            idle = [
                open_ones.enter_context(
                    socket.create_connection(("127.0.0.1", server.effective_port), timeout=10)
                )
                for _ in range(15)
            ]
            assert ask(server.effective_port, "/things")[0] == 200
            assert idle[0].recv(1) == b""
            idle[-1].settimeout(0.1)
            with pytest.raises(TimeoutError):
                idle[-1].recv(1)

    def test_idle_and_half_sent_requests_hold_up_nobody(self, aws: Account) -> None:
        port = int(str(aws.iot.meta.endpoint_url).rpartition(":")[2])
        half = (
            f"POST /things/half HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: {SIGNED}\r\nContent-Length: 100\r\n\r\n{{"
        )
        with ExitStack() as open_ones:
            for number in range(IDLE + HALF_SENT):
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                open_ones.enter_context(connection)
                if number >= IDLE:
                    connection.sendall(half.encode())
            aws.iot.create_thing(thingName="honest")
            assert [each["thingName"] for each in aws.iot.list_things()["things"]] == ["honest"]

    @pytest.mark.parametrize(
        "files", [600, *(pytest.param(each, marks=pytest.mark.long) for each in (1024, 20000))]
    )
    def test_it_serves_with_as_many_files_as_the_system_allows(
        self, tmp_path: Path, files: int
    ) -> None:
        def few() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, 1024), files))

        command = [sys.executable, "-m", "sandbox", "--state-dir", str(tmp_path)]
        running = subprocess.Popen(
            command, cwd=process.PROJECT, stdout=subprocess.PIPE, text=True, preexec_fn=few
        )
        try:
            assert running.stdout
            about = json.loads(running.stdout.readline())
            port = int(about["endpoint_url"].rpartition(":")[2])
            with ExitStack() as open_ones:
                for _ in range(IDLE):
                    open_ones.enter_context(
                        socket.create_connection(("127.0.0.1", port), timeout=10)
                    )
                assert ask(port, "/things")[0] == 200
                assert ask(port, "/things/new", "POST", b"{}")[0] == 200
                assert psutil.Process(running.pid).num_fds() <= files
        finally:
            running.terminate()
            assert running.wait(10) == 0


def test_every_answer_is_awss_json_or_a_bound(server: HttpServer) -> None:
    """Whatever is asked of moto, the answer has no page of a web framework."""
    requests: list[dict[str, Any]] = [
        {"path": "/things?maxResults=abc"},
        {"path": "/things/%ff%fe"},
        {"path": "/policies/%00", "method": "POST", "body": b"{}"},
        {"path": "/things/a/shadow", "method": "POST", "body": b"\x00"},
        {"path": "/topics/a?qos=x", "method": "POST", "body": b""},
        {"path": "/things/a", "method": "TRACE"},
        {"path": "/things/a", "method": "HEAD"},
    ]
    for each in requests:
        service = "iotdata" if "shadow" in each["path"] or "topics" in each["path"] else "iot"
        status, _, headers = ask(server.effective_port, **each, Authorization=signed(service))
        assert status in (400, 404, 405, 501), each
        assert headers["content-type"].startswith("application/json"), each
    assert json.dumps(in_process.holdings()["things"]) == "[]"
