"""The files of deploy/ hold together: names, commands, variables and limits are those of the code, and keys are those
that Compose and Dagster's chart take.

Docker, Kubernetes and Helm are not asked: nothing of theirs runs here. systemd's own checker is, where it is installed.
What the Compose Specification and the values' schema of Dagster's chart allow where both refuse anything else stands in
``COMPOSE`` and ``CHART``, as far as these files go.
"""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from hris_pipeline.cli.app import COMMANDS
from hris_pipeline.environment import VARIABLES

DEPLOY = Path(__file__).parents[2] / "deploy"
CONTAINERS, SYSTEMD, HELM = DEPLOY / "containers", DEPLOY / "systemd", DEPLOY / "helm"
OF_DAGSTER_YAML = {"HRIS_DAGSTER_STORAGE", "HRIS_BROKER_URL", "HRIS_WORKER_SLOTS"}
DURATION = re.compile(r"(?:\d+(?:h|ms|m|s))+")

COMPOSE = {
    "": {"services", "volumes", "configs", "networks", "secrets", "name", "include"},
    "services.*": {
        *("image", "build", "command", "entrypoint", "env_file", "environment", "restart", "cap_drop", "cap_add"),
        *("security_opt", "configs", "secrets", "volumes", "ports", "healthcheck", "depends_on", "stop_grace_period"),
        *("stop_signal", "user", "read_only", "tmpfs", "networks", "deploy", "init", "mem_limit", "labels"),
    },
    "services.*.build": {"context", "dockerfile", "args", "target"},
    "services.*.healthcheck": {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"},
    "services.*.depends_on.*": {"condition", "restart", "required"},
    "services.*.configs[]": {"source", "target", "uid", "gid", "mode"},
    "configs.*": {"content", "file", "environment", "external", "name", "labels", "template_driver"},
}

_IMAGE = {"repository", "tag", "pullPolicy"}
_SECRETS = {"name", "optional"}

CHART = {
    "": {
        *("global", "postgresql", "generatePostgresqlPasswordSecret", "dagster-user-deployments", "runLauncher"),
        *("dagsterDaemon", "dagsterWebserver", "computeLogManager", "retention", "telemetry", "extraManifests"),
        *("ingress", "imagePullSecrets", "pythonLogs", "serviceAccount", "migrate", "scheduler", "concurrency"),
    },
    "global": {"postgresqlSecretName", "dagsterHome", "serviceAccountName", "celeryConfigSecretName"},
    "dagster-user-deployments": {"enabled", "enableSubchart", "imagePullSecrets", "deployments"},
    "dagster-user-deployments.deployments[]": {
        *("name", "image", "port", "dagsterApiGrpcArgs", "codeServerArgs", "includeConfigInLaunchedRuns", "env"),
        *("envConfigMaps", "envSecrets", "annotations", "nodeSelector", "affinity", "tolerations", "labels"),
        *("podSecurityContext", "securityContext", "resources", "livenessProbe", "readinessProbe", "startupProbe"),
        *("volumeMounts", "volumes", "schedulerName"),
    },
    "dagster-user-deployments.deployments[].image": _IMAGE,
    "dagster-user-deployments.deployments[].envSecrets[]": _SECRETS,
    "dagster-user-deployments.deployments[].includeConfigInLaunchedRuns": {"enabled"},
    "runLauncher": {"type", "config"},
    "runLauncher.config": {"celeryK8sRunLauncher", "k8sRunLauncher", "customRunLauncher"},
    "runLauncher.config.customRunLauncher": {"module", "class", "config"},
    "runLauncher.config.k8sRunLauncher": {
        *("image", "imagePullPolicy", "jobNamespace", "loadInclusterConfig", "kubeconfigFile", "envConfigMaps"),
        *("envSecrets", "envVars", "volumeMounts", "volumes", "labels", "resources", "schedulerName"),
        *("securityContext", "runK8sConfig", "failPodOnRunFailure"),
    },
    "runLauncher.config.k8sRunLauncher.runK8sConfig": {
        *("containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata"),
    },
    "dagsterDaemon": {
        *("enabled", "image", "runCoordinator", "heartbeatTolerance", "env", "envConfigMaps", "envSecrets", "labels"),
        *("deploymentLabels", "nodeSelector", "affinity", "tolerations", "podSecurityContext", "securityContext"),
        *("resources", "livenessProbe", "readinessProbe", "startupProbe", "annotations", "runMonitoring", "runRetries"),
        *("sensors", "schedules", "schedulerName", "volumeMounts", "volumes"),
    },
    "dagsterDaemon.image": _IMAGE,
    "dagsterDaemon.envSecrets[]": _SECRETS,
    "dagsterDaemon.runCoordinator": {"enabled", "type", "config"},
    "dagsterDaemon.runCoordinator.config": {"queuedRunCoordinator", "customRunCoordinator"},
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator": {
        *("maxConcurrentRuns", "tagConcurrencyLimits", "dequeueIntervalSeconds", "dequeueNumWorkers"),
        "dequeueUseThreads",
    },
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator.tagConcurrencyLimits[]": {"key", "value", "limit"},
    "computeLogManager": {"type", "config"},
    "computeLogManager.config.customComputeLogManager": {"module", "class", "config"},
    "retention": {"enabled", "schedule", "sensor", "autoMaterialize"},
}

