"""JupyterHub's settings for a class; ``python -m workshop`` starts the hub with this file."""

import os
import sys
from pathlib import Path

from sandbox.process import PROJECT
from workshop import homes
from workshop.plan import from_json
from workshop.processes import MARK
from workshop.signin import ClassCode
from workshop.spawner import make_spawner

plan = from_json(os.environ.pop("IOT_TUTORIAL_PLAN"))
kept = Path(plan.folder, "hub")
c = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterHub puts it here

c.JupyterHub.bind_url = plan.url
c.JupyterHub.ssl_cert = plan.certificate
c.JupyterHub.ssl_key = plan.private_key
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{os.environ.pop('IOT_TUTORIAL_HUB_PORT')}"
c.JupyterHub.db_url = f"sqlite:///{kept}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(kept / "cookie-secret")
c.JupyterHub.log_level = "WARN"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ.pop('IOT_TUTORIAL_PROXY_PORT')}"
c.ConfigurableHTTPProxy.pid_file = str(kept / "proxy.pid")
c.ConfigurableHTTPProxy.command = [
    str(PROJECT / "workshop" / "node_modules" / ".bin" / "configurable-http-proxy"),
    "--log-level=error",
]

c.JupyterHub.authenticator_class = ClassCode
c.ClassCode.user_password = plan.code
c.ClassCode.admin_password = plan.teacher_code
c.ClassCode.admin_users = {homes.TEACHER}
c.ClassCode.allow_all = True  # whoever knows the code
c.ClassCode.username_pattern = homes.NAME
c.ClassCode.members = str(plan.members)
c.ClassCode.words = str(kept / "words")
c.ClassCode.learners = plan.learners

c.JupyterHub.spawner_class = make_spawner(plan)
c.JupyterHub.active_server_limit = plan.learners + 1
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    "--ServerApp.answer_yes=True",  # when it is told to end, it does not ask back
    "--KernelManager.transport_encryption=auto",
    "--ServerApp.log_level=ERROR",
    "--LabApp.log_level=ERROR",
    f"--MappingKernelManager.cull_idle_timeout={plan.idle}",
]
c.Spawner.default_url = "/lab"
c.Spawner.disable_user_config = True
# Thirty Labs that start at once on two cores take a minute; the hub would give up after 30 s.
c.Spawner.http_timeout = c.Spawner.start_timeout = 300
# A stopped Lab has nothing to ask; the workshop ends what still runs after that.
c.LocalProcessSpawner.interrupt_timeout = 3
c.LocalProcessSpawner.term_timeout = 5

c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "environment": {MARK: plan.folder},
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={plan.idle}"],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]
