"""A learner without a browser: tests and bench take part in a class with it."""

import json
import time
import uuid
from typing import Any

import requests
from websocket import WebSocket, create_connection

from helpers.errors import LessonError

PATIENCE = 300.0
"""How long a Lab may take to start, or a cell to run, when a whole class starts at once."""


class Visitor:
    """A learner who signs in to the hub, opens their Lab, and runs notebooks."""

    def __init__(self, hub: str, name: str) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            hub: The class's address, such as ``http://127.0.0.1:8000``.
            name: The learner's.
        """
        self.name = name
        self._hub = hub
        self._web = requests.Session()
        self._web.trust_env = False  # no proxy: the class is on this machine

    def sign_in(self, code: str) -> int:
        """Send the sign-in form; return the HTTP status: 302 if it was accepted, 403 if not."""
        page = self._web.get(f"{self._hub}/hub/login", timeout=PATIENCE)
        page.raise_for_status()
        form = {"username": self.name, "password": code, "_xsrf": self._token("/hub/")}
        address = f"{self._hub}/hub/login"
        answer = self._web.post(address, data=form, allow_redirects=False, timeout=PATIENCE)
        return answer.status_code

    def open_lab(self) -> None:
        """Start the Lab, and wait until its page is there.

        Raises:
            LessonError: it is not, after five minutes.
        """
        give_up = time.monotonic() + PATIENCE
        answer = self._web.get(f"{self._hub}/hub/spawn", timeout=PATIENCE)
        while f"/user/{self.name}/" not in answer.url or answer.status_code != 200:
            if time.monotonic() > give_up:
                raise LessonError(f"{self.name}'s Lab: {answer.status_code} at {answer.url}")
            time.sleep(1)
            answer = self._web.get(f"{self._hub}/user/{self.name}/lab", timeout=PATIENCE)

    def ask(self, method: str, page: str, /, *, of: str = "", **body: Any) -> requests.Response:
        """Call the REST API of a Lab: that of the learner *of*, or this learner's own."""
        owner = f"/user/{of or self.name}/"
        return self._web.request(
            method,
            f"{self._hub}{owner}api/{page}",
            headers={"X-XSRFToken": self._token(f"/user/{self.name}/")},
            json=body or None,
            timeout=PATIENCE,
        )

    def run(self, notebook: str) -> list[str]:
        """Run a notebook from top to bottom and save it, as *Run All* does.

        Args:
            notebook: Its path in the Lab.

        Returns:
            What went wrong: each cell that failed, or that promises an error and raised none.
        """
        asked = self.ask("GET", f"contents/{notebook}")
        asked.raise_for_status()
        content = asked.json()["content"]
        kernel = Kernel(self, notebook)
        try:
            wrong = [
                problem
                for cell in content["cells"]
                if cell["cell_type"] == "code" and (problem := _run_cell(kernel, cell))
            ]
        finally:
            kernel.close()
        self.save(notebook, content)
        return wrong

    def save(self, notebook: str, content: dict[str, Any]) -> None:
        """Save a notebook."""
        answer = self.ask(
            "PUT", f"contents/{notebook}", type="notebook", format="json", content=content
        )
        answer.raise_for_status()

    def channel(self, kernel_id: str) -> WebSocket:
        """Open the WebSocket to a kernel of this learner."""
        address = f"{self._hub.replace('http', 'ws', 1)}/user/{self.name}/api/kernels/{kernel_id}"
        cookies = self._web.cookies
        sent = {
            cookie.name: cookie.value
            for cookie in cookies
            if f"/user/{self.name}/".startswith(cookie.path)
        }
        return create_connection(
            f"{address}/channels",
            cookie="; ".join(f"{name}={value}" for name, value in sent.items()),
            origin=self._hub,
            timeout=PATIENCE,
        )

    def _token(self, path: str) -> str:
        found = [
            each.value for each in self._web.cookies if (each.name, each.path) == ("_xsrf", path)
        ]
        return str(found[0]) if found else ""


class Kernel:
    """A kernel in a visitor's Lab."""

    def __init__(self, visitor: Visitor, notebook: str) -> None:
        self._visitor = visitor
        started = visitor.ask(
            "POST",
            "sessions",
            path=notebook,
            name=notebook,
            type="notebook",
            kernel={"name": "python3"},
        )
        started.raise_for_status()
        self._session = started.json()["id"]
        self._socket = visitor.channel(started.json()["kernel"]["id"])

    def run(self, source: str) -> list[dict[str, Any]]:
        """Run code; return its outputs in the form of a notebook."""
        sent = uuid.uuid4().hex
        header = {"msg_id": sent, "msg_type": "execute_request", "session": self._session}
        header |= {"username": "", "version": "5.3", "date": ""}
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "content": content, "parent_header": {}, "metadata": {}}
        self._socket.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        outputs: list[dict[str, Any]] = []
        while True:
            got = json.loads(self._socket.recv())
            if got["parent_header"].get("msg_id") != sent:
                continue
            if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                return outputs
            if got["msg_type"] in ("stream", "error", "display_data", "execute_result"):
                outputs.append({"output_type": got["msg_type"], **got["content"]})

    def close(self) -> None:
        """Shut the kernel down."""
        self._socket.close()
        self._visitor.ask("DELETE", f"sessions/{self._session}")


def _run_cell(kernel: Kernel, cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    outputs = kernel.run(source)
    cell["outputs"] = [
        {name: value for name, value in output.items() if name != "transient"} for output in outputs
    ]
    errors = [output for output in outputs if output["output_type"] == "error"]
    promised = "raises-exception" in cell["metadata"].get("tags", [])
    if bool(errors) == promised:
        return ""
    what = f"{errors[0]['ename']}: {errors[0]['evalue']}" if errors else "no error"
    return f"{source.strip().splitlines()[0]!r}: {what}"
