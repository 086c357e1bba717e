"""The files of deploy/ hold together: names, commands, variables and limits are those of the code.

Docker, Kubernetes and Helm are not asked: nothing of theirs runs here. systemd's own checker is, where it is installed.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hris_pipeline.cli.app import COMMANDS
from hris_pipeline.environment import VARIABLES

DEPLOY = Path(__file__).parents[2] / "deploy"
CONTAINERS, SYSTEMD, HELM = DEPLOY / "containers", DEPLOY / "systemd", DEPLOY / "helm"
OF_DAGSTER_YAML = {"HRIS_DAGSTER_STORAGE", "HRIS_BROKER_URL", "HRIS_WORKER_SLOTS"}
PROGRAMS = {"hris", "dagster", "dagster-daemon", "dagster-webserver"}
INSTANCE = yaml.safe_load((DEPLOY / "celery" / "dagster.yaml").read_text())


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def hris_commands(text: str) -> set[str]:
    return set(re.findall(r"\bhris ((?:store )?[a-z]+)\b", text))


def test_every_hris_command_that_a_file_names_exists() -> None:
    commands = {command.words for command in COMMANDS}
    for path in (CONTAINERS / "compose.yaml", *SYSTEMD.glob("*.service")):
        lines = [line for line in path.read_text().splitlines() if not line.strip().startswith(("#", "Description"))]
        assert hris_commands("\n".join(lines).replace("/opt/hris/bin/", "")) <= commands, path.name


def test_the_example_environment_names_variables_that_are_read() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", (CONTAINERS / "env.example").read_text(), re.M))
    ours = {name for name in named if name.startswith(("HRIS_", "JUSTWORKS_"))}
    assert ours <= {variable.name for variable in VARIABLES} | OF_DAGSTER_YAML
    asked = set(re.findall(r"env: (HRIS_[A-Z_]+)", (DEPLOY / "celery" / "dagster.yaml").read_text()))
    assert asked == OF_DAGSTER_YAML
    assert asked <= ours


def test_services_wait_for_others_that_exist_and_say_when_they_are_well() -> None:
    compose = read(CONTAINERS / "compose.yaml")
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for after, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[after], after
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= set(compose["volumes"]), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "what listens to others stands behind a log-in"
    ours = {name for name, service in services.items() if service["image"] == "hris-pipeline"}
    assert ours == {"upgrade", "code", "daemon", "console", "worker", "worker-large"}
    check = re.search(r"^HEALTHCHECK .* CMD (.*)$", (CONTAINERS / "Dockerfile").read_text(), re.M)
    assert check is not None, "workers are looked at by the image's own check"
    assert json.loads(check[1]) == ["hris", "doctor", "--process", "--json"], "not by how a company's connection is"


def test_nothing_but_the_console_is_reached_and_dagster_stands_behind_its_log_in() -> None:
    compose = read(CONTAINERS / "compose.yaml")
    assert [name for name, service in compose["services"].items() if service.get("ports")] == ["console"]
    assert not any("network_mode" in service for service in compose["services"].values())
    commands = {path.stem: path.read_text() for path in SYSTEMD.glob("*.service")}
    commands |= {name: str(service.get("command", "")) for name, service in compose["services"].items()}
    assert not [
        name for name, command in commands.items() if "dagster-webserver" in command or "dagster dev" in command
    ]
    for name in ("console", "hris-console"):
        assert "--workspace /etc/hris/workspace.yaml" in commands[name]
    assert "COPY deploy/containers/workspace.yaml /etc/hris/workspace.yaml" in (CONTAINERS / "Dockerfile").read_text()
    assert "ExecStart=/opt/hris/bin/hris console --host 127.0.0.1 " in commands["hris-console"]
    code = re.search(r"code-server start --host (\S+)", commands["hris-code"])
    assert code is None or code[1] == "127.0.0.1", "whoever reaches a code server runs code"


@pytest.mark.parametrize("name", ["values-celery.yaml", "values-kubernetes.yaml"])
def test_the_charts_webserver_is_reached_from_inside_the_cluster_only(name: str) -> None:
    values = read(HELM / name)
    assert values["dagsterWebserver"].get("service", {}).get("type", "ClusterIP") == "ClusterIP"
    assert not values.get("ingress", {}).get("enabled", False)


def test_the_image_runs_as_nobody_in_particular_and_installs_what_is_locked() -> None:
    text = (CONTAINERS / "Dockerfile").read_text()
    assert re.search(r"^USER hris$", text, re.M)
    assert text.rindex("USER hris") > text.rindex("COPY")
    assert "--require-hashes -r requirements.lock" in text
    copied = re.findall(r"^COPY (?:--chown=\S+ )?([^-].*) \S+$", text, re.M)
    root = DEPLOY.parent
    assert all((root / name).exists() for names in copied for name in names.split())


@pytest.mark.parametrize("path", sorted(SYSTEMD.glob("*.service")), ids=lambda path: path.name)
def test_units_are_what_systemd_takes(path: Path) -> None:
    text = path.read_text()
    (command,) = re.findall(r"^ExecStart=/opt/hris/bin/(\S+)", text, re.M)
    assert command in PROGRAMS
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the units were not checked by it")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if path.stem in line and "is not executable" not in line]
    assert lines == []


@pytest.mark.parametrize("name", ["values-celery.yaml", "values-kubernetes.yaml"])
def test_the_charts_limits_are_those_of_the_instance(name: str) -> None:
    values = read(HELM / name)
    daemon = values["dagsterDaemon"]
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == INSTANCE["run_coordinator"]["config"]["tag_concurrency_limits"]
    monitoring = INSTANCE["run_monitoring"]
    assert daemon["runMonitoring"]["pollIntervalSeconds"] == monitoring["poll_interval_seconds"]
    assert daemon["runMonitoring"]["maxRuntimeSeconds"] == monitoring["max_runtime_seconds"]
    assert daemon["runRetries"]["maxRetries"] == INSTANCE["run_retries"]["max_retries"]
    purged = {key: days for key, days in values["retention"]["sensor"]["purgeAfterDays"].items() if key != "started"}
    assert purged == INSTANCE["retention"]["sensor"]["purge_after_days"]
    logs = values["computeLogManager"]["config"]["customComputeLogManager"]
    assert {key: logs[key] for key in ("module", "class")} == INSTANCE["compute_logs"]
    launcher = values["runLauncher"]
    if launcher["type"] == "CustomRunLauncher":
        assert launcher["config"]["customRunLauncher"] == INSTANCE["run_launcher"]


def test_each_alert_names_a_section_that_says_what_to_do() -> None:
    text = (DEPLOY.parent / "docs" / "operating.md").read_text()
    sections = {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-"): body
        for title, body in re.findall(r"^#{2,4} ([^\n]+)\n(.*?)(?=^#{2,4} |\Z)", text, re.M | re.S)
    }
    rules = [rule for group in read(DEPLOY / "monitoring" / "alerts.yaml")["groups"] for rule in group["rules"]]
    assert rules
    for rule in rules:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (page, anchor) == ("docs/operating.md", rule["alert"].lower())
        assert len(sections[anchor].split()) > 30, anchor
        assert hris_commands(sections[anchor]) <= {command.words for command in COMMANDS}, anchor
