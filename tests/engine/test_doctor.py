"""The checkup of an endpoint: what each step's outcome means for it and for the steps behind it."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import (
    DONE,
    HANG,
    WALL,
    Head,
    Pause,
    Script,
    Stage,
    cut,
    model_list,
    models,
    refusal,
    said,
    stopped,
    ticks,
)
from tui_chat.domain.checkup import ENDPOINT_CHECKS, Certificate, Check, Route
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Broken, Failure, Kind, failure
from tui_chat.engine.doctor import CERTIFICATE_DAYS, DAY_S, LIMIT_S, SKEW_S, Doctor
from tui_chat.engine.offers import check_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kit import FakeClock
    from tui_chat.domain.endpoint import Endpoint

KEY = "sk-test-3fA9dQ7Lx2"
REMOTE: dict[str, Any] = {
    "base_url": "https://far.example/v1",
    "key": Secret(KEY),
    "key_source": "FAR_KEY",
    "needs_key": True,
    "default_model": "m",
}
OK: Script = [said("OK"), stopped("length"), DONE]


class FakeProbe:
    """engine.doctor.Probe that takes a tenth of a second a step; an entry that is a Failure is raised, HANG hangs."""

    def __init__(self, clock: FakeClock, **outcomes: Any) -> None:
        self._clock = clock
        self._outcomes = {
            "route": Route(None),
            "resolve": ["192.0.2.7", "2001:db8::7"],
            "connect": "192.0.2.7",
            "reach_proxy": None,
            "secure": Certificate("Example CA", "TLSv1.3", WALL + 61.5 * DAY_S),
            **outcomes,
        }
        self.taken: list[str] = []

    def route(self, endpoint: Endpoint) -> Route:
        return self._outcomes["route"]

    async def resolve(self, endpoint: Endpoint) -> Sequence[str]:
        return await self._take("resolve")

    async def connect(self, endpoint: Endpoint, addresses: Sequence[str]) -> str:
        return await self._take("connect")

    async def reach_proxy(self, endpoint: Endpoint) -> None:
        await self._take("reach_proxy")

    async def secure(self, endpoint: Endpoint, address: str | None) -> Certificate:
        return await self._take("secure" if address else "secure in the tunnel", "secure")

    async def _take(self, name: str, outcome: str | None = None) -> Any:
        self.taken.append(name)
        await self._clock.sleep(0.1)
        found = self._outcomes[outcome or name]
        if found is HANG:
            await asyncio.get_running_loop().create_future()
        if isinstance(found, Failure):
            raise Broken(found)
        return found


class Visit:
    """A checkup of a scripted endpoint; `probe` names outcomes, further keywords change the endpoint."""

    def __init__(
        self,
        *scripts: Script,
        probe: dict[str, Any] | None = None,
        model: str = "m",
        key_fault: str | None = None,
        **changes: Any,
    ) -> None:
        self.stage = Stage(*scripts, **{**REMOTE, **changes})
        self.probe = FakeProbe(self.stage.clock, **(probe or {}))
        self.told: list[Check] = []
        self.doctor = Doctor(self.stage.engine, self.probe, self.stage.endpoint, model, key_fault, self.told.append)

    async def examine(self) -> dict[str, Check]:
        await self.stage.clock.finish(self.doctor.examine())
        self.stage.assert_clean()
        assert self.told == self.doctor.checks
        return self.checks

    @property
    def checks(self) -> dict[str, Check]:
        assert [check.name for check in self.doctor.checks] == [*ENDPOINT_CHECKS]
        return {check.name: check for check in self.doctor.checks}

    @property
    def marks(self) -> str:
        """`+` fine, `-` failed, `.` neither; in the order of the contract."""
        return "".join({True: "+", False: "-", None: "."}[check.ok] for check in self.doctor.checks)


def dated(script: Script, skew: float) -> Script:
    """The script with a Date header that is `skew` seconds ahead of the clock here."""
    head = script[0]
    assert isinstance(head, Head)
    return [Head(head.status, {**head.headers, "date": formatdate(WALL + skew, usegmt=True)}), *script[1:]]


async def test_all_is_well() -> None:
    visit = Visit(dated(models("m", "n"), 0), OK)
    checks = await visit.examine()
    assert (visit.marks, visit.doctor.ok, visit.doctor.key_refused) == ("++++.+++", True, False)
    assert checks["key"].detail == "found in FAR_KEY"
    assert checks["dns"].detail == "192.0.2.7, 2001:db8::7"
    assert checks["tcp"].detail == "192.0.2.7 (IPv4)"
    assert checks["tls"].detail == "TLSv1.3, issued by Example CA, 61 days left"
    assert checks["models"].detail == "200, models: 2"
    assert (
        checks["stream"].detail == "m: first token after 0 ms, connection cold (10 ms); sent one request, for 1 token"
    )
    assert checks["clock"].detail == "in step with the server's"
    assert [checks[name].ms for name in ("dns", "tcp", "tls")] == pytest.approx([100, 100, 100])
    assert all(check.hint is None for check in checks.values())


TROUBLE = failure(Kind.REFUSED, "boom")
DNS, TLS, PROXY = (failure(kind, "boom") for kind in (Kind.DNS, Kind.TLS, Kind.PROXY))
THROUGH = Route("http://proxy.example:3128", "HTTPS_PROXY", tunnel=True)
SOCKS = Route("socks5://proxy.example", "ALL_PROXY")
LIST = models("m")
OUTCOMES: dict[str, tuple[dict[str, Any], tuple[Script, ...], str]] = {
    "no such name": ({"probe": {"resolve": DNS}}, (), "+-......"),
    "nothing listens": ({"probe": {"connect": TROUBLE}}, (), "++-....."),
    "a bad certificate": ({"probe": {"secure": TLS}}, (), "+++-...."),
    "a proxy, its tunnel": ({"probe": {"route": THROUGH}}, (LIST, OK), "+..++++."),
    "a proxy that refuses": ({"probe": {"route": THROUGH, "reach_proxy": PROXY}}, (), "+...-..."),
    "a bad certificate behind a proxy": ({"probe": {"route": THROUGH, "secure": TLS}}, (), "+..-+..."),
    "a proxy that hides the certificate": ({"probe": {"route": SOCKS}}, (LIST, OK), "+...+++."),
    "an address": ({"base_url": "https://192.0.2.7/v1"}, (LIST, OK), "+.++.++."),
    "plain http": ({"base_url": "http://far.example/v1", "insecure_http": True}, (LIST, OK), "+++..++."),
    "this computer": ({"base_url": "http://127.0.0.1:9/v1", "key": None, "needs_key": False}, (LIST, OK), "..+..++."),
    "no key": ({"key": None}, (), "-+++...."),
    "a placeholder": ({"key": Secret("<your key>")}, (), "-+++...."),
    "a key in the open": ({"base_url": "http://far.example/v1"}, (), "-++....."),
    "no key command": ({"key": None, "key_fault": "`pass` failed."}, (), "-+++...."),
    "no key and no name": ({"key": None, "probe": {"resolve": DNS}}, (), "--......"),
    "key refused": ({}, (refusal(401),), "++++.-.."),
    "list refused, answer given": ({}, (refusal(403), OK), "++++.-+."),
    "no list, answer given": ({}, (refusal(404), OK), "++++.-+."),
    "the list never comes": ({}, ([HANG],), "++++.-.."),
    "the list is a page": ({}, ([Head(200), b"<html>"],), "++++.-.."),
    "no answer": ({}, (LIST, refusal(500)), "++++.+-."),
    "a cut answer": ({}, (LIST, [cut()]), "++++.+-."),
    "an answer without a token": ({}, (LIST, [stopped("length"), DONE]), "++++.++."),
    "no model": ({"model": ""}, ([*models()],), "++++.+.."),
    "the first model": ({"model": ""}, (LIST, OK), "++++.++."),
}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_outcomes(name: str) -> None:
    changes, scripts, marks = OUTCOMES[name]
    visit = Visit(*scripts, **changes)
    checks = await visit.examine()
    assert visit.marks == marks
    assert visit.doctor.ok is ("-" not in marks)
    assert visit.doctor.key_refused is (marks[0] == "-" or ("refused" in name and "proxy" not in name))
    assert visit.stage.transport.scripts == []
    for check in checks.values():
        assert check.detail
        assert KEY not in f"{check}"
        if check.ok is False:
            assert check.hint
            assert check.kind is not None


@pytest.mark.parametrize(
    ("name", "first", "reason"),
    [
        ("no such name", "tcp", "not tried: dns failed"),
        ("nothing listens", "models", "not tried: tcp failed"),
        ("a proxy that refuses", "tls", "not tried: proxy failed"),
        ("no key", "models", "not tried: key failed"),
        ("no key and no name", "models", "not tried: dns failed"),
        ("key refused", "stream", "not tried: models failed"),
        ("nothing listens", "clock", "not tried: no answer came to read the time from"),
        ("no model", "stream", "not tried: no model is known; pass -m MODEL"),
        ("plain http", "tls", "plain http: everything travels unencrypted"),
        ("this computer", "tls", "plain http on this computer, without TLS"),
        ("an address", "dns", "192.0.2.7 is an address, no name"),
        ("a proxy, its tunnel", "tcp", "left to the proxy"),
        ("a proxy, its tunnel", "proxy", "http://proxy.example:3128 from HTTPS_PROXY"),
        ("key refused", "clock", "the server does not say what time it has"),
        ("key refused", "models", "401: scripted 401"),
        ("no key command", "key", "`pass` failed."),
        ("no answer", "stream", "m: scripted 500"),
    ],
)
async def test_what_is_said(name: str, first: str, reason: str) -> None:
    changes, scripts, _ = OUTCOMES[name]
    checks = await Visit(*scripts, **changes).examine()
    assert reason in checks[first].detail


@pytest.mark.parametrize(
    ("route", "changes", "said"),
    [
        (Route(None), {}, "none is set"),
        (Route(None, "HTTPS_PROXY"), {}, "NO_PROXY exempts"),
        (Route(None, "ALL_PROXY"), {"base_url": "https://localhost/v1"}, "not used for this computer"),
    ],
)
async def test_a_proxy_that_is_not_used(route: Route, changes: dict[str, Any], said: str) -> None:
    checks = await Visit(LIST, OK, probe={"route": route}, **changes).examine()
    assert checks["proxy"].ok is None
    assert said in checks["proxy"].detail


@pytest.mark.parametrize(("days", "warned"), [(CERTIFICATE_DAYS + 0.5, False), (CERTIFICATE_DAYS - 0.5, True)])
async def test_a_certificate_that_expires_soon(days: float, warned: bool) -> None:
    certificate = Certificate("CA", "TLSv1.2", WALL + days * DAY_S)
    checks = await Visit(LIST, OK, probe={"secure": certificate}).examine()
    assert (checks["tls"].ok, checks["tls"].hint is not None) == (True, warned)


@pytest.mark.parametrize(
    ("skew", "said", "warned"),
    [
        (1, "in step", False),
        (-SKEW_S + 1, "59.3 s ahead", False),
        (3600, "1:00 h behind", True),
        (-120, "2:00 min ahead", True),
    ],
)
async def test_the_clock(skew: float, said: str, warned: bool) -> None:
    checks = await Visit(dated(models("m"), skew), OK).examine()
    # The name, the connection and the certificate took 0.3 s.
    assert said in checks["clock"].detail
    assert (checks["clock"].ok, checks["clock"].hint is not None) == (True, warned)


async def test_the_clock_is_read_off_a_refusal_too() -> None:
    checks = await Visit(dated(refusal(401), 7200)).examine()
    assert "behind" in checks["clock"].detail


async def test_a_date_that_is_none() -> None:
    checks = await Visit([Head(200, {"date": "soon"}), model_list("m")], OK).examine()
    assert checks["clock"].ok is None


async def test_the_request_is_for_one_token_and_not_repeated() -> None:
    visit = Visit(LIST, refusal(500))
    await visit.examine()
    _, request = visit.stage.transport.requests
    assert b'"max_tokens":1' in request.body
    assert visit.stage.clock.now() < 1


async def test_time_to_the_first_token_is_told() -> None:
    checks = await Visit(LIST, [Head(), Pause(0.75), *OK]).examine()
    assert checks["stream"].ms == pytest.approx(740, abs=11)


async def test_a_key_in_an_answer_is_blotted_out() -> None:
    visit = Visit(refusal(403, f"no such key: {KEY}"), [Head(500), f'{{"error":"{KEY}"}}'.encode()])
    checks = await visit.examine()
    assert checks["models"].detail == "403: no such key: …"
    assert KEY not in f"{visit.doctor.checks}"


@pytest.mark.parametrize(
    ("probe", "scripts", "name"),
    [
        ({"resolve": HANG}, (), "dns"),
        ({"secure": HANG}, (), "tls"),
        ({"route": THROUGH, "reach_proxy": HANG}, (), "proxy"),
        ({}, (LIST, [HANG]), "stream"),
    ],
)
async def test_everything_shares_one_limit(probe: dict[str, Any], scripts: tuple[Script, ...], name: str) -> None:
    visit = Visit(*scripts, probe=probe)
    checks = await visit.examine()
    assert visit.stage.clock.now() == LIMIT_S
    assert visit.doctor.ok is False
    assert [check.name for check in checks.values() if check.ok is False] == [name]
    assert checks[name].detail == "not done within the 30 s that all checks share"
    assert checks[name].hint
    assert checks["clock"].ok is None


async def test_a_cancellation_leaves_what_was_found() -> None:
    visit = Visit(probe={"connect": HANG})
    work = asyncio.ensure_future(visit.doctor.examine())
    await visit.stage.clock.advance(5)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert visit.marks == "++......"
    assert visit.doctor.ok is None
    assert visit.checks["tcp"].detail == visit.checks["clock"].detail == "not tried: interrupted"
    assert visit.told == visit.doctor.checks[:2]
    visit.stage.assert_clean()


@pytest.mark.parametrize("scripts", [(LIST, OK), (refusal(500), OK), (LIST, [HANG])])
async def test_cancelled_at_every_await(scripts: tuple[Script, ...]) -> None:
    for count in range(1, 60, 2):
        visit = Visit(*scripts, base_url="http://127.0.0.1:9/v1")
        work = asyncio.ensure_future(visit.doctor.examine())
        await ticks(count)
        work.cancel()
        await visit.stage.clock.settle()
        await asyncio.wait((work,))
        visit.stage.assert_clean()
        assert len(visit.doctor.checks) == len(ENDPOINT_CHECKS)


@pytest.mark.parametrize(
    ("scripts", "changes", "kind"),
    [
        ((models("m"),), {}, None),
        ((refusal(401),), {}, Kind.AUTH),
        ((refusal(403),), {}, Kind.PERMISSION),
        (([cut(Kind.DNS)],), {}, Kind.DNS),
        (([cut(Kind.TLS)],), {}, Kind.TLS),
        (([HANG],), {}, Kind.FIRST_TOKEN_TIMEOUT),
        ((), {"key": None}, Kind.AUTH),
        ((refusal(404),), {}, None),
        ((refusal(500),), {}, None),
        (([Head(200), b"<html>"],), {}, None),
    ],
)
async def test_a_key_before_the_first_message(
    scripts: tuple[Script, ...], changes: dict[str, Any], kind: Kind | None
) -> None:
    stage = Stage(*scripts, **{**REMOTE, **changes})
    found = await stage.clock.finish(check_key(stage.engine, stage.endpoint))
    assert (found and found.kind) is kind
    assert found is None or found.hint
    stage.assert_clean()
