"""A real browser that looks at a page and clicks, spoken to by the DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

LIMIT_S = 40.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1500",
    "--remote-debugging-pipe",
)


class Browser:
    """One page in Chromium.

    Args:
        profile: an empty folder for the browser's own files.
    """

    def __init__(self, profile: Path) -> None:
        names = ("chromium", "chromium-browser", "google-chrome")
        program = next((path for name in names if (path := shutil.which(name))), None)
        assert program is not None, "Chromium is not installed: make setup"
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        # The browser reads from descriptor 3 and answers to 4.
        shell = f'exec "$0" "$@" 3<&{read_there} 4>&{write_there}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_there, write_there),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self._to, self._from = os.fdopen(write_here, "wb", 0), os.fdopen(read_here, "rb", 0)
        self._asked = 0
        self._session: str | None = None
        self._rest = b""

    def __enter__(self) -> Browser:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._to.close()
        self._from.close()

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                read = self._from.read(1 << 20)
                assert read, "the browser ended"
                self._rest += read
            one, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(one)
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Goes to a page."""
        self._ask("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """What an expression is worth in the page now."""
        result = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def text(self, selector: str = "body") -> str:
        """The text of an element as it is shown; empty where there is none."""
        found = self.value(f"(document.querySelector({json.dumps(selector)}) || {{innerText: ''}}).innerText")
        return " ".join(str(found).split())

    def until(self, script: str) -> None:
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + LIMIT_S
        while not self.value(script):
            assert time.monotonic() < deadline, f"did not happen in time: {script}; the page says: {self.text()}"
            time.sleep(0.1)

    def click(self, selector: str, label: str) -> None:
        """Clicks the one button with this label within an element."""
        script = (
            f"(() => {{ const found = [...document.querySelectorAll({json.dumps(selector + ' button')})]"
            f".filter((one) => one.innerText === {json.dumps(label)});"
            " if (found.length === 1) found[0].click(); return found.length; })()"
        )
        assert self.value(script) == 1

    def picture(self, path: Path) -> None:
        """Writes what is seen as PNG."""
        shot = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
