"""A browser through the W3C WebDriver protocol, with the standard library alone."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --disable-default-apps --disable-extensions"
).split()
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window."""

    def __init__(self, address: str):
        self._address = address

    def _call(self, method: str, path: str, **body):
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self._address + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def find(self, selector: str):
        found = self._call("POST", "/element", using="css selector", value=selector)
        return found[_ELEMENT]

    def click(self, selector: str) -> None:
        self._call("POST", "/element/%s/click" % self.find(selector))

    def type(self, selector: str, text: str) -> None:
        self._call("POST", "/element/%s/value" % self.find(selector), text=text)

    def run(self, script: str):
        """The value of a JavaScript expression."""
        return self.execute("return " + script)

    def execute(self, script: str):
        """What the body of a JavaScript function returns."""
        return self._call("POST", "/execute/sync", script=script, args=[])

    def wait(self, script: str, seconds: float = 30):
        """The value of an expression once it is true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.1)
        raise AssertionError(
            "%s did not come true; the page says: %s"
            % (script, self.run("document.body.innerText"))
        )

    def drag(self, points, pointer: str = "mouse") -> None:
        """Presses at the first of `points`, moves along the others, and lets go."""
        (x, y), rest = points[0], points[1:]
        actions = [
            {"type": "pointerMove", "x": x, "y": y, "duration": 0},
            {"type": "pointerDown", "button": 0},
        ]
        actions += [{"type": "pointerMove", "x": x, "y": y, "duration": 50} for x, y in rest]
        actions.append({"type": "pointerUp", "button": 0})
        source = {"type": "pointer", "id": pointer, "parameters": {"pointerType": pointer}}
        self._call("POST", "/actions", actions=[dict(source, actions=actions)])

    def press(self, *keys: str) -> None:
        """Presses keys together where the focus is, and lets go in the opposite order."""
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._call("POST", "/actions", actions=[source])

    def drop(self, paths, x: int, y: int) -> None:
        """Drags files from outside over the page and drops them."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self._developer("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def grant(self, *permissions: str) -> None:
        """Grants permissions that a person would be asked for."""
        self._developer("Browser.grantPermissions", permissions=list(permissions))

    def download_to(self, folder: str) -> None:
        """Lets the page save files, in `folder`."""
        self._developer("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)

    def _developer(self, command: str, **parameters) -> None:
        """A command of the Chrome DevTools Protocol."""
        self._call("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def screenshot(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def emulate(self, **parameters) -> None:
        self._developer("Emulation.setDeviceMetricsOverride", **parameters)

    def emulate_dark(self) -> None:
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        self._developer("Emulation.setEmulatedMedia", features=[dark])

    def errors(self) -> list:
        """What the console has seen go wrong."""
        return [
            entry
            for entry in self._call("POST", "/se/log", type="browser")
            if entry["level"] == "SEVERE"
        ]


@contextlib.contextmanager
def browser(width: int = 1200, height: int = 900):
    """A headless Chromium with an empty profile."""
    with tempfile.TemporaryDirectory() as profile:
        driver = subprocess.Popen([CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            for line in driver.stdout:
                port = re.search(r"started successfully on port (\d+)", line)
                if port:
                    break
            address = "http://127.0.0.1:%s" % port.group(1)
            flags = _FLAGS + ["--user-data-dir=" + profile, "--window-size=%d,%d" % (width, height)]
            options = {"binary": CHROMIUM, "args": flags}
            session = Browser(address)._call(
                "POST",
                "/session",
                capabilities={
                    "alwaysMatch": {
                        "browserName": "chrome",
                        "goog:chromeOptions": options,
                        "goog:loggingPrefs": {"browser": "ALL"},
                    }
                },
            )
            window = Browser(address + "/session/" + session["sessionId"])
            try:
                yield window
            finally:
                window._call("DELETE", "")
        finally:
            driver.terminate()
            driver.wait(10)
            driver.stdout.close()
