# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Nodal's plugin for Orthanc.
# Copyright (C) 2026 The Nodal authors
#
# This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero General
# Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option)
# any later version. It is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the
# implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU Affero General Public License
# for more details: https://www.gnu.org/licenses/
"""Nodal's plugin for Orthanc: announces stable studies to the node and shows the node in Orthanc Explorer.

It needs the standard library and Orthanc's Python plugin (4.0 or later), nothing else, and speaks to the node by HTTP
alone. Orthanc's configuration holds::

    "PythonScript": "/etc/orthanc/nodal_plugin.py",
    "Nodal": { "Url": "http://127.0.0.1:8095", "TokenFile": "/etc/nodal/secret" }

``TokenFile`` may be empty when the node runs on the same machine without a secret. ``explorer.js`` lies beside this
file. Whatever goes wrong here is logged and leaves Orthanc running: the node finds in Orthanc's change log what was
not announced.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path

import orthanc

DEFAULT_URL = "http://127.0.0.1:8095"
HTTP_TIMEOUT_S = 20.0
QUEUE_LIMIT = 1000
ATTEMPTS = 6
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
METHODS = ("GET", "POST", "PUT")
DOORS = ("api", "ui")
ASKED_HEADERS = ("accept", "content-type", "sec-fetch-site")
ANSWERED_HEADERS = ("Cache-Control", "Content-Disposition", "Content-Security-Policy", "X-Content-Type-Options")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


class Answer:
    """What the node answered."""

    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = headers  # a Message finds names in any case
        self.body = body


class Node:
    """The node's HTTP interface."""

    def __init__(self, url: str, token_file: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("Nodal.Url must begin with http:// or https://")
        self.url = url.rstrip("/")
        self.token_file = token_file
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; an HTTP error status is an answer, OSError means that the node was not reached."""
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        if self.token_file:
            token = Path(self.token_file).read_text(encoding="utf-8").strip()
            request.add_header("Authorization", "Bearer " + token)
        try:
            with self._opener.open(request, timeout=HTTP_TIMEOUT_S) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


class Announcer:
    """Tells the node of stable studies, from a thread of its own: Orthanc's callbacks must not wait."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: queue.Queue[str | None] = queue.Queue(QUEUE_LIMIT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="nodal-announcer", daemon=True)

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread before Orthanc takes the interpreter down; a request in progress is waited for."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):  # the thread looks at the event after each study
            self._waiting.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(HTTP_TIMEOUT_S + 1)

    def announce(self, orthanc_id: str) -> None:
        try:
            self._waiting.put_nowait(orthanc_id)
        except queue.Full:
            orthanc.LogWarning("Nodal: too many studies wait to be announced; the node will find this one itself")

    def _work(self) -> None:
        while not self._stopping.is_set():
            orthanc_id = self._waiting.get()
            if orthanc_id is not None and not self._stopping.is_set():
                self._deliver(orthanc_id)

    def _deliver(self, orthanc_id: str) -> None:
        pause = FIRST_PAUSE_S
        for _ in range(ATTEMPTS):
            try:
                if self._told(orthanc_id):
                    return
            except Exception as error:  # noqa: BLE001 - one study fails; the thread lives on for the next
                orthanc.LogWarning(f"Nodal: study {orthanc_id} not announced: {type(error).__name__}: {error}")
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_S)
        orthanc.LogError(f"Nodal: study {orthanc_id} could not be announced; the node will find it in the change log")

    def _told(self, orthanc_id: str) -> bool:
        try:
            study = json.loads(orthanc.RestApiGet("/studies/" + orthanc_id))
        except orthanc.OrthancException:
            return True  # deleted in the meantime
        hint = {
            "source": "orthanc",
            "orthanc_id": orthanc_id,
            "study_instance_uid": study["MainDicomTags"].get("StudyInstanceUID", ""),
            "reason": "stable_study",
        }
        body = json.dumps(hint).encode("utf-8")
        answer = self._node.ask(
            "POST", "/api/studies", body, {"Content-Type": "application/json", "X-Nodal-Via": "orthanc"}
        )
        if answer.status >= 500 or answer.status in (401, 403, 429):
            orthanc.LogWarning(f"Nodal: the node answered {answer.status} to study {orthanc_id}")
            return False
        if answer.status >= 400:
            orthanc.LogError(f"Nodal: the node will not take study {orthanc_id}: status {answer.status}")
        return True


