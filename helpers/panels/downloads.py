"""Links to a certificate's files. A link holds a path, and never what is in the file."""

import os
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers.key_files import KeyFiles


class Downloads:
    """The files as the console offers them; the private key only if asked for.

    The links are relative, and the page makes them whole: it alone knows under which address this
    notebook is served. That is done to what an Output widget shows, and not to an HTML widget.
    """

    def __init__(self) -> None:
        self.view = widgets.Output()
        self.view.add_class("iot-downloads")

    def offer(self, files: KeyFiles | None, *, private_key: bool = False) -> None:
        """Offer the files of one certificate, or none.

        Args:
            files: Where they are.
            private_key: Whether the private key is among them.
        """
        if files is None:
            self.view.outputs = ()
            return
        offered = {
            "certificate": files.certificate,
            "public key": files.public_key,
            "root CA": files.root_ca,
        }
        if private_key:
            offered["private key"] = files.private_key
        links = [_link(label, os.path.relpath(file)) for label, file in offered.items()]
        text = ", ".join(f"{label}: {file}" for label, file in offered.items())
        self.view.outputs = (_display(f'<div class="iot-links">{"".join(links)}</div>', text),)


def _link(label: str, path: str) -> str:
    # `download`: the browser saves the file. Without it, JupyterLab would open and show it.
    return f'<a href="{escape(path)}" download>Download {label}</a>'


def _display(html: str, text: str) -> dict[str, Any]:
    data = {"text/html": html, "text/plain": text}
    return {"output_type": "display_data", "data": data, "metadata": {}}