CHART_TYPES = {
    "runLauncher": {"CeleryK8sRunLauncher", "K8sRunLauncher", "CustomRunLauncher"},
    "computeLogManager": {"NoOpComputeLogManager", "S3ComputeLogManager", "CustomComputeLogManager"},
}

PROGRAMS = {"hris", "dagster", "dagster-daemon", "dagster-webserver"}
INSTANCE = yaml.safe_load((DEPLOY / "celery" / "dagster.yaml").read_text())


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def hris_commands(text: str) -> set[str]:
    return set(re.findall(r"\bhris ((?:store )?[a-z]+)\b", text))


def objects_in(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a document with its place: ``services.web.build``, ``deployments[].image``."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from objects_in(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from objects_in(item, f"{path}[]")


def refused_keys(document: Any, allowed: Mapping[str, set[str]]) -> list[str]:
    """The keys of a document that nothing would take, with their places."""
    refused = []
    for path, item in objects_in(document):
        pattern = next((place for place in allowed if fnmatchcase(path, place) and depth(path) == depth(place)), None)
        if pattern is not None:
            refused += [f"{path}: {key}" for key in item if key not in allowed[pattern] and not key.startswith("x-")]
    return refused


def depth(path: str) -> int:
    return path.count(".") + path.count("[]")


def test_compose_takes_every_key() -> None:
    compose = read(CONTAINERS / "compose.yaml")
    assert refused_keys(compose, COMPOSE) == []
    assert refused_keys({"services": {"web": {"comand": "x"}}}, COMPOSE) == ["services.web: comand"]
    for name, service in compose["services"].items():
        conditions = {after["condition"] for after in service.get("depends_on", {}).values()}
        assert conditions <= {"service_started", "service_healthy", "service_completed_successfully"}, name
        assert service.get("restart") in ("no", "always", "on-failure", "unless-stopped"), name
        check = service.get("healthcheck", {})
        assert not check or check["test"][0] in ("CMD", "CMD-SHELL"), name
        times = [
            check.get("interval"),
            check.get("timeout"),
            check.get("start_period"),
            service.get("stop_grace_period"),
        ]
        assert all(DURATION.fullmatch(time) for time in times if time), name
        sources = {config["source"] for config in service.get("configs", ())}
        assert sources <= set(compose["configs"]), name
        assert not service["image"].endswith(":latest"), name


@pytest.mark.parametrize("name", ["values-celery.yaml", "values-kubernetes.yaml"])
def test_the_chart_takes_every_key(name: str) -> None:
    values = read(HELM / name)
    assert refused_keys(values, CHART) == []
    assert refused_keys({"dagsterDaemon": {"replicas": 2}}, CHART) == ["dagsterDaemon: replicas"]
    for place, types in CHART_TYPES.items():
        kind = values[place]["type"]
        assert kind in types
        assert list(values[place]["config"]) == [kind[0].lower() + kind[1:]], "the block of that type"
    for manifest in values.get("extraManifests", ()):
        spec = manifest["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        pod = spec["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert container["readinessProbe"]["exec"]["command"] == ["hris", "doctor", "--process", "--json"]


def test_the_image_is_built_as_linters_of_dockerfiles_ask() -> None:
    text = (CONTAINERS / "Dockerfile").read_text()
    joined = re.sub(r"\\\n\s*", "", text)
    steps = [line.split(" ", 1) for line in joined.splitlines() if re.match(r"[A-Z]+ ", line)]
    words = {word for word, _ in steps}
    assert words <= {"FROM", "WORKDIR", "ENV", "ARG", "RUN", "COPY", "USER", "HEALTHCHECK", "CMD"}, (
        "no ADD, no MAINTAINER"
    )
    for word, rest in steps:
        if word == "FROM":
            assert re.fullmatch(r"[a-z]+:\d[\w.-]*(?: AS \w+)?", rest), "a version, not what is latest"
        if word == "WORKDIR":
            assert rest.startswith("/")
        if word == "CMD":
            assert isinstance(json.loads(rest), list), "a program, not a shell with a line"
        if word == "RUN":
            assert not re.search(r"\b(?:sudo|cd|curl|wget|apt-get)\b", rest)
    assert [word for word, _ in steps].count("CMD") == [word for word, _ in steps].count("HEALTHCHECK") == 1
    assert "PIP_NO_CACHE_DIR=1" in text
    extra = re.search(r"EXTRAS=(\w+)", (HELM / "values-kubernetes.yaml").read_text())
    assert extra is not None
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    assert [name.partition("~")[0] for name in project["optional-dependencies"][extra[1]]] == ["dagster-k8s"]


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