def login_name(headers: dict[str, str]) -> str:
    """The name a person logged in to Orthanc with (HTTP Basic); empty when Orthanc asked for none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def send(output: object, status: int, body: bytes, kind: str) -> None:
    """Answers with a status other than 200; plugin 4.0 takes text and its length in bytes, other releases bytes."""
    output.SetHttpHeader("Content-Type", kind)
    try:
        output.SendHttpStatus(status, body.decode("utf-8", errors="replace"), len(body))
    except TypeError:
        output.SendHttpStatus(status, body)


def send_error(output: object, status: int, message: str, retry: bool) -> None:
    """An error in the node's own form (code, message, retry)."""
    body = json.dumps({"code": "UNREACHABLE", "message": message, "retry": retry}).encode("utf-8")
    send(output, status, body, "application/json")


def pass_through(node: Node, output: object, request: dict) -> None:
    """Orthanc's ``/nodal/X`` is the node's ``/X``; Orthanc's own login has been checked before."""
    path = request["groups"][0]
    segments = path.split("/")
    if segments[0] not in DOORS or ".." in segments:
        send_error(output, 404, "There is no such page.", False)
        return
    if request["method"] not in METHODS:
        output.SendMethodNotAllowed(",".join(METHODS))
        return
    target = "/" + urllib.parse.quote(path, safe="/~:")
    if request.get("get"):
        # 1.10.1 hands the arguments over as they stood in the address, other releases decoded
        plain = {name: urllib.parse.unquote_plus(value) for name, value in request["get"].items()}
        target += "?" + urllib.parse.urlencode(plain)
    asked = request.get("headers", {})
    headers = {name: asked[name] for name in ASKED_HEADERS if name in asked}
    headers["X-Nodal-Via"] = "orthanc"
    name = login_name(asked)
    if name:
        headers["X-Nodal-User"] = urllib.parse.quote(name)
    body = request.get("body") if request["method"] != "GET" else None
    try:
        answer = node.ask(request["method"], target, body, headers)
    except OSError as error:
        orthanc.LogWarning(f"Nodal: the node at {node.url} was not reached: {error}")
        send_error(output, 503, "The Nodal node does not answer. It may be starting, or it is stopped.", True)
        return
    for header in ANSWERED_HEADERS:
        if header in answer.headers:
            output.SetHttpHeader(header, answer.headers[header])
    kind = answer.headers.get("Content-Type", "application/octet-stream")
    if answer.status == 200:
        output.AnswerBuffer(answer.body, kind)
    elif answer.status == 401:
        send_error(output, 502, "The node did not take the plugin's token: Nodal.TokenFile is wrong.", False)
    elif answer.status == 405:
        output.SendMethodNotAllowed(",".join(METHODS))
    elif answer.status in (301, 302, 303, 307, 308):
        send_error(output, 502, "The node answered with a redirection.", False)
    else:
        send(output, answer.status, answer.body, kind)


def set_up() -> None:
    """Registers the callbacks."""
    section = json.loads(orthanc.GetConfiguration()).get("Nodal", {})
    node = Node(section.get("Url") or DEFAULT_URL, section.get("TokenFile") or "")
    announcer = Announcer(node)

    def on_change(change_type: int, _level: int, resource_id: str) -> None:
        if change_type == orthanc.ChangeType.ORTHANC_STARTED:
            announcer.start()
        elif change_type == orthanc.ChangeType.ORTHANC_STOPPED:
            announcer.stop()
        elif change_type == orthanc.ChangeType.STABLE_STUDY:
            announcer.announce(resource_id)

    def on_rest(output: object, _uri: str, **request: object) -> None:
        pass_through(node, output, request)

    orthanc.RegisterOnChangeCallback(on_change)
    orthanc.RegisterRestCallback("/nodal/(.*)", on_rest)
    explorer = Path(__file__).with_name("explorer.js")
    orthanc.ExtendOrthancExplorer(explorer.read_text(encoding="utf-8"))
    orthanc.LogWarning(f"Nodal: stable studies are announced to {node.url}")


try:
    set_up()
except Exception as error:  # noqa: BLE001 - an exception at load would end Orthanc itself
    orthanc.LogError(f"Nodal: the plugin is switched off: {type(error).__name__}: {error}")
