"""A learner's machine, ready for a real account that is :mod:`pretend_aws`: files and variables."""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pretend_aws
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.tokens import SSOTokenProvider
from pretend_aws import KEYS, NUMBER, PretendAws

_BOTOCORES = [each[1] for each in BOTOCORE_DEFAUT_SESSION_VARIABLES.values() if each[1]]
VARIABLES = {
    *(each for names in _BOTOCORES for each in ([names] if isinstance(names, str) else names)),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    *("AWS_CREDENTIAL_EXPIRATION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT"),
}
"""Those that botocore reads: by its own list, and some that it reads elsewhere."""
SSO = """[default]
sso_session = school
sso_account_id = 123456789012
sso_role_name = Student
[sso-session school]
sso_region = eu-west-1
sso_start_url = https://school.awsapps.com/start
"""


@dataclass
class Machine:
    """A learner's machine, ready for the real account; each test takes something away."""

    home: Path
    aws: PretendAws
    monkeypatch: pytest.MonkeyPatch

    def config(self, text: str) -> None:
        (self.home / ".aws" / "config").write_text(text)

    def keys(self, text: str) -> None:
        (self.home / ".aws" / "credentials").write_text(text)

    def variable(self, name: str, value: str) -> None:
        self.monkeypatch.setenv(name, value)

    def process(self, *lines: str) -> None:
        """Have credentials come from a program of its own, in Python."""
        program = self.home / "credentials"
        program.write_text("\n".join([f"#!{sys.executable}", *lines]) + "\n")
        program.chmod(stat.S_IRWXU)
        self.keys("")
        self.config(f"[default]\ncredential_process = {program}\n")

    def sso(self, *, expires: str) -> Path:
        """Sign in by SSO; return the file that holds the token."""
        self.keys("")
        self.config(SSO)
        folder = self.home / ".aws" / "sso" / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        # botocore asked for the home when it was imported.
        self.monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(folder))
        file = folder / f"{hashlib.sha1(b'school').hexdigest()}.json"
        token = {"accessToken": "example", "region": "eu-west-1", "expiresAt": expires}
        token["startUrl"] = "https://school.awsapps.com/start"
        file.write_text(json.dumps(token))
        return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine that is ready for the real account; each test takes something away."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    aws = PretendAws(tmp_path)
    monkeypatch.chdir(home)
    with pretend_aws.serve(aws) as proxy:
        made = Machine(home, aws, monkeypatch)
        for name, value in {
            "HOME": str(home),
            "HTTPS_PROXY": proxy,
            "AWS_CA_BUNDLE": str(aws.ca_file),
            "IOT_TUTORIAL_ACCOUNT": NUMBER,
            "IOT_TUTORIAL_LEARNER": "zoe",
            "IOT_TUTORIAL_REGION": "eu-west-1",
        }.items():
            made.variable(name, value)
        made.keys(KEYS)
        yield made
