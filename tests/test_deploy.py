"""The files of deploy/ are what their programs accept, and name only roles and settings that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from bot.config import load_settings
from bot.roles import Role

DEPLOY = Path(__file__).parent.parent / "deploy"


def test_units_are_what_systemd_accepts(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    for name in ("qianshao.service", "qianshao@.service", "qianshao.target"):
        text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        # the program is not installed on this machine; everything else is checked
        text = text.replace("/opt/qianshao/.venv/bin/qianshao", "/bin/true").replace("User=qianshao", "User=root")
        text = text.replace("Group=qianshao", "Group=root").replace("WorkingDirectory=/opt/qianshao", "WorkingDirectory=/")
        (tmp_path / name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / name) for name in ("qianshao.service", "qianshao@work.service", "qianshao.target")]
    (tmp_path / "qianshao@work.service").symlink_to(tmp_path / "qianshao@.service")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "qianshao" in line]
    assert not complaints, complaints


def test_what_the_units_hang_on_is_enabled_so_that_nodes_start_after_a_reboot() -> None:
    units = {path.name: path.read_text(encoding="utf-8") for path in (DEPLOY / "systemd").iterdir()}
    ours = {target for text in units.values() for target in re.findall(r"WantedBy=(\S+)", text) if target in units}
    enabled = re.findall(r"systemctl enable --now (.+)", (DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert ours == {"qianshao.target"}
    assert ours <= {word for line in enabled for word in line.split()}


def test_the_site_is_what_nginx_accepts(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    openssl = shutil.which("openssl")
    if nginx is None or openssl is None:
        reason = "nginx or openssl is missing: apt-get install nginx-light openssl"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=chat.example.cn", "-days", "1"]
    subprocess.run([openssl, *make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    site = (DEPLOY / "nginx" / "qianshao.conf").read_text(encoding="utf-8").replace("/etc/qianshao/tls", str(tmp_path))
    site = site.replace("/var/log/nginx", str(tmp_path))
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{site}\n}}\n", encoding="utf-8")
    done = subprocess.run(
        [nginx, "-t", "-c", str(whole), "-e", str(tmp_path / "error.log")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_role_is_one_that_exists() -> None:
    named = set(re.findall(r'"--role", "(\w+)"', (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert named == {role.value for role in Role} - {"all"}
    listed = set(re.findall(r"^\| `(\w+)` \|", (DEPLOY / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == named


def test_the_compose_file_says_what_nodes_need() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    nodes = {name: service for name, service in services.items() if name != "database"}
    named = [service["command"][service["command"].index("--node") + 1] for service in nodes.values()]
    assert sorted(named) == sorted(nodes), "a node's name is its service's, and belongs to one process"
    for service in nodes.values():
        assert service["volumes"] == ["data:/data"], "keys and photos are the same for all nodes"
        assert service["environment"]["QIANSHAO_BOT__DATA_DIR"] == "/data"
        assert service["depends_on"]["database"]["condition"] == "service_healthy"
        assert service["restart"] == "always"
        assert service["env_file"] == services["database"]["env_file"]
    assert services["database"]["healthcheck"]["test"][0] == "CMD-SHELL"
    assert set(compose["volumes"]) == {"data", "database"}
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8311:8311"]}, "nothing is open to the world but what nginx passes on"


def test_an_image_holds_no_data_and_no_secret() -> None:
    ignored = (DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv*", "data", "*.env"} <= set(ignored)


def test_every_setting_is_one_that_exists() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8") + (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    named = dict(re.findall(r'(QIANSHAO_\w+__\w+)(?:: |=)"?([^"\n]+)"?', text))
    named["QIANSHAO_STORAGE__URL"] = "postgresql://qianshao:secret@database/qianshao"
    named["QIANSHAO_WEB__PUBLIC_URL"] = "https://chat.example.cn"
    assert load_settings(None, named).web.behind_proxy
