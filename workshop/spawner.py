"""How the hub starts a Lab: as which user, in which folder, with how much of the machine."""

import os
import resource
from collections.abc import Callable

from jupyterhub.spawner import LocalProcessSpawner, set_user_setuid

from workshop import homes, register
from workshop.plan import Plan
from workshop.processes import MARK

PROCESSES = 400
"""How many processes and threads one learner may have; a Lab with four kernels has about 100."""


def make_spawner(plan: Plan) -> type[LocalProcessSpawner]:
    """Return the spawner class that starts the Labs of this plan."""

    class LabSpawner(LocalProcessSpawner):
        """Starts a Lab in its owner's home; as their system user, if learners are kept apart."""

        def user_env(self, env: dict[str, str]) -> dict[str, str]:
            """Add the home and the key to the learner's account in the sandbox."""
            member = register.enter(plan.members, self.user.name, room=plan.learners)
            env |= {
                "HOME": str(plan.homes / self.user.name),
                "USER": homes.PREFIX + self.user.name,
                "SHELL": "/bin/sh",
                "IOT_TUTORIAL_SANDBOX_URL": plan.sandbox_url,
                "IOT_TUTORIAL_ACCESS_KEY": member.key,
                MARK: plan.folder,
            }
            if member.teacher:
                env["IOT_TUTORIAL_MEMBERS"] = str(plan.members)
            return env

        def make_preexec_fn(self, name: str) -> Callable[[], None]:
            """Return what the new process does before it becomes the Lab."""
            owner = homes.system_user(name) if plan.apart else None
            home = plan.homes / name
            homes.prepare(home, homes.lesson(name), owner)
            become = set_user_setuid(homes.PREFIX + name, chdir=False) if owner else lambda: None
            core = _core(plan, name)

            def preexec() -> None:
                _limit(plan.memory, core, apart=plan.apart)
                become()
                os.chdir(home / "notebooks")

            return preexec

    return LabSpawner


def _core(plan: Plan, name: str) -> int | None:
    """Return the learner's core, dealt in turn; ``None`` if the system cannot bind a process."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    names = [member.name for member in register.members(plan.members)]
    return cores[names.index(name) % len(cores)]


def _limit(memory_mb: int, core: int | None, *, apart: bool) -> None:
    most = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if apart:  # this limit counts all processes of a user
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    if core is not None:
        os.sched_setaffinity(0, {core})
    os.nice(5)  # the hub and the sandbox, which everyone waits for, go first
