"""What the tests of engine, transport and faces share: time, a server made of scripts, a listener, real sockets."""

from tests.kit.clock import WALL, FakeClock, ticks
from tests.kit.stage import PATIENT, Facts, Held, Recorder, Stage, ask, endpoint, engine
from tests.kit.transport import HANG, Cut, Head, Pause, Script, ScriptedTransport, cut, models, refusal
from tests.kit.wire import COMMENT, DONE, delta, error_body, event, model_list, said, stopped, thought, used

__all__ = [
    "COMMENT",
    "DONE",
    "HANG",
    "PATIENT",
    "WALL",
    "Cut",
    "Facts",
    "FakeClock",
    "Head",
    "Held",
    "Pause",
    "Recorder",
    "Script",
    "ScriptedTransport",
    "Stage",
    "ask",
    "cut",
    "delta",
    "endpoint",
    "engine",
    "error_body",
    "event",
    "model_list",
    "models",
    "refusal",
    "said",
    "stopped",
    "thought",
    "ticks",
    "used",
]
