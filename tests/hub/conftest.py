"""A hub of our own on this machine: the endpoints that ``huggingface_hub`` uses, and faults on demand."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_of_the_tests"


def contents(folder):
    """The files of a folder by name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


class Hub(ThreadingHTTPServer):
    """Repositories in memory.

    Attributes:
        commits: files by name, by commit.
        branches: commit by repository and branch.
        private: names of the private ones.
        requests: what was asked for, as "METHOD path".
        ranges: parts of files that were asked for.
        faults: statuses, or "gated", by the beginning of a path; "cut" by "/REPOSITORY/FILE" breaks one answer off.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits, self.branches, self.large, self.private = {}, {}, {}, set()
        self.requests, self.ranges, self.faults = [], [], {}
        self.address = f"http://127.0.0.1:{self.server_port}"

    def publish(self, name, files, more=(), branch="main"):
        """Make a commit of files, of a folder or a dictionary, and of more of them, and return its number."""
        files = {**(files if isinstance(files, dict) else contents(files)), **dict(more)}
        listed = json.dumps([(file, hashlib.sha1(data).hexdigest()) for file, data in sorted(files.items())])
        commit = hashlib.sha1((name + listed).encode()).hexdigest()
        self.commits[commit] = files
        self.branches[name, branch] = self.branches[name, commit] = commit
        return commit

    def files(self, name, branch="main"):
        return self.commits[self.branches[name, branch]]

    def downloads(self):
        """Names of the files that were sent."""
        sent = (request for request in self.requests if request.startswith("GET ") and "/resolve/" in request)
        return sorted(request.split("/resolve/")[1].split("/", 1)[1] for request in sent)

    def forget(self):
        for kept in (self.branches, self.private, self.requests, self.ranges, self.faults):
            kept.clear()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status=200, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        path = unquote(urlsplit(self.path).path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.requests.append(f"{self.command} {path}")
        for start, fault in self.server.faults.items():
            if path.startswith(start) and fault != "cut":
                self.answer(403, X_Error_Code="GatedRepo") if fault == "gated" else self.answer(fault, {})
                return
        for pattern, method in self.routes:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                method(self, *match.groups(), **({"body": body} if self.command in ("POST", "PUT") else {}))
                return
        self.answer(404, {"error": "no such endpoint"})

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815

    def commit_of(self, name, revision):
        """The commit of a revision; None once the error was sent."""
        if not any(owner == name for owner, _ in self.server.branches):
            self.answer(404, X_Error_Code="RepoNotFound")
        elif (name, revision) not in self.server.branches:
            self.answer(404, X_Error_Code="RevisionNotFound")
        return self.server.branches.get((name, revision))

    def info(self, name, revision):
        if commit := self.commit_of(name, revision or "main"):
            files = [{"rfilename": file} for file in self.server.commits[commit]]
            private = name in self.server.private
            self.answer(
                200, {"_id": "0", "id": name, "modelId": name, "sha": commit, "siblings": files, "private": private}
            )

    def tree(self, name, revision):
        if commit := self.commit_of(name, revision):
            files = self.server.commits[commit].items()
            self.answer(
                200,
                [{"type": "file", "path": f, "size": len(d), "oid": hashlib.sha1(d).hexdigest()} for f, d in files],
            )

    def resolve(self, _, name, revision, file):
        if not (commit := self.commit_of(name, revision)):
            return
        if file not in self.server.commits[commit]:
            self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        data = self.server.commits[commit][file]
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X_Repo_Commit": commit, "Accept_Ranges": "bytes"}
        if self.command == "HEAD":
            self.answer(200, **headers, Content_Length=str(len(data)))
            return
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        if start:
            self.server.ranges.append(self.headers["Range"])
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        part, length = data[start:], len(data) - start
        if self.server.faults.pop(f"/{name}/{file}", None) == "cut":
            part, self.close_connection = part[: length // 2], True
        self.answer(206 if start else 200, part, **headers, Content_Length=str(length))

    def allowed(self):
        """Whether the request has the token; the error is sent if it has not."""
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self.answer(401, {"error": "Invalid username or password."})
        return False

    def create(self, body):
        request = json.loads(body)
        name = f"{request['organization']}/{request['name']}"
        if not self.allowed():
            return
        if any(owner == name for owner, _ in self.server.branches):
            self.answer(409, {"url": f"{self.server.address}/{name}"})
            return
        self.server.publish(name, {".gitattributes": b"*.safetensors filter=lfs"})
        if request.get("private") or request.get("visibility") == "private":
            self.server.private.add(name)
        self.answer(200, {"url": f"{self.server.address}/{name}"})

    def validate(self, body):
        self.answer(200, {"errors": [], "warnings": []})

    def preupload(self, name, _, body):
        if self.allowed():
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {file: "lfs" if file.endswith(".safetensors") else "regular" for file in files}
            self.answer(200, {"files": [{"path": f, "uploadMode": m, "shouldIgnore": False} for f, m in modes.items()]})

    def batch(self, name, body):
        objects = json.loads(body)["objects"]
        for item in objects:
            item["actions"] = {"upload": {"href": f"{self.server.address}/large/{item['oid']}"}}
        self.answer(200, {"transfer": "basic", "objects": objects})

    def put(self, oid, body):
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.large[oid] = body
        self.answer(200)

    def commit(self, name, branch, body):
        files = dict(self.server.files(name, branch))
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        oid = self.server.publish(name, files, branch=branch)
        self.answer(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.server.address}/{name}/commit/{oid}"})

    routes = (
        (r"GET /api/models/([^/]+/[^/]+)(?:/revision/(.+))?", info),
        (r"GET /api/models/([^/]+/[^/]+)/tree/([^/]+)", tree),
        (r"(GET|HEAD) /([^/]+/[^/]+)/resolve/([^/]+)/(.+)", resolve),
        (r"POST /api/repos/create", create),
        (r"POST /api/validate-yaml", validate),
        (r"POST /api/models/([^/]+/[^/]+)/preupload/([^/]+)", preupload),
        (r"POST /([^/]+/[^/]+)\.git/info/lfs/objects/batch", batch),
        (r"PUT /large/(\w+)", put),
        (r"POST /api/models/([^/]+/[^/]+)/commit/([^/]+)", commit),
    )


@pytest.fixture(scope="session")
def _server():
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hub(_server, tmp_path, monkeypatch):
    """The hub, with an empty cache in ``tmp_path`` and nobody logged in."""
    _server.forget()
    for name, value in {
        "ENDPOINT": _server.address,
        "HUGGINGFACE_CO_URL_TEMPLATE": f"{_server.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # large files go by plain HTTP
        "HF_TOKEN_PATH": str(tmp_path / "token"),
    }.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    return _server
