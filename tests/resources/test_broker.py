"""Claims about a broker outside: TLS, who we are and who it is, against a real mosquitto with a private authority."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.errors import ConfigError, CredentialError, ServiceError
from pipelines import wiring
from resources.broker import Broker
from resources.mqtt import Line, send_all
from tests.certificates import Authority
from tests.scenarios.fleet_day import ROOT, free_port, mosquitto

USER, DEVICE, WORD = "tailrace", "H-1", "open-sesame-7"
FILES = ("ca_file", "certificate", "private_key")


@dataclass(frozen=True, slots=True)
class Outside:
    """A broker with the TLS configuration we ship: by name of what its listeners ask for or get wrong, their URL."""

    authority: Authority
    urls: dict[str, str]

    def broker(self, listener: str = "tls", **changes: object) -> Broker:
        """Return the way to one of its listeners, right unless something is changed."""
        right = {"url": self.urls[listener], "username": USER, "password": WORD, "ca_file": self.authority.file}
        return Broker(**(right | changes))


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    program = mosquitto()
    if program is None:
        pytest.skip("mosquitto is not on this machine: apt-get install mosquitto")
    folder = tmp_path_factory.mktemp("broker")
    authority = Authority(folder)
    ports = {name: free_port() for name in ("tls", "other name", "certificates")}
    conf = folder / "mosquitto.conf"
    conf.write_text(configuration(folder, authority, ports))
    process = subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.DEVNULL)
    for port in ports.values():
        while not listens(port):
            assert process.poll() is None
            time.sleep(0.02)
    urls = {name: f"mqtts://127.0.0.1:{port}" for name, port in ports.items()}
    yield Outside(authority, urls)
    process.terminate()
    process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def configuration(folder: Path, authority: Authority, ports: dict[str, int]) -> str:
    """Return the shipped configuration: its plain listener removed, its TLS lines in force, and more listeners."""
    shipped = (ROOT / "deploy" / "mosquitto.conf").read_text()
    rights = re.search(r"rights in acl_file:\n((#   .+\n)+)", shipped)
    assert rights is not None
    (folder / "acl").write_text(re.sub("(?m)^#   ", "", rights[1]))
    text = shipped.replace("listener 1883 127.0.0.1\nallow_anonymous true\n", "")
    text = re.sub(r"(?m)^# (?=(listener|certfile|keyfile|allow_anonymous|password_file|acl_file) /?\w)", "", text)
    own, key = authority.certificate("127.0.0.1")
    for name, path in {"broker.pem": own, "broker.key": key}.items():
        text = text.replace(f"/etc/tailrace/{name}", str(path))
    text = text.replace("listener 8883", f"listener {ports['tls']} 127.0.0.1").replace("/etc/tailrace", str(folder))
    for create, user in ((["-c"], USER), ([], DEVICE)):
        subprocess.run(["mosquitto_passwd", "-b", *create, str(folder / "passwords"), user, WORD], check=True)
    other, other_key = authority.certificate("broker.example")
    return f"""{text}
