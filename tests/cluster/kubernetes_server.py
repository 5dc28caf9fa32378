"""A stand-in for a Kubernetes API server: what Snakemake's executor asks of one, on loopback.

A job's command runs as a process of this machine, in an empty folder and with no more environment
than PATH and HOME: the mounts of its manifest are taken as fulfilled. Image, resources and mounts
are only kept, for a test to look at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_OBJECT = re.compile(
    r"/apis?/(?:batch/)?v1/namespaces/(?P<namespace>[^/]+)/(?P<kind>\w+)(?:/(?P<name>[^/]+))?(?:/(?P<part>\w+))?"
)
_GRACE_SECONDS = 3
"""A cluster's own is 30."""


@dataclass
class Cluster:
    """Its jobs and secrets, and all that was asked of it."""

    path: str
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    deleted: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    """Verbs and resources, as a role grants them."""

    def running(self) -> list[str]:
        """Names of the jobs whose command has not ended."""
        return [name for name, process in self.jobs.items() if process.poll() is None]

    def start(self, manifest: dict[str, Any]) -> None:
        """Run the job's one container."""
        name = manifest["metadata"]["name"]
        self.manifests[name] = manifest
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        home = tempfile.mkdtemp(prefix="pod.")
        self.logs[name] = Path(home) / "log"
        self.jobs[name] = subprocess.Popen(
            [*container["command"], *container["args"]], cwd=home,
            env={"PATH": self.path, "HOME": home}, start_new_session=True,
            stdout=self.logs[name].open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip

    def delete(self, name: str) -> None:
        """Remove the job: SIGTERM to its first process, then SIGKILL to what is left."""
        self.deleted.append(name)
        if name not in self.running():
            return
        self.jobs[name].terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.jobs[name].wait(timeout=_GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.jobs[name].pid, signal.SIGKILL)
        self.jobs[name].wait()

    def status(self, name: str) -> dict[str, int]:
        """A job's status."""
        code = self.jobs[name].poll()
        return {"active": 1} if code is None else {"failed": 1} if code else {"succeeded": 1}

    def pod(self, name: str) -> dict[str, Any]:
        """A job's pod."""
        code = self.jobs[name].poll()
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        container = {"name": "snakemake", "image": "", "imageID": "", "ready": False,
                     "restartCount": 0, "state": state}  # fmt: skip
        return {"metadata": {"name": f"{name}-pod"}, "status": {"containerStatuses": [container]}}


def handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    """The requests of the executor, and 404 for others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("get")

        def do_POST(self) -> None:
            self._answer("create")

        def do_DELETE(self) -> None:
            self._answer("delete")

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, verb: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            found = _OBJECT.fullmatch(url.path)
            if found is None:
                return self._send(404, _failure(404, f"no {url.path}"))
            kind, name, part = found["kind"], found["name"] or "", found["part"]
            if verb == "get" and not name:
                verb = "list"
            cluster.asked.add(f"{verb} {kind}" + (f"/{part}" if part else ""))
            match verb, kind, part:
                case "create", "secrets", None:
                    cluster.secrets.add(body["metadata"]["name"])
                    return self._send(201, body)
                case "delete", "secrets", None:
                    cluster.secrets.discard(name)
                    return self._send(200, {"status": "Success"})
                case "create", "jobs", None:
                    cluster.start(body)
                    return self._send(201, body)
                case "get", "jobs", "status" if name in cluster.jobs:
                    job = {"metadata": {"name": name}, "status": cluster.status(name)}
                    return self._send(200, job)
                case "delete", "jobs", None if name in cluster.jobs:
                    cluster.delete(name)
                    return self._send(200, {"status": "Success"})
                case "list", "pods", None:
                    job = query["labelSelector"].removeprefix("job-name=")
                    pods = [cluster.pod(job)] if job in cluster.jobs else []
                    return self._send(200, {"kind": "PodList", "items": pods})
                case "delete", "pods", None:
                    return self._send(200, {"metadata": {"name": name}})
                case "get", "pods", "log" if query.get("previous", "false").lower() == "true":
                    words = f'previous terminated container "snakemake" in pod "{name}" not found'
                    return self._send(400, _failure(400, words))
                case "get", "pods", "log":
                    log = cluster.logs[name.removesuffix("-pod")]
                    return self._send(200, log.read_text(encoding="utf-8"))
            self._send(404, _failure(404, f"no {kind} {name}"))

        def _send(self, code: int, content: Any) -> None:
            text = content if isinstance(content, str) else json.dumps(content)
            data = text.encode()
            self.send_response(code)
            kind = "text/plain" if isinstance(content, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def serve(cluster: Cluster, kubeconfig: Path) -> ThreadingHTTPServer:
    """Answer for `cluster` on a free port, which `kubeconfig` then names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(cluster))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [
            {"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "me", "user": {}}],
    }  # fmt: skip
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    return server


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}
