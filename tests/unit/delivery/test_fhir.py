"""A FHIR report against a real HTTP server that answers as it is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from nodal.delivery import FhirSender, Outcome, Parcel, sender_for
from nodal.settings import Destination

pytestmark = pytest.mark.unit

BUNDLE = b'{"resourceType": "Bundle", "type": "transaction"}'
PARCEL = Parcel("fhir", "", "2.25.7", BUNDLE)


@contextmanager
def server(status: int) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """The address of a server that answers every POST with a status, and what it was sent."""
    received: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the screen."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/r4", received
        listening.shutdown()
        thread.join()


def sent_to(url: str) -> Outcome:
    sender = sender_for(Destination(name="clinic", kind="fhir", url=url), "NODAL")
    assert isinstance(sender, FhirSender)
    [outcome] = sender.send([PARCEL])
    assert outcome.sop_instance_uid == "2.25.7"
    return outcome


def test_the_bundle_is_posted_to_the_base_as_it_is() -> None:
    with server(200) as (url, received):
        assert sent_to(url).state == "sent"
    assert received == [("/r4", "application/fhir+json; charset=utf-8", BUNDLE)]


@pytest.mark.parametrize(
    ("status", "state"),
    [(201, "sent"), (400, "refused_permanent"), (404, "refused_permanent"), (412, "refused_permanent"),
     (302, "refused_permanent"), (408, "retry"), (409, "retry"), (429, "retry"), (500, "retry"), (503, "retry")],
)  # fmt: skip
def test_a_retry_is_made_where_it_may_help(status: int, state: str) -> None:
    with server(status) as (url, received):
        outcome = sent_to(url)
    assert outcome.state == state
    assert len(received) == 1  # a report is never carried on to where a server points
    assert (outcome.message is None) == (state == "sent")


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = sent_to(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (outcome.state, outcome.code) == ("retry", "UNREACHABLE")
