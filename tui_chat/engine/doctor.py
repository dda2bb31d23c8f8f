"""A checkup of one endpoint: which steps, in which order, and what each finding means.

The proxy is looked at first, for it decides what the other steps are; they are told in the order of the contract.
Everything together is given 30 s.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Message, Settings
from tui_chat.domain.checkup import ENDPOINT_CHECKS, Check, verdict
from tui_chat.domain.endpoint import RetryPolicy, key_trouble
from tui_chat.domain.events import Completed, Failed
from tui_chat.domain.failure import Broken, Failure, Kind
from tui_chat.domain.figures import seconds
from tui_chat.domain.meter import Meter
from tui_chat.domain.words import say
from tui_chat.engine.guard import Guard, Interrupted
from tui_chat.engine.offers import KEY_TROUBLE, offers
from tui_chat.engine.run import Run
from tui_chat.wire.blot import Blotter, known_keys
from tui_chat.wire.retry import http_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tui_chat.domain.checkup import Certificate, Route
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.engine.ports import Answer, Engine
    from tui_chat.wire.codec import ModelInfo

T = TypeVar("T")

LIMIT_S = 30.0
CERTIFICATE_DAYS = 14
"""A certificate that expires sooner is worth a word."""
SKEW_S = 60.0
"""Signatures and certificates begin to fail when clocks differ by more."""
IN_STEP_S = 2.0
"""What the Date header, which has whole seconds, and the way of the answer leave open."""
DAY_S = 86_400
PROMPT = "Say OK."
FEWEST_TOKENS = {"openai-responses": 16}
"""By dialect, the smallest limit that servers take, where that is not 1."""


class Probe(Protocol):
    """The network beneath HTTP; every step raises Broken."""

    def route(self, endpoint: Endpoint) -> Route: ...

    async def resolve(self, endpoint: Endpoint) -> Sequence[str]:
        """The addresses of the endpoint's host."""
        ...

    async def connect(self, endpoint: Endpoint, addresses: Sequence[str]) -> str:
        """Connect to one of the addresses: the one that answered."""
        ...

    async def reach_proxy(self, endpoint: Endpoint) -> None: ...

    async def secure(self, endpoint: Endpoint, address: str | None) -> Certificate:
        """Prove the server at `address`, or at the end of the proxy's tunnel."""
        ...


