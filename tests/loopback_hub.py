"""A Hub of our own on 127.0.0.1, as much of it as pushing and loading models takes.

It speaks the client's real HTTP: create, branch, preupload, LFS batch and upload, commit, model info, tree, resolve.
Weights and pictures go through LFS, all else into the commit. A connection can be made to drop once, at a chosen call
and moment. Clients read `HF_ENDPOINT` at import, so they run in processes of their own (`client_environment`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_token_of_the_owner"
ROOT = Path(__file__).parents[1]


@dataclass
class Repository:
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    drop: tuple[str, str] | None = None
    """(call, moment) at which the connection is dropped once: "before", "half" of the body, or "after" the work."""

    def files(self, revision: str) -> dict[str, bytes] | None:
        return self.commits.get(self.branches.get(revision, revision))

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        number = len(self.commits)
        oid = hashlib.sha1(f"{id(self)} {number}".encode()).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid


class Dropped(Exception):
    pass


class LoopbackHub(ThreadingHTTPServer):
    """Use as a context manager; `repositories` by id may be looked into and prepared."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, Repository] = {}

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.shutdown()
        self.server_close()

    def client_environment(self, home: Path, token: str = TOKEN) -> dict[str, str]:
        """For a process that takes this server for the Hub; nothing is cached outside `home`."""
        kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
        own = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}
        return {**kept, **own, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackHub
    repository: Repository | None = None

    def log_message(self, *args) -> None:
        pass

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_PUT(self) -> None:
        self._serve(self._put)

    def do_GET(self) -> None:
        self._serve(self._get)

    do_HEAD = do_GET

    def _serve(self, answer) -> None:
        self.path, self.query = unquote(urlsplit(self.path).path), parse_qs(urlsplit(self.path).query)
        try:
            answer()
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(2)

    def _body(self, call: str, repository: Repository | None) -> bytes:
        """The request's body, unless the connection is to drop before or while it is read."""
        self.call, self.repository = call, repository
        length = int(self.headers.get("Content-Length") or 0)
        self._drop("before")
        half = self.rfile.read(length // 2)
        self._drop("half")
        return half + self.rfile.read(length - length // 2)

    def _drop(self, moment: str) -> None:
        if self.repository is not None and self.repository.drop == (self.call, moment):
            self.repository.drop = None
            raise Dropped

    def _reply(self, content: object = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        if self.repository is not None:
            self._drop("after")
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._reply({"error": code}, status, {"X-Error-Code": code, "X-Error-Message": code})

    def _owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    # ---- Writing ----

    def _post(self) -> None:
        if self.path == "/api/validate-yaml":
            self._body("validate", None)
            return self._reply({"errors": [], "warnings": []})
        if self.path == "/api/repos/create":
            return self._create()
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(branch|preupload|commit)/(.+)", self.path)
        repo_id = match[1] if match else re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.path)[1]
        repository = self.server.repositories.get(repo_id)
        call = match[2] if match else "batch"
        body = self._body(call, repository)
        if not self._owner() or repository is None:
            return self._refuse(401, "RepoNotFound")
        if call == "batch":
            return self._batch(repo_id, repository, json.loads(body))
        if call == "branch":
            known = match[3] in repository.branches
            repository.branches.setdefault(match[3], repository.branches["main"])
            return self._reply({}, 409 if known else 200)
        if repository.files(match[3]) is None:
            return self._refuse(404, "RevisionNotFound")
        getattr(self, f"_{call}")(repo_id, repository, match[3], body)

    def _create(self) -> None:
        length = int(self.headers["Content-Length"])
        payload = json.loads(self.rfile.read(length))
        if not self._owner():
            return self._refuse(401, "Unauthorized")
        repo_id = f"{payload.get('organization') or 'owner'}/{payload['name']}"
        known = repo_id in self.server.repositories
        private = payload.get("visibility") == "private"
        repository = self.server.repositories.setdefault(repo_id, Repository(private))
        repository.branches or repository.commit("main", {})
        self.call, self.repository = "create", repository
        self._reply({"url": f"{self.server.url}/{repo_id}"}, 409 if known else 200)

    def _preupload(self, repo_id: str, repository: Repository, revision: str, body: bytes) -> None:
        present = repository.files(revision)
        answers = []
        for file in json.loads(body)["files"]:
            mode = "lfs" if file["path"].endswith((".safetensors", ".png")) else "regular"
            content = present.get(file["path"])
            answers.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False})
            if content is not None:
                answers[-1]["oid"] = _oid(content, mode)
        self._reply({"files": answers})

    def _batch(self, repo_id: str, repository: Repository, payload: dict) -> None:
        objects = []
        for entry in payload["objects"]:
            upload = {"upload": {"href": f"{self.server.url}/lfs/{repo_id}/{entry['oid']}"}}
            known = {} if entry["oid"] in repository.lfs else {"actions": upload}
            objects.append({"oid": entry["oid"], "size": entry["size"], **known})
        self._reply({"transfer": "basic", "objects": objects})

    def _put(self) -> None:
        _, _, owner, name, oid = self.path.split("/")
        repository = self.server.repositories[f"{owner}/{name}"]
        content = self._body("put", repository)
        if hashlib.sha256(content).hexdigest() != oid:
            return self._reply({}, 400)
        repository.lfs[oid] = content
        self._reply({})

    def _commit(self, repo_id: str, repository: Repository, revision: str, body: bytes) -> None:
        files = dict(repository.files(revision))
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = repository.lfs[value["oid"]]
        branch = f"refs/pr/{len(repository.commits)}" if "create_pr" in self.query else revision
        oid = repository.commit(branch, files)
        url = f"{self.server.url}/{repo_id}"
        self._reply({"commitOid": oid, "commitUrl": f"{url}/commit/{oid}", "pullRequestUrl": f"{url}/discussions/1"})

    # ---- Reading ----

    def _get(self) -> None:
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/(revision|tree)/(.+))?", self.path)
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(refs/pr/\d+|[^/]+)/(.+)", self.path)
        match = api or resolve
        repository = match and self.server.repositories.get(match[1])
        if repository is None or (repository.private and not self._owner()):
            return self._refuse(401, "RepoNotFound")
        revision = (api[3] if api else resolve[2]) or "main"
        files = repository.files(revision)
        if files is None:
            return self._refuse(404, "RevisionNotFound")
        oid = repository.branches.get(revision, revision)
        if resolve and resolve[3] not in files:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid}
            return self._reply({"error": "EntryNotFound"}, 404, headers)
        if resolve:
            content = files[resolve[3]]
            etag = hashlib.sha256(content).hexdigest()
            return self._reply(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": oid})
        entries = [{"type": "file", "path": path, "size": len(data), "oid": "0"} for path, data in files.items()]
        if api[2] == "tree":
            return self._reply(entries)
        siblings = [{"rfilename": path} for path in files]
        self._reply({"id": api[1], "sha": oid, "private": repository.private, "siblings": siblings, "tags": []})


def _oid(content: bytes, mode: str) -> str:
    """What the client compares its own file with: sha256 for LFS, git's blob id otherwise."""
    if mode == "lfs":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