persistence_location {folder}/
user root
log_type none
listener {ports["other name"]} 127.0.0.1
certfile {other}
keyfile {other_key}
listener {ports["certificates"]} 127.0.0.1
cafile {authority.file}
certfile {own}
keyfile {key}
require_certificate true
"""


def hear(broker: Broker, topic: str, count: int) -> list[bytes]:
    """Return what is retained under a topic."""
    heard: list[bytes] = []
    client = broker.client("listener")
    client.on_message = lambda _client, _data, message: heard.append(message.payload)
    line = Line(broker, client, lambda _: client.subscribe(topic, 1))
    line.open()
    deadline = time.monotonic() + 10
    while len(heard) < count and time.monotonic() < deadline:
        line.turn()
    line.close()
    return heard


def send(broker: Broker, *messages: tuple[str, bytes]) -> int:
    return send_all(broker, messages, client_id="sender", retain=True, taken=lambda _: None)


def test_schedules_and_acknowledgements_go_over_tls_as_the_environment_says(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"HOME": str(tmp_path), "MQTT_URL": outside.urls["tls"], "MQTT_USERNAME": USER, "MQTT_PASSWORD": WORD}
    for name, value in (said | {"MQTT_CA": str(outside.authority.file)}).items():
        monkeypatch.setenv(f"TAILRACE_{name}", value)
    link = wiring.open_fleet()
    try:
        link.drain(quiet_s=0.1)  # the session exists from now on
        as_device = outside.broker(username=DEVICE)
        send_all(as_device, [(f"devices/{DEVICE}/ack", b"{")], client_id=DEVICE, retain=False, taken=lambda _: None)
        counts = link.drain(quiet_s=0.2)
        assert counts is not None
        assert (counts.received, counts.letters) == (1, 1)
        assert WORD not in repr(link)
    finally:
        link.close()
    assert WORD not in caplog.text


def test_messages_larger_than_a_record_of_tls_arrive_whole(outside: Outside) -> None:
    # A record holds 16 KiB: each message takes several, and one read may end amid a packet.
    bodies = [bytes([65 + n]) * (40_000 + n) for n in range(20)]
    assert send(outside.broker(), *((f"devices/{n}/schedule/response", body) for n, body in enumerate(bodies))) == 20
    assert sorted(hear(outside.broker(), "devices/+/schedule/response", 20)) == bodies


def test_a_device_reaches_its_own_topics_only(outside: Outside) -> None:
    send(outside.broker(), (f"devices/{DEVICE}/ack/confirmed", b"mine"), ("devices/H-2/ack/confirmed", b"another's"))
    assert hear(outside.broker(username=DEVICE), "devices/+/ack/confirmed", 1) == [b"mine"]


def refusal(broker: Broker) -> ServiceError:
    """Return why a connection does not come about: at once, for all the patience asked for."""
    with pytest.raises(ServiceError) as caught:
        Line(broker, broker.client("refused")).open(patience_s=600)
    assert not caught.value.retryable
    assert WORD not in str(caught.value)
    return caught.value


def test_a_broker_of_an_unknown_authority_is_refused(outside: Outside, tmp_path: Path) -> None:
    for known in (None, Authority(tmp_path, "another authority").file):
        said = str(refusal(outside.broker(ca_file=known)))
        assert outside.urls["tls"] in said
        assert "certificate is refused" in said
        assert "TAILRACE_MQTT_CA" in said


def test_a_broker_under_another_name_is_refused(outside: Outside) -> None:
    said = str(refusal(outside.broker("other name")))
    assert "not valid for '127.0.0.1'" in said
    assert "TAILRACE_MQTT_URL" in said


@pytest.mark.parametrize("wrong", [{"password": "guess-8"}, {"username": None, "password": None}])
def test_a_broker_that_does_not_know_the_user_says_so_without_his_password(
    outside: Outside, wrong: dict[str, str | None]
) -> None:
    error = refusal(outside.broker(**wrong))
    assert isinstance(error, CredentialError)
    assert "TAILRACE_MQTT_USERNAME" in str(error)
    assert "guess-8" not in str(error)


def test_a_certificate_of_ours_is_accepted_and_its_absence_refused(outside: Outside, tmp_path: Path) -> None:
    own, key = outside.authority.certificate(USER)
    assert send(outside.broker("certificates", certificate=own, private_key=key), ("devices/1/ack", b"")) == 1
    strange, strange_key = Authority(tmp_path, "another authority").certificate(USER)
    for wrong in ({}, {"certificate": strange, "private_key": strange_key}):
        error = refusal(outside.broker("certificates", **wrong))
        assert isinstance(error, CredentialError)
        assert f"TAILRACE_MQTT_CERTIFICATE ({wrong.get('certificate', 'none is set')})" in str(error)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "mqtt://host:70000"}, "write mqtt://host:port"),
        ({"url": "mqtts://[::1"}, "write mqtt://host:port"),
        ({"username": None}, "_USERNAME is not"),
        ({"certificate": None}, "name the key's certificate"),
        ({"url": "mqtt://host"}, "write mqtts://"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "no file"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    (tmp_path / "x.pem").touch()
    whole = {"url": "mqtts://host", "username": USER, "password": WORD, **dict.fromkeys(FILES, tmp_path / "x.pem")}
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        Broker(**(whole | changes))
    assert WORD not in str(caught.value)


def test_a_secret_in_a_broken_url_is_not_repeated() -> None:
    for url in (f"mqtt://{USER}:{WORD}@host:70000", f"http://{USER}:{WORD}@host", f"mqtt://{USER}:{WORD}@"):
        with pytest.raises(ConfigError, match="credentials") as caught:
            Broker(url=url)
        assert WORD not in str(caught.value)


def test_files_that_are_no_certificates_are_named_and_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, key = authority.certificate(USER)
    _, other_key = authority.certificate("other")
    locked, locked_key = authority.certificate("locked", password=WORD)
    url = "mqtts://host"
    with pytest.raises(ConfigError, match=f"TAILRACE_MQTT_CA: {key}"):
        Broker(url=url, ca_file=key).client("x")
    for certificate, secret in ((own, other_key), (own, None), (key, key), (locked, locked_key)):
        with pytest.raises(ConfigError, match=f"TAILRACE_MQTT_CERTIFICATE: {certificate}"):
            Broker(url=url, certificate=certificate, private_key=secret).client("x")