class Doctor:
    """Examines an endpoint; `examine` once, then read `checks`, also after a cancellation.

    `key_fault` says why the key could not even be had. `listener` hears each check as soon as those before it are
    there.
    """

    def __init__(
        self,
        engine: Engine,
        probe: Probe,
        endpoint: Endpoint,
        model: str,
        key_fault: str | None = None,
        listener: Callable[[Check], None] = lambda check: None,
    ) -> None:
        self.endpoint = endpoint
        self._engine = engine
        self._clock = engine.clock
        self._probe = probe
        self._model = model
        self._key_fault = key_fault
        self._listener = listener
        self._told = 0
        self._found: dict[str, Check] = {}
        self._finished = False
        self._under_way = (ENDPOINT_CHECKS[0], self._clock.now())
        """The step taken last, and since when."""
        self._obstacle: str | None = None
        """The step that failed and keeps the ones behind it from being taken."""
        self._offered: list[ModelInfo] = []
        self._answer: tuple[int, str | None, float] | None = None
        """(status, Date header, wall clock) of the answer to the request for models."""
        self._blotter = Blotter(known_keys(endpoint))

    @property
    def checks(self) -> list[Check]:
        """All eight in their order; what there was no time for says so."""
        return [self._found.get(name) or Check(name, None, say("doctor.interrupted")) for name in ENDPOINT_CHECKS]

    @property
    def ok(self) -> bool | None:
        return verdict(self._found.values(), finished=self._finished)

    @property
    def key_refused(self) -> bool:
        """The key is missing, cannot be had, or is refused."""
        return any(check.ok is False and check.kind in KEY_TROUBLE for check in self._found.values())

    async def examine(self) -> None:
        """Take every step that can be taken."""
        work = Guard(self._steps())
        timer = self._clock.call_later(LIMIT_S, work.interrupt)
        try:
            await work.result()
        except Interrupted:
            self._run_out()
        finally:
            timer.cancel()
        self._finished = True

    def _run_out(self) -> None:
        late = say("doctor.late", seconds=LIMIT_S)
        name, began = self._under_way
        if name not in self._found:
            self._put(Check(name, False, late, say("doctor.late_hint"), self._since(began), Kind.TOTAL_TIMEOUT))
        for name in ENDPOINT_CHECKS:
            if name not in self._found:
                self._put(Check(name, None, say("doctor.not_tried", reason=late)))

    async def _steps(self) -> None:
        self._check_key()
        await self._check_way()
        if self._found["key"].ok is False:
            self._obstacle = self._obstacle or "key"
        await self._check_models()
        await self._check_stream()
        self._check_clock()

    # what a step leaves behind

    def _put(self, check: Check) -> None:
        detail = self._blotter.text(check.detail)
        hint = None if check.hint is None else self._blotter.text(check.hint)
        self._found[check.name] = replace(check, detail=detail, hint=hint)
        while self._told < len(ENDPOINT_CHECKS) and (found := self._found.get(ENDPOINT_CHECKS[self._told])):
            self._told += 1
            self._listener(found)

    def _fail(self, name: str, trouble: Failure, ms: float | None = None) -> None:
        detail = trouble.message if trouble.status is None else f"{trouble.status}: {trouble.message}"
        self._put(Check(name, False, detail, trouble.hint or None, ms, trouble.kind))

    def _skip(self, name: str, reason: str) -> None:
        self._put(Check(name, None, reason))

    def _blocked(self, name: str) -> bool:
        """Leave a step out because of an obstacle, if there is one."""
        if self._obstacle is not None:
            self._skip(name, say("doctor.not_tried", reason=say("doctor.failed", name=self._obstacle)))
        return self._obstacle is not None

    async def _take(self, name: str, work: Awaitable[T]) -> tuple[T | None, float]:
        """The result of a step and its milliseconds; a failure is noted, becomes the obstacle, and gives None."""
        began = self._clock.now()
        self._under_way = (name, began)
        try:
            return await work, self._since(began)
        except Broken as broken:
            self._obstacle = name
            self._fail(name, broken.failure, self._since(began))
            return None, self._since(began)

    def _since(self, began: float) -> float:
        return (self._clock.now() - began) * 1000

    # the steps

    def _check_key(self) -> None:
        endpoint = self.endpoint
        trouble = key_trouble(endpoint)
        if self._key_fault is not None:
            self._put(Check("key", False, self._key_fault, say("doctor.key_hint"), kind=Kind.AUTH))
        elif trouble is not None:
            self._fail("key", trouble)
        elif endpoint.key:
            self._put(Check("key", True, say("doctor.key", source=endpoint.key_source or endpoint.name)))
        else:
            self._skip("key", say("doctor.no_key"))

    async def _check_way(self) -> None:
        route = self._probe.route(self.endpoint)
        if route.proxy is None:
            self._skip("proxy", self._no_proxy(route))
            address = await self._check_direct()
            visible = True
        else:
            await self._check_proxy(route)
            address = None
            visible = route.tunnel
        if not self.endpoint.base_url.startswith("https:"):
            self._skip("tls", say("doctor.plain" if self.endpoint.local else "doctor.plain_open"))
        elif not visible:
            self._skip("tls", say("doctor.tls_hidden"))
        elif not self._blocked("tls"):
            await self._check_certificate(address)

    def _no_proxy(self, route: Route) -> str:
        if not route.source:
            return say("doctor.no_proxy")
        return say("doctor.proxy_local" if self.endpoint.local else "doctor.proxy_exempt", source=route.source)

    async def _check_proxy(self, route: Route) -> None:
        for name in ("dns", "tcp"):
            self._skip(name, say("doctor.by_proxy"))
        _, ms = await self._take("proxy", self._probe.reach_proxy(self.endpoint))
        if self._obstacle is None:
            self._put(Check("proxy", True, say("doctor.proxy", proxy=route.proxy, source=route.source), ms=ms))

    async def _check_direct(self) -> str:
        """The address that takes a connection; empty when none does."""
        addresses = await self._check_name()
        if self._blocked("tcp"):
            return ""
        address, ms = await self._take("tcp", self._probe.connect(self.endpoint, addresses))
        if address is None:
            return ""
        family = "IPv6" if ":" in address else "IPv4"
        self._put(Check("tcp", True, say("doctor.tcp", address=address, family=family), ms=ms))
        return address

    async def _check_name(self) -> Sequence[str]:
        host = self.endpoint.host
        if _is_address(host):
            self._skip("dns", say("doctor.dns_address", host=host))
            return [host]
        addresses, ms = await self._take("dns", self._probe.resolve(self.endpoint))
        if addresses is not None:
            self._put(Check("dns", True, ", ".join(addresses), ms=ms))
        return addresses or []

    async def _check_certificate(self, address: str | None) -> None:
        found, ms = await self._take("tls", self._probe.secure(self.endpoint, address))
        if found is not None:
            days = int((found.until - self._clock.wall()) // DAY_S)
            detail = say("doctor.tls", protocol=found.protocol, issuer=found.issuer, days=days)
            hint = say("doctor.tls_soon", days=days) if days < CERTIFICATE_DAYS else None
            self._put(Check("tls", True, detail, hint, ms))

    async def _check_models(self) -> None:
        if self._blocked("models"):
            return
        offered, ms = await self._take("models", offers(self._engine, self.endpoint, self._hear))
        if offered is not None:
            self._offered = offered
            status = self._answer[0] if self._answer else 200
            self._put(Check("models", True, say("doctor.models", status=status, count=len(offered)), ms=ms))
        elif self._answer is not None and self._answer[0] not in (200, 401):
            # A gateway without a list of models, or a key that may not see it, may answer a message all the same.
            self._obstacle = None

    def _hear(self, answer: Answer) -> None:
        self._answer = (answer.status, answer.headers.get("date"), self._clock.wall())

    async def _check_stream(self) -> None:
        if self._blocked("stream"):
            return
        model = self._model or next((m.id for m in self._offered), "")
        if not model:
            self._skip("stream", say("doctor.not_tried", reason=say("doctor.no_model")))
            return
        endpoint = replace(self.endpoint, retry=RetryPolicy(attempts=1))
        tokens = FEWEST_TOKENS.get(endpoint.dialect, 1)
        meter = Meter()
        run = Run(
            self._engine,
            Ask(endpoint, model, (Message("user", PROMPT),), Settings(max_tokens=tokens)),
            meter.fold,
        )
        outcome, ms = await self._take("stream", run.go())
        match outcome:
            case Completed(reason):
                self._put(_streamed(meter, model, tokens, reason, ms))
            case Failed(trouble):
                self._fail("stream", replace(trouble, message=f"{model}: {trouble.message}"), ms)
            case _:
                pass

    def _check_clock(self) -> None:
        if self._answer is None:
            self._skip("clock", say("doctor.not_tried", reason=say("doctor.no_answer")))
            return
        _, date, wall = self._answer
        server = http_date(date or "")
        if server is None:
            self._skip("clock", say("doctor.no_date"))
            return
        skew = wall - server
        if abs(skew) <= IN_STEP_S:
            detail = say("doctor.clock")
        else:
            detail = say("doctor.clock_ahead" if skew > 0 else "doctor.clock_behind", seconds=seconds(abs(skew)))
        self._put(Check("clock", True, detail, say("doctor.clock_hint") if abs(skew) > SKEW_S else None))


def _streamed(meter: Meter, model: str, tokens: int, reason: str | None, ms: float) -> Check:
    stats = meter.stats(ms / 1000)
    connection = say("doctor.warm") if stats.warm else say("doctor.cold", seconds=seconds(stats.connect_s))
    sent = say("doctor.sent", tokens=tokens)
    if stats.ttft_s is None:
        detail = say("doctor.stream_empty", model=model, reason=reason or "?", connection=connection, sent=sent)
        return Check("stream", True, detail, ms=ms)
    detail = say("doctor.stream", model=model, ttft=seconds(stats.ttft_s), connection=connection, sent=sent)
    return Check("stream", True, detail, ms=stats.ttft_s * 1000)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
