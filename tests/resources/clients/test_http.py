"""The fetch loop against a scripted server: what is tried again, how long it waits, what is landed and shown."""

from __future__ import annotations

import io
import json
import multiprocessing
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import ConfigError, CredentialError, InputError, PayloadError, ServiceError, TimeError, UnitError
from resources.clock import ManualClock
from resources.http import (
    Answer,
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Expect,
    Failures,
    Fetcher,
    Request,
    StatusError,
    UnreachableError,
)
from resources.http.gate import Gate
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings

Serve = Callable[[Script], Served]
Make = Callable[..., Fetcher]


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, auth: Auth | None = None, **changes: object) -> Fetcher:
        settings = http_settings(base_url, **changes)
        return Fetcher("river", source="river", settings=settings, clock=clock, land=landed, locks=locks, auth=auth)

    return build


def body(answer: Answer) -> bytes:
    return answer.content


def in_turn(*replies: Reply) -> Script:
    """Answer with each reply once, then with the last for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def a_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("prices.csv", "a,b\n1,2\n" * 500)
    return out.getvalue()


PAGE = Reply(b"<html><title>Please sign in</title></html>", headers={"Content-Type": "text/html"})
GOOD = Reply(b'{"value": 1}')


def test_bytes_are_landed_before_they_are_read(serve: Serve, make: Make, landed: Landed) -> None:
    def fails(_: Answer) -> None:
        raise PayloadError("unknown column")

    with make(serve(in_turn(GOOD)).url) as fetcher, pytest.raises(PayloadError, match="unknown column"):
        fetcher.fetch(Request(path="/data"), fails)
    [(content, meta)] = landed
    assert content == GOOD.body
    assert meta.source == "river"
    assert meta.fetched_at == NOW
    assert meta.meta["status"] == "200"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again_with_growing_waits(
    serve: Serve, make: Make, clock: ManualClock, status: int
) -> None:
    served = serve(in_turn(Reply(status=status), Reply(status=status), GOOD))
    with make(served.url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body
    assert len(served.asked) == 3
    # Waits of 1 s and 2 s, each shortened by up to half.
    assert timedelta(seconds=1.5) <= clock.now() - NOW <= timedelta(seconds=3)


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refused_request_is_not_repeated(serve: Serve, make: Make, status: int) -> None:
    served = serve(in_turn(Reply(b'{"Errors": ["no such thing"]}', status=status)))
    with make(served.url) as fetcher, pytest.raises(StatusError, match=r"no such thing.*; correct the site") as caught:
        fetcher.fetch(Request(path="/data", remedy="correct the site"), body)
    assert caught.value.status == status
    assert not caught.value.retryable
    assert len(served.asked) == 1


def test_a_fault_that_stays_is_reported_with_the_number_of_attempts(serve: Serve, make: Make) -> None:
    served = serve(in_turn(Reply(b"archive is down", status=503)))
    with (
        make(served.url) as fetcher,
        pytest.raises(StatusError, match=r"river: GET .*/data answered 503.*3 attempts") as caught,
    ):
        fetcher.fetch(Request(path="/data"), body)
    assert caught.value.retryable
    assert str(caught.value).count("river:") == 1
    assert len(served.asked) == 3


def test_a_429_waits_as_long_as_it_says(serve: Serve, make: Make, clock: ManualClock) -> None:
    with make(serve(in_turn(Reply(status=429, headers={"Retry-After": "42"}), GOOD)).url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
    assert clock.now() - NOW == timedelta(seconds=42)


def test_a_429_may_name_a_date(serve: Serve, make: Make, clock: ManualClock) -> None:
    told = Reply(status=429, headers={"Retry-After": "Sat, 21 Nov 2026 18:01:07 GMT"})
    with make(serve(in_turn(told, GOOD)).url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
    assert clock.now() - NOW == timedelta(seconds=60)


def test_a_429_may_say_it_in_words(serve: Serve, make: Make, clock: ManualClock) -> None:
    told = Reply(b'{"statusCode": 429, "message": "Rate limit is exceeded. Try again in 17 seconds."}', status=429)
    with make(serve(in_turn(told, GOOD)).url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
    assert clock.now() - NOW == timedelta(seconds=17)


def test_a_429_without_a_word_waits_longer_than_other_faults(serve: Serve, make: Make, clock: ManualClock) -> None:
    with make(serve(in_turn(Reply(status=429), Reply(status=429), GOOD)).url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
    # 10 s and 20 s, each shortened by up to half.
    assert timedelta(seconds=15) <= clock.now() - NOW <= timedelta(seconds=30)


def test_a_pause_outlives_the_request_that_met_it(serve: Serve, make: Make, clock: ManualClock) -> None:
    with make(serve(in_turn(Reply(status=429, headers={"Retry-After": "42"}), GOOD)).url, attempts=1) as fetcher:
        with pytest.raises(StatusError, match="answered 429"):
            fetcher.fetch(Request(path="/data"), body)
        assert clock.now() == NOW
        fetcher.fetch(Request(path="/data"), body)
    assert clock.now() - NOW == timedelta(seconds=42)


VOLUME = Reply(b'{"statusCode":429,"error":"BandwidthQuotaExceeded","message":"Out of bandwidth quota."}', status=429)


def test_a_volume_quota_waits_for_the_next_hour(serve: Serve, make: Make, clock: ManualClock) -> None:
    with make(serve(in_turn(VOLUME, GOOD)).url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
    turn = datetime(2026, 11, 21, 19, tzinfo=UTC)
    assert turn <= clock.now() <= turn + timedelta(seconds=31)


def test_a_pause_longer_than_allowed_ends_the_run_and_says_until_when(
    serve: Serve, make: Make, clock: ManualClock
) -> None:
    served = serve(in_turn(VOLUME, GOOD))
    with make(served.url, longest_wait_s=120) as fetcher:
        with pytest.raises(ServiceError, match=r"due at 2026-11-21T19:00.*longest_wait_s") as caught:
            fetcher.fetch(Request(path="/data"), body)
        assert caught.value.retryable
        assert clock.now() == NOW
        # The pause holds for every later call, until it is over.
        with pytest.raises(ServiceError, match="a later run goes on"):
            fetcher.fetch(Request(path="/data"), body)
        clock.sleep(3600)
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body
    assert len(served.asked) == 2


@pytest.mark.parametrize("expect", [Expect.JSON, Expect.ZIP, Expect.CSV])
def test_a_web_page_with_status_200_is_a_fault_and_not_no_data(
    serve: Serve, make: Make, landed: Landed, expect: Expect
) -> None:
    served = serve(in_turn(PAGE))
    with make(served.url) as fetcher, pytest.raises(PayloadError, match="web page 'Please sign in' where") as caught:
        fetcher.fetch(Request(path="/data", expect=expect), body)
    assert caught.value.retryable
    assert "river" in str(caught.value)
    assert "/data" in str(caught.value)
    assert len(served.asked) == 3
    assert len(landed) == 3


def test_a_web_page_is_followed_by_the_answer(serve: Serve, make: Make) -> None:
    with make(serve(in_turn(PAGE, GOOD)).url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body


def test_a_cut_zip_is_tried_again(serve: Serve, make: Make) -> None:
    whole = a_zip()
    served = serve(in_turn(Reply(whole[: len(whole) // 2]), Reply(b"OK"), Reply(b""), Reply(whole)))
    with make(served.url, attempts=4) as fetcher:
        assert fetcher.fetch(Request(path="/data", expect=Expect.ZIP), body) == whole
    assert len(served.asked) == 4


def test_cut_json_is_tried_again(serve: Serve, make: Make) -> None:
    with make(serve(in_turn(Reply(b'{"value": [1, 2'), GOOD)).url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body


def test_a_reader_may_ask_again(serve: Serve, make: Make) -> None:
    served = serve(in_turn(Reply(b'{"error": "broke off"}'), GOOD))

    def value(answer: Answer) -> int:
        if "error" in answer.json:
            raise PayloadError("broke off", retryable=True)
        return answer.json["value"]

    with make(served.url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), value) == 1


def test_a_connection_that_breaks_mid_body_is_tried_again(serve: Serve, make: Make, landed: Landed) -> None:
    served = serve(in_turn(Reply(b'{"value": 12345}', cut=5), GOOD))
    with make(served.url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body
    assert [content for content, _ in landed] == [GOOD.body]


def test_a_stopped_service_is_named_with_the_remedy(serve: Serve, make: Make) -> None:
    served = serve(in_turn(GOOD))
    with make(served.url) as fetcher:
        fetcher.fetch(Request(path="/data"), body)
        served.script = in_turn(Reply(b'{"value": 12345}', cut=5))
        with pytest.raises(UnreachableError, match=r"river: GET .*no complete answer.*kept.*asks again.*3 attempts"):
            fetcher.fetch(Request(path="/data"), body)


def test_a_service_that_is_not_there_is_named(make: Make) -> None:
    with make("http://127.0.0.1:1", attempts=1) as fetcher, pytest.raises(UnreachableError, match=r"127.0.0.1:1/data"):
        fetcher.fetch(Request(path="/data"), body)


def test_an_expired_token_is_renewed_once(serve: Serve, make: Make) -> None:
    tokens = iter(["stale-token", "fresh-token"])
    current = [next(tokens)]

    def script(asked: Asked) -> Reply:
        return GOOD if asked.headers["authorization"] == "Bearer fresh-token" else Reply(status=401)

    auth = Bearer(lambda: current[0], identity="t", forget=lambda: current.__setitem__(0, next(tokens)))
    served = serve(script)
    with make(served.url, auth) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body
    assert len(served.asked) == 2


def test_a_token_refused_twice_is_a_credential_error(serve: Serve, make: Make) -> None:
    served = serve(in_turn(Reply(status=401)))
    with (
        make(served.url, Bearer(lambda: "some-token", identity="t")) as fetcher,
        pytest.raises(CredentialError, match=r"river: GET .* answered 401.*; check the credentials in the environment"),
    ):
        fetcher.fetch(Request(path="/data"), body)
    assert len(served.asked) == 2


def test_a_wrong_password_is_not_tried_again(serve: Serve, make: Make) -> None:
    served = serve(in_turn(Reply(status=401)))
    with make(served.url, Basic("operator", "hunter22")) as fetcher, pytest.raises(CredentialError):
        fetcher.fetch(Request(path="/data"), body)
    assert len(served.asked) == 1


def test_a_forbidden_answer_is_about_the_subscription_but_a_block_page_is_a_fault(serve: Serve, make: Make) -> None:
    served = serve(in_turn(Reply(b'{"message": "not subscribed"}', status=403)))
    with make(served.url) as fetcher, pytest.raises(CredentialError, match=r"not subscribed.*subscription"):
        fetcher.fetch(Request(path="/data"), body)
    served.script = in_turn(Reply(PAGE.body, status=403), GOOD)
    with make(served.url) as fetcher:
        assert fetcher.fetch(Request(path="/data"), body) == GOOD.body


def test_no_secret_is_shown_or_stored(serve: Serve, make: Make, landed: Landed) -> None:
    secret = "k3y-0f-th3-r1v3r"  # noqa: S105 - a made-up one, to be looked for

    def script(asked: Asked) -> Reply:
        echo = json.dumps({"you sent": asked.headers["authorization"]}).encode()
        return Reply(echo, status=200 if asked.path == "/good" else 400, headers={"ETag": secret})

    with make(serve(script).url, ApiKey(secret)) as fetcher:
        fetcher.fetch(Request(path="/good", params=[("apiKey", "other"), ("site", "R4")]), body)
        with pytest.raises(StatusError) as caught:
            fetcher.fetch(Request(path="/bad", params=[("subscription-key", secret)]), body)
    assert secret not in str(caught.value)
    [(_, meta)] = landed
    assert secret not in repr(meta)
    assert "other" not in meta.name
    assert "site=R4" in meta.name
    assert secret not in repr(ApiKey(secret))
    assert "hunter22" not in repr(Basic("operator", "hunter22"))


def test_a_redirect_is_not_followed_with_our_credentials(serve: Serve, make: Make) -> None:
    other = serve(in_turn(GOOD))
    served = serve(in_turn(Reply(status=302, headers={"Location": f"{other.url}/login"})))
    with (
        make(served.url, ApiKey("some-key")) as fetcher,
        pytest.raises(StatusError, match=r"redirect to .*/login; write"),
    ):
        fetcher.fetch(Request(path="/data"), body)
    assert other.asked == []


def test_a_body_above_the_limit_is_refused(serve: Serve, make: Make) -> None:
    with make(serve(in_turn(Reply(b" " * 2_000_000 + b"{}"))).url, max_body_mb=1) as fetcher:
        with pytest.raises(ServiceError, match="more than max_body_mb = 1 MB; ask for a shorter window") as caught:
            fetcher.fetch(Request(path="/data"), body)
        assert not caught.value.retryable


def test_an_empty_base_url_says_what_to_do(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"river has no base_url: name the real host .*tailrace simulate"):
        make("")
    with pytest.raises(ConfigError, match="write it like https"):
        make("pi.example.com")
    with pytest.raises(ConfigError, match=r"ca_bundle '/nowhere.pem'"):
        make("http://127.0.0.1:1", ca_bundle="/nowhere.pem")


def test_last_modified_is_an_instant_or_nothing(serve: Serve, make: Make) -> None:
    served = serve(
        in_turn(
            Reply(headers={"Last-Modified": "Sat, 21 Nov 2026 16:30:00 GMT"}), Reply(headers={"Last-Modified": "?"})
        )
    )
    with make(served.url) as fetcher:
        first, second = (fetcher.fetch(Request(path="/"), lambda answer: answer.last_modified) for _ in range(2))
    assert first == datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
    assert second is None


def gate(file: Path, clock: ManualClock, *, spacing_s: float, burst: int) -> Gate:
    return Gate(file, service="river", spacing_s=spacing_s, burst=burst, longest_wait_s=600, clock=clock)


def passed_at(gate: Gate, clock: ManualClock, calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        gate.wait()
        times.append((clock.now() - NOW).total_seconds())
    return times


def test_calls_are_spaced_after_a_small_burst(tmp_path: Path, clock: ManualClock) -> None:
    # Two at once, then one each 5 s.
    assert passed_at(gate(tmp_path / "pace", clock, spacing_s=5, burst=2), clock, 5) == [0, 0, 5, 10, 15]


def test_two_clients_with_one_credential_share_the_pace(tmp_path: Path, clock: ManualClock) -> None:
    one, two = (gate(tmp_path / "pace", clock, spacing_s=5, burst=1) for _ in range(2))
    assert [passed_at(g, clock, 1) for g in (one, two, one, two)] == [[0], [5], [10], [15]]


def _reserve(file: str, calls: int) -> None:
    clock = ManualClock(NOW)
    shared = Gate(Path(file), service="river", spacing_s=1, burst=1, longest_wait_s=600, clock=clock)
    for _ in range(calls):
        shared.wait()


def test_two_processes_never_take_the_same_slot(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "pace"
    spawned = [multiprocessing.get_context("spawn").Process(target=_reserve, args=(str(file), 40)) for _ in range(2)]
    for process in spawned:
        process.start()
    for process in spawned:
        process.join()
    # 80 slots of 1 s are gone, so the next one is due 80 s from the common start.
    assert passed_at(gate(file, clock, spacing_s=1, burst=1), clock, 1) == [80]


def test_a_reservation_of_another_clock_is_ignored(tmp_path: Path) -> None:
    gate(tmp_path / "pace", ManualClock(NOW + timedelta(days=9)), spacing_s=5, burst=1).wait()
    clock = ManualClock(NOW)
    assert passed_at(gate(tmp_path / "pace", clock, spacing_s=5, burst=1), clock, 2) == [0, 5]


def test_an_endless_pause_is_kept_for_two_hours(tmp_path: Path, clock: ManualClock) -> None:
    shared = gate(tmp_path / "pace", clock, spacing_s=5, burst=1)
    shared.hold(86_400)
    with pytest.raises(ServiceError, match="2026-11-21T20:00:07Z"):
        shared.wait()
    clock.sleep(7_200)
    shared.wait()
    assert clock.now() == NOW + timedelta(hours=2)


def test_a_damaged_pace_file_starts_afresh(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "pace").write_text("not a number at all, and longer than one")
    assert passed_at(gate(tmp_path / "pace", clock, spacing_s=5, burst=1), clock, 2) == [0, 5]


def run_items(failures: Failures, outcomes: list[Exception | None]) -> None:
    for number, outcome in enumerate(outcomes):
        with failures.item(f"tag {number}"):
            if outcome is not None:
                raise outcome
    failures.settle()


def test_one_bad_item_does_not_cost_the_others() -> None:
    missing = StatusError("pi", "no such tag", status=404, retryable=False)
    with pytest.raises(ServiceError, match=r"pi: 1 of 3 item\(s\) failed: \[tag 1\] pi: no such tag$") as caught:
        run_items(Failures("pi"), [None, missing, None])
    assert not caught.value.retryable


def test_failures_of_meaning_alone_are_a_payload_error() -> None:
    with pytest.raises(PayloadError, match=r"2 of 2 item.*furlong.*no zone"):
        run_items(Failures("pi"), [UnitError("unknown unit 'furlong'"), TimeError("it has no zone")])


def test_a_service_that_fails_item_after_item_is_left_alone() -> None:
    down = [UnreachableError("pi", "refused") for _ in range(9)]
    with pytest.raises(ServiceError, match=r"3 of 3 item\(s\) failed.*were not asked for") as caught:
        run_items(Failures("pi"), [*down])
    assert caught.value.retryable


def test_refused_credentials_end_everything_at_once() -> None:
    with pytest.raises(CredentialError, match="wrong password"):
        run_items(Failures("pi"), [CredentialError("pi", "wrong password"), InputError("never reached")])
