"""The stand-ins as a process of their own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from simulators.pi import PiService
from simulators.serve import Simulators

COMMAND = [sys.executable, "-m", "simulators.serve", "--seed", "7", "--now", "2026-11-21T08:00Z", "--speed", "0"]
PATIENCE_S = 30.0


def announced(path: Path) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline, "nothing was announced"
        time.sleep(0.02)
    return json.loads(path.read_text())


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_every_announced_port_answers_and_a_signal_ends_it_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    announce = tmp_path / "stand-ins.json"
    with subprocess.Popen([*COMMAND, "--announce", str(announce)]) as process:
        addresses = announced(announce)
        assert addresses.pop("pid") == process.pid
        assert {"pi", "ercot", "ercot_token", "caiso", "hydroforecast"} <= set(addresses)
        for address in addresses.values():
            if address.startswith("http"):
                origin = "/".join(address.split("/")[:3])
                assert requests.get(f"{origin}/_control", timeout=10).json()["now"] == "2026-11-21T08:00:00+00:00"
        process.send_signal(stop)
        assert process.wait(PATIENCE_S) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["stand-ins.json"]


def test_it_ends_by_itself_when_its_parent_is_gone(tmp_path: Path) -> None:
    announce = tmp_path / "stand-ins.json"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as parent:
        arguments = [*COMMAND, "--announce", str(announce), "--parent-pid", str(parent.pid)]
        with subprocess.Popen(arguments) as process:
            announced(announce)
            parent.kill()
            parent.wait()
            assert process.wait(PATIENCE_S) == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine to make a certificate with")
def test_with_a_certificate_the_services_speak_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=127.0.0.1"]
    subprocess.run([*made, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with Simulators(services=[PiService], certificate=(certificate, key)) as stand_ins, requests.Session() as http:
        address = stand_ins.addresses["pi"]
        assert address.startswith("https://")
        with pytest.raises(requests.exceptions.SSLError):
            http.get(address + "/", timeout=10)
        assert http.get(address + "/", auth=("demo", "demo"), verify=str(certificate), timeout=10).status_code == 200
