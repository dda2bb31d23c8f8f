"""config.toml: what counts, what is refused and in which words, and that one mistake spares the rest."""

import traceback
from decimal import Decimal
from pathlib import Path

import pytest

from tui_chat.domain.ask import Settings
from tui_chat.domain.endpoint import Endpoint, RetryPolicy, Secret, Timeouts, key_trouble
from tui_chat.domain.failure import ConfigError
from tui_chat.domain.lane import LaneSpec
from tui_chat.domain.pricing import Price, find_price
from tui_chat.store.config import Config, load
from tui_chat.store.paths import keys_file
from tui_chat.store.schema import Budget, Currency, Default, Ui
from tui_chat.store.secrets import save_key

KEY = "sk-VerySecret123"
WORK = '[endpoints.work]\nbase_url = "https://gateway.example/v1"\n'


def lines(config: Config) -> list[str]:
    return [str(problem) for problem in config.problems]


def only(config: Config) -> str:
    """The one problem, without the file's name in front."""
    (line,) = lines(config)
    assert line.startswith(f"{config.file}")
    assert "\n" not in line
    return line.removeprefix(f"{config.file}: ")


def test_a_file_that_is_named_and_not_there_yet_is_no_problem(env):
    Path(env["TUI_CHAT_CONFIG"]).unlink()
    assert load(env).problems == ()


def test_no_file_is_no_problem(env, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    del env["TUI_CHAT_CONFIG"]
    config = load(env)
    assert (config.problems, config.ui, config.budget, config.currency) == ((), Ui(), Budget(), Currency())
    assert (config.profiles, config.compare, config.default) == ({}, {}, Default())
    assert list(config.keys.changed()) == []
    assert (config.ui.fps, config.ui.follow, config.ui.slow_line) == (20, "smooth", "auto")


FULL = """
endpoint = "work"
model = "m1"
profile = "fast"
[endpoints.work]
dialect = "openai-chat"
base_url = "https://gateway.example/v1/"
api_key_env = "WORK_KEY"
headers = { "X-Team" = "a" }
proxy = "http://user:pass@proxy.example:3128"
extra_body = { service = { tier = 1.5, list = [1, "a", true] } }
default_model = "m1"
label = "Work"
timeouts = { connect = 1.5, first_token = 7, idle = 8, total = 9 }
retry = { attempts = 2, base = 0.1, cap = 3 }
[profiles.fast]
endpoint = "work"
model = "m2"
system = "Be short."
temperature = 0.5
top_p = 1
max_tokens = 100
seed = -7
stop = ["a", "b"]
reasoning_effort = "low"
extra_body = { x = 1.5 }
[profiles.short]
stop = "END"
[compare.temps]
lanes = [{ profile = "fast", temperature = 0.0 }, { profile = "fast", temperature = 1.0 }]
[prices."my-model"]
input = 0.1
cached = 0.01
output = 2
[budget]
per_reply = 0.1
per_day = 5
[currency]
code = "VND"
per_usd = 25_400.5
[ui]
theme = "night"
fps = 30
follow = "page"
slow_line = "on"
mouse = false
notify = false
language = "vi"
[keys]
send = "ctrl+s,f12"
"""


def test_everything_the_contract_names(configured):
    config = configured(FULL, WORK_KEY=f" {KEY}\n")
    assert config.problems == ()
    assert config.default == Default("work", "m1", "fast")
    assert config.endpoint("work") == Endpoint(
        name="work",
        base_url="https://gateway.example/v1",
        key=Secret(KEY),
        key_source="WORK_KEY",
        needs_key=True,
        headers={"X-Team": "a"},
        proxy="http://user:pass@proxy.example:3128",
        extra_body={"service": {"tier": 1.5, "list": [1, "a", True]}},
        default_model="m1",
        timeouts=Timeouts(1.5, 7, 8, 9),
        retry=RetryPolicy(2, 0.1, 3),
    )
    assert config.known["work"].label == "Work"
    fast = config.profile("fast")
    assert (fast.endpoint, fast.model) == ("work", "m2")
    assert fast.settings == Settings("Be short.", 0.5, 1, 100, -7, ("a", "b"), "low", {"x": 1.5})
    assert config.profile("short").settings.stop == ("END",)
    hot = LaneSpec(profile="fast", settings=Settings(temperature=1.0))
    assert config.lanes("temps")[1] == config.compare["temps"][1] == hot
    assert config.prices["my-model"] == Price(Decimal("0.1"), Decimal(2), Decimal("0.01"), source="config.toml")
    assert config.budget == Budget(Decimal("0.1"), None, Decimal(5))
    assert config.currency == Currency("VND", Decimal("25400.5"))
    assert config.ui == Ui("night", 30, "page", "on", False, False, "vi")
    assert config.keys.of("send") == ("ctrl+s", "f12")


def test_large_floats_are_fine_in_an_extra_body(configured):
    assert configured(WORK + "extra_body = { a = 1e30 }").endpoints["work"].extra_body == {"a": 1e30}


def test_extra_bodies_hold_floats_and_money_decimals(configured):
    config = configured(FULL)
    assert type(config.endpoints["work"].extra_body["service"]["tier"]) is float
    assert type(config.profile("fast").settings.extra_body["x"]) is float
    assert type(config.budget.per_day) is Decimal


MISTAKES = [
    # (what the file holds, what its one problem says after the file's name)
    ("profle = 'x'", "profle is unknown; did you mean “profile”?"),
    ("zzz = 1", "zzz is unknown; there is budget, compare, currency,"),
    ("endpoint = 3", "endpoint must be text in quotes that is not empty, not a whole number."),
    ("endpoint = ''", "endpoint must be text in quotes that is not empty, not empty."),
    ("endpoint = 'opnai'", "endpoint names an endpoint that is unknown; did you mean “openai”?"),
    ("profile = 'x'", "profile names a profile that is unknown; none has been made yet."),
    ("endpoints = 3", "endpoints must be a table, not a whole number."),
    ("endpoints.work = 'x'", "endpoints.work must be a table, not text in quotes."),
    ("[endpoints.work]", "endpoints.work.base_url is missing."),
    ("[endpoints.'a/b']\nbase_url = 'https://x.example'", 'endpoints."a/b" is no name for an endpoint'),
    (WORK + "api_kee_env = 'X'", "endpoints.work.api_kee_env is unknown; did you mean “api_key_env”?"),
    (WORK + "dialect = 'openai'", "endpoints.work.dialect must be one of openai-chat, anthropic, gemini, openai-resp"),
    (WORK + "dialect = 'openai-chatt'", "did you mean “openai-chat”?"),
    (WORK + "dialect = 'gemini'", "endpoints.work.dialect asks for “gemini”, which is not yet supported; so far there"),
    (WORK + "api_key_env = 'sk-VerySecret123'", "endpoints.work.api_key_env must be the name of an environment variab"),
    (WORK + "api_key_env = 'gsk_VerySecret1234567890'", "endpoints.work.api_key_env must be the name of an environmen"),
    (WORK + "api_key_command = 'pass show'", "endpoints.work.api_key_command must be a list of texts"),
    (WORK + "api_key_command = []", "endpoints.work.api_key_command must be a list of texts"),
    (WORK + "api_key_command = [1]", "endpoints.work.api_key_command must be a list of texts"),
    (WORK + "api_key = 12345", "endpoints.work.api_key must be text in quotes, not a whole number."),
    (WORK + "api_key = '$WORK_KEY'", "endpoints.work.api_key holds the name of a variable, not a key"),
    (WORK + f"api_key = '{KEY}'\napi_key_env = 'X'", "comes beside another source of the key (api_key_env, api_key)"),
    (WORK + "headers = 'X'", "endpoints.work.headers must be a table, not text in quotes."),
    (WORK + "headers = { X-Team = 1 }", "endpoints.work.headers.X-Team must be text in quotes, not a whole number."),
    (WORK + 'headers = { X-Team = "a\\nb" }', "endpoints.work.headers.X-Team holds a line break"),
    (WORK + "headers = { X-Team = 'é' }", "endpoints.work.headers.X-Team holds a line break or another character"),
    (WORK + "headers = { 'X Team' = 'a' }", 'endpoints.work.headers."X Team" is no header name'),
    (WORK + "proxy = 'ftp://p.example'", "endpoints.work.proxy must begin with one of http://, https://, socks5://"),
    (WORK + "ca_file = 'no.pem'", "endpoints.work.ca_file names a file that is not there."),
    (WORK + "insecure_http = 'yes'", "endpoints.work.insecure_http must be true or false, not text in quotes."),
    (WORK + "extra_body = { a = [1979-05-27] }", "endpoints.work.extra_body.a holds a value that JSON cannot carry"),
    (WORK + "extra_body = { a = { b = inf } }", "endpoints.work.extra_body.a holds a value that JSON cannot carry"),
    (WORK + "extra_body = { a = { b = nan } }", "endpoints.work.extra_body.a holds a value that JSON cannot carry"),
    (
        WORK + "extra_body = { a = { b = 0x1" + "0" * 5000 + " } }",
        "endpoints.work.extra_body.a holds a value that JSON cannot carry",
    ),
    (WORK + "timeouts = { idle = -1 }", "endpoints.work.timeouts.idle must be a number of seconds, 0 or more, not -1."),
    (WORK + "timeouts = { idle = nan }", "endpoints.work.timeouts.idle must be a number of seconds, 0 or more, not n"),
    (WORK + "timeouts = { idle = inf }", "endpoints.work.timeouts.idle must be a finite number."),
    (WORK + "timeouts = { idle = true }", "must be a number of seconds, 0 or more, not true or false."),
    (WORK + "timeouts = { idel = 1 }", "endpoints.work.timeouts.idel is unknown; did you mean “idle”?"),
    (WORK + "timeouts = 30", "endpoints.work.timeouts must be a table, not a whole number."),
    (WORK + "retry = { attempts = 0 }", "endpoints.work.retry.attempts must be a whole number from 1 to 20, not 0."),
    (WORK + "retry = { attempts = 21 }", "endpoints.work.retry.attempts must be a whole number from 1 to 20, not 21."),
    (WORK + "retry = { attempts = 2.5 }", "must be a whole number from 1 to 20, not 2.5."),
    ("profiles.fast = 1", "profiles.fast must be a table"),
    (
        "[profiles.fast]\nendpoint = 'opnai'",
        "profiles.fast.endpoint names an endpoint that is unknown; did you mean “op",
    ),
    ("[profiles.fast]\ntemperature = 'hot'", "profiles.fast.temperature must be a number, 0 or more, not text"),
    ("[profiles.fast]\ntemperature = -0.5", "profiles.fast.temperature must be a number, 0 or more, not -0.5."),
    ("[profiles.fast]\ntop_p = 1.5", "profiles.fast.top_p must be a number from 0 to 1, not 1.5."),
    ("[profiles.fast]\nmax_tokens = 0", "profiles.fast.max_tokens must be a whole number, 1 or more, not 0."),
    ("[profiles.fast]\nseed = 0x1" + "0" * 5000, "profiles.fast.seed must be a whole number, not one that is out of a"),
    ("[profiles.fast]\nstop = [1]", "profiles.fast.stop must be text in quotes, or a list of such texts, not a list."),
    ("[compare]\ntemps = 1", "compare.temps must be a table"),
    ("[compare.temps]\nlanes = ['fast']", "compare.temps.lanes must be a list of tables in braces, not a list"),
    ("[compare.temps]\nlanes = []", "compare.temps.lanes must be a list of tables in braces, not empty"),
    (
        "[compare.temps]\nlanes = [{ model = 'm' }, { temprature = 1 }]",
        "compare.temps.lanes.2.temprature is unknown; did",
    ),
    (
        "[compare.temps]\nlanes = [{ temperature = 'hot' }]",
        "compare.temps.lanes.1.temperature must be a number, 0 or more,",
    ),
    ("[compare.temps]\nlanes = [{ extra_body = { at = 1979-05-27 } }]", "compare.temps.lanes.1.extra_body.at "),
    ("[prices]\nm = 1", "prices.m must be a table"),
    ("[prices.m]\ninput = 1", "prices.m.output is missing."),
    ("[prices.'m.1']\ninput = -0.1\noutput = 1", 'prices."m.1".input must be an amount from 0 to 1000000 USD.'),
    ("[prices.m]\ninput = '1'\noutput = 1", "prices.m.input must be an amount in USD, a number without quotes, not t"),
    ("[prices.m]\ninput = nan\noutput = 1", "prices.m.input must be an amount from 0"),
    ("[prices.m]\ninput = 1e999\noutput = 1", "prices.m.input must be an amount from 0"),
    ("[prices.m]\ninput = true\noutput = 1", "prices.m.input must be an amount in USD"),
    ("[budget]\nper_day = -1", "budget.per_day must be an amount from 0"),
    ("[budget]\nper_week = 1", "budget.per_week is unknown; there is per_conversation, per_day, per_reply."),
    ("[currency]\ncode = 'euro'\nper_usd = 1", "currency.code must be a code of three capital letters"),
    ("[currency]\ncode = 'EUR'", "currency.per_usd is missing."),
    ("[currency]\ncode = 'EUR'\nper_usd = 0", "currency.per_usd must be a number above 0."),
    ("ui = true", "ui must be a table, not true or false."),
    ("[ui]\nfps = 0", "ui.fps must be a whole number from 1 to 60, not 0."),
    ("[ui]\nfps = 61", "ui.fps must be a whole number from 1 to 60, not 61."),
    ("[ui]\nfollow = 'smoth'", "ui.follow must be one of smooth, page; did you mean “smooth”?"),
    ("[ui]\nslow_line = true", "ui.slow_line must be one of auto, on, off."),
    ("[ui]\nmouse = 1", "ui.mouse must be true or false, not a whole number."),
    ("[ui]\ntheme = 07:32:00", "ui.theme must be text in quotes that is not empty, not a date or time."),
    ("[keys]\nsend = 3", "keys.send must be text in quotes, not a whole number."),
    ("[keys]\nretri = 'f5'", "keys.retri is unknown; did you mean “retry”?"),
    (
        "[keys]\npreset = 'no-f-key'",
        "keys.preset must be one of default, no-f-keys, multiplexer; did you mean “no-f-keys”?",
    ),
    ("[keys]\npreset = 1", "keys.preset must be text in quotes, not a whole number."),
    (
        "[keys]\nretry = 'hyper+r'",
        "keys.retry names a key that is not known, “hyper+r”; write for example alt+r, ctrl+end or f5.",
    ),
    ("[keys]\nretry = 'Ctrl+A'", "keys.retry cannot have Ctrl+A, which writes, moves or edits there, as in a shell."),
    ("[keys]\nretry = 'r'", "keys.retry cannot have R, which writes, moves or edits there, as in a shell."),
    (
        "[keys]\nretry = 'f6'",
        "keys.retry cannot have F6, which resume has, unless you give resume another key or none.",
    ),
    ("[keys]\nretry = 'f12'\nfork = 'F12'", "keys.fork cannot have F12, which retry has already."),
    ("[keys]\nsend = ''", "keys.send must keep a key, or nothing could be sent."),
    ("keys = []", "keys must be a table, not empty."),
]


@pytest.mark.parametrize(("toml", "says"), MISTAKES)
def test_each_mistake_is_one_clear_line(configured, toml: str, says: str):
    config = configured(toml)
    line = only(config)
    assert says in line
    assert line.endswith((".", "?"))
    assert "VerySecret" not in line


ADDRESSES = [
    ("gateway.example/v1", "must begin with one of https://, http://"),
    ("localhost:8080/v1", "must begin with one of"),
    ("ftp://gateway.example", "must begin with one of"),
    ("https:/gateway.example", "must begin with one of"),
    ("https://", "names no host"),
    ("https:///v1", "names no host"),
    ("https://:8080/v1", "names no host"),
    ("https://user:VerySecret@gateway.example", "must not hold a user name or password"),
    ("https://gateway.example:99999/v1", "no well-formed URL"),
    ("https://gateway.example:x/v1", "no well-formed URL"),
    ("https://[::1/v1", "no well-formed URL"),
    ("https://https://gateway.example", "no well-formed URL"),
    ("https://gateway.example/v1 ", "a character that no URL may have"),
    ("https://gate way.example/v1", "a character that no URL may have"),
    ("https://<your-host>/v1", "a character that no URL may have"),
    ("https://gateway.example/v1?key=VerySecret", "leave off “?” and “#”"),
    ("https://gateway.example/v1#x", "leave off “?” and “#”"),
    ("https://gateway.example/v1/chat/completions", "leave off /chat/completions"),
    ("https://gateway.example/v1/chat/completions/", "leave off /chat/completions"),
    ("", "must begin with"),
]


@pytest.mark.parametrize(("address", "says"), ADDRESSES)
def test_a_wrong_address_spoils_the_endpoint(configured, address: str, says: str):
    config = configured(f'[endpoints.work]\nbase_url = "{address}"')
    assert says in only(config)
    assert "endpoints.work.base_url" in only(config)
    assert "VerySecret" not in only(config)
    with pytest.raises(ConfigError) as caught:
        config.endpoint("work")
    assert str(caught.value) == lines(config)[0]


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8080/v1", "https://[::1]:8443/v1", "HTTPS://Gateway.Example", "https://münchen.example/v1"],
)
def test_a_right_address(configured, address: str):
    assert configured(f'[endpoints.work]\nbase_url = "{address}/"').endpoint("work").base_url == address


TEN = f"""
endpoint = "work"
profle = "fast"
[endpoints.work]
base_url = "https://gateway.example/v1"
api_key_env = "WORK_KEY"
[endpoints.one]
base_url = "gateway.example"
[endpoints.two]
base_url = "https://two.example"
dialect = "gemini"
[endpoints.three]
base_url = "https://three.example"
headers = {{ Authorization = "Bearer {KEY}\\n" }}
[endpoints.four]
base_url = "https://four.example"
api_key_env = "{KEY}"
[profiles.fast]
endpoint = "work"
[profiles.hot]
temperature = "hot"
[profiles.lost]
endpoint = "nonexist"
[prices.good]
input = 1
output = 2
[prices.bad]
input = -1
output = 2
[ui]
fps = 500
mouse = false
[budget]
per_day = "5"
per_reply = 1
[keys]
quit = "ctrl+x"
"""


def test_ten_mistakes_give_ten_lines_and_the_rest_works(configured):
    config = configured(TEN, WORK_KEY=KEY)
    assert {problem.key for problem in config.problems} == {
        "profle",
        "endpoints.one.base_url",
        "endpoints.two.dialect",
        "endpoints.three.headers.Authorization",
        "endpoints.four.api_key_env",
        "profiles.hot.temperature",
        "profiles.lost.endpoint",
        "prices.bad.input",
        "ui.fps",
        "budget.per_day",
    }
    assert len(config.problems) == 10
    for problem in config.problems:
        assert str(problem).startswith(f"{config.file}: {problem.key} ")
        assert "VerySecret" not in str(problem)
    assert config.endpoint("work").key == Secret(KEY)
    assert config.available() == ["work"]
    assert config.profile("fast").endpoint == "work"
    assert config.prices["good"].output == 2
    assert "bad" not in config.prices
    assert (config.ui.fps, config.ui.mouse) == (20, False)
    assert config.budget == Budget(per_reply=Decimal(1))
    assert config.keys.of("quit") == ("ctrl+x",)
    for name in ("one", "two", "three", "four"):
        with pytest.raises(ConfigError, match=f"endpoints.{name}."):
            config.endpoint(name)
    with pytest.raises(ConfigError, match=r"profiles\.hot\.temperature"):
        config.profile("hot")


UNREADABLE = [
    (b"[ui]\nfps = = 3\n", "line 2: Invalid value"),
    (b"[ui]\nfps = 3 \xff\n", "line 2: not UTF-8"),
    (b"[ui\n", "line 1"),
    (b'x = "' + KEY.encode() + b'\n"', "line 1"),
]


@pytest.mark.parametrize(("content", "says"), UNREADABLE)
def test_a_file_that_is_no_toml_is_one_problem(configured, content: bytes, says: str):
    config = configured(content, DEEPSEEK_API_KEY=KEY)
    (line,) = lines(config)
    assert says in line
    assert line.startswith(str(config.file))
    assert "VerySecret" not in line
    assert config.ui == Ui()
    assert config.available() == ["deepseek"]


def test_a_folder_in_its_place_is_one_problem(env):
    file = Path(env["TUI_CHAT_CONFIG"])
    file.unlink()
    file.mkdir()
    (line,) = lines(load(env))
    assert "cannot be read: Is a directory" in line


def test_a_file_without_permission_is_one_problem(configured, monkeypatch):
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read: Permission denied" in lines(configured(""))[0]


def test_the_current_directory_is_not_looked_at(env, tmp_path: Path, monkeypatch):
    (tmp_path / "config.toml").write_text("[ui]\nfps = 3\n")
    monkeypatch.chdir(tmp_path)
    assert load(env).ui.fps == 20


# Keys


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o602])
def test_a_key_in_a_file_that_others_read_is_refused(configured, mode: int):
    config = configured(WORK + f'api_key = "{KEY}"', mode)
    assert f"chmod 600 {config.file}" in only(config)
    with pytest.raises(ConfigError) as caught:
        config.endpoint("work")
    assert "VerySecret" not in "".join(traceback.format_exception(caught.value))


def test_a_key_in_a_private_file_is_used(configured):
    config = configured(WORK + f'api_key = "{KEY}"')
    endpoint = config.endpoint("work")
    assert endpoint.key == Secret(KEY)
    assert endpoint.key_source == f"api_key of endpoints.work in {config.file}"


def test_keys_show_in_no_repr(configured, env):
    save_key(env, "groq", f"{KEY}-saved")
    config = configured(WORK + f'api_key = "{KEY}"', DEEPSEEK_API_KEY=f"{KEY}-env")
    shown = repr(config) + repr(config.known) + repr(config.endpoints) + repr(config.endpoint("groq"))
    assert "VerySecret" not in shown


def test_a_key_command_runs_only_when_asked(configured, tmp_path: Path):
    mark = tmp_path / "ran"
    config = configured(WORK + f"api_key_command = ['sh', '-c', 'touch {mark}; echo {KEY}']")
    assert config.available() == ["work"]
    assert not mark.exists()
    assert config.endpoint("work").key == Secret(KEY)
    assert mark.exists()


@pytest.mark.parametrize("value", ["sk VerySecret", "sk-VerySecret\u00e9", "sk-Very\nSecret"])
def test_a_key_that_cannot_be_sent_is_a_clear_line(configured, value: str):
    config = configured("", OPENAI_API_KEY=value)
    with pytest.raises(ConfigError, match="The key in OPENAI_API_KEY") as caught:
        config.endpoint("openai")
    assert "Secret" not in str(caught.value)


def test_saved_keys_that_others_read_are_a_problem_and_not_used(env):
    save_key(env, "openai", KEY)
    keys_file(env).chmod(0o644)
    config = load(env)
    (line,) = lines(config)
    assert f"chmod 600 {keys_file(env)}" in line
    assert config.available() == []


# Endpoints of the catalog

CLOUD = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "holysheep": ("https://api.holysheep.ai/v1", "HOLYSHEEP_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
}
LATER = {
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
}
LOCAL = {"ollama": 11434, "llama-cpp": 8080, "vllm": 8000, "lm-studio": 1234}


@pytest.mark.parametrize(("name", "address", "variable"), [(name, *facts) for name, facts in CLOUD.items()])
def test_an_endpoint_with_its_variable_set(env, name: str, address: str, variable: str):
    config = load({**env, variable: f" {KEY}\n"})
    endpoint = config.endpoint(name)
    assert config.available() == [name]
    assert (endpoint.base_url, endpoint.key, endpoint.key_source) == (address, Secret(KEY), variable)
    assert (endpoint.needs_key, endpoint.timeouts.first_token) == (True, 120)


@pytest.mark.parametrize(("name", "port"), LOCAL.items())
def test_a_local_server_needs_no_key_and_is_not_chosen_by_itself(env, name: str, port: int):
    config = load(env)
    endpoint = config.endpoint(name)
    assert endpoint.base_url == f"http://127.0.0.1:{port}/v1"
    assert (endpoint.needs_key, endpoint.key, endpoint.timeouts.first_token) == (False, None, 600)
    assert key_trouble(endpoint) is None
    assert config.available() == []
    assert config.local_names() == list(LOCAL)


@pytest.mark.parametrize(("name", "address", "variable"), [(name, *facts) for name, facts in LATER.items()])
def test_a_dialect_to_come(env, name: str, address: str, variable: str):
    config = load({**env, variable: KEY})
    assert (config.problems, config.available(), config.knows(name)) == ((), [], True)
    assert variable not in config.variables()
    with pytest.raises(ConfigError, match="not yet supported"):
        config.endpoint(name)
    config = load({**env, variable: KEY}, dialects={"openai-chat", name})
    assert config.endpoint(name).base_url == address
    assert config.endpoint(name).dialect == name
    assert (config.available(), variable in config.variables()) == ([name], True)


def test_the_variables_that_are_looked_for(env):
    assert load(env).variables() == [variable for _, variable in CLOUD.values()]


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_an_empty_variable_is_none(env, value: str):
    config = load({**env, "OPENAI_API_KEY": value})
    assert config.available() == []
    trouble = key_trouble(config.endpoint("openai"))
    assert trouble is not None
    assert trouble.message == "No key for openai: looked for OPENAI_API_KEY."


OPENAI_BASE = [
    # (OPENAI_BASE_URL, OPENAI_API_KEY, available, needs a key)
    ("http://127.0.0.1:9/v1", None, True, False),
    ("http://localhost:9/v1/", None, True, False),
    ("http://127.0.0.1:9/v1", KEY, True, False),
    ("https://gateway.example/v1", None, False, True),
    ("https://gateway.example/v1", KEY, True, True),
]


@pytest.mark.parametrize(("address", "key", "available", "needs_key"), OPENAI_BASE)
def test_openai_takes_its_address_from_the_environment(env, address, key, available, needs_key):
    config = load({**env, "OPENAI_BASE_URL": address} | ({"OPENAI_API_KEY": key} if key else {}))
    endpoint = config.endpoint("openai")
    assert endpoint.base_url == address.rstrip("/")
    assert (config.available(), endpoint.needs_key) == (["openai"] if available else [], needs_key)
    assert endpoint.key == (Secret(key) if key else None)


def test_the_users_file_wins_over_the_address_in_the_environment(configured):
    config = configured('[endpoints.openai]\nbase_url = "https://own.example/v1"', OPENAI_BASE_URL="http://127.0.0.1:9")
    assert config.endpoint("openai").base_url == "https://own.example/v1"


def test_an_address_in_the_environment_that_is_not_used_may_be_wrong(configured):
    config = configured('[endpoints.openai]\nbase_url = "https://own.example/v1"', OPENAI_BASE_URL="nonsense")
    assert config.problems == ()
    assert config.endpoint("openai").base_url == "https://own.example/v1"


def test_a_wrong_address_in_the_environment_spoils_openai_only(env):
    config = load(
        {**env, "OPENAI_BASE_URL": "https://u:VerySecret@x.example", "OPENAI_API_KEY": KEY, "GROQ_API_KEY": KEY}
    )
    (problem,) = config.problems
    assert (problem.where, problem.key) == ("environment", "OPENAI_BASE_URL")
    assert str(problem).startswith("environment: OPENAI_BASE_URL must not hold a user name")
    assert "VerySecret" not in str(problem)
    assert config.available() == ["groq"]
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        config.endpoint("openai")


def test_the_users_keys_win_one_by_one(configured):
    config = configured("[endpoints.openai]\ninsecure_http = true\ntimeouts = { idle = 5 }", OPENAI_API_KEY=KEY)
    endpoint = config.endpoint("openai")
    assert config.problems == ()
    assert (endpoint.insecure_http, endpoint.timeouts) == (True, Timeouts(idle=5))
    assert (endpoint.base_url, endpoint.key) == ("https://api.openai.com/v1", Secret(KEY))
    assert config.known["openai"].label == "OpenAI"


def test_an_own_source_of_the_key_replaces_the_catalogs(configured):
    config = configured('[endpoints.openai]\napi_key_env = "OTHER"', OPENAI_API_KEY=KEY, OTHER="sk-other")
    assert config.endpoint("openai").key == Secret("sk-other")
    config = configured(f'[endpoints.openai]\napi_key = "{KEY}-inline"', OPENAI_API_KEY=KEY)
    assert config.endpoint("openai").key == Secret(f"{KEY}-inline")


def test_a_mistake_spoils_an_endpoint_of_the_catalog_too(configured):
    """Its key must not go to the address that the user meant to replace."""
    config = configured('[endpoints.openai]\nbase_url = "own.example"', OPENAI_API_KEY=KEY)
    assert config.available() == []
    with pytest.raises(ConfigError, match=r"endpoints\.openai\.base_url"):
        config.endpoint("openai")


def test_an_unknown_key_spoils_nothing(configured):
    config = configured(WORK + "shiny = true")
    assert "shiny" in only(config)
    assert config.endpoint("work").base_url == "https://gateway.example/v1"


def test_the_order_of_what_is_available(configured, env):
    save_key(env, "mistral", KEY)
    config = configured(
        WORK + '[endpoints.locked]\nbase_url = "https://x.example"\napi_key_env = "UNSET"\n'
        '[endpoints.mine]\nbase_url = "http://10.0.0.5:8000/v1"\n[endpoints.ollama]\ntimeouts = { idle = 5 }',
        GROQ_API_KEY=KEY,
        DEEPSEEK_API_KEY=KEY,
    )
    assert config.available() == ["work", "mine", "ollama", "deepseek", "groq", "mistral"]
    assert config.variables()[:2] == ["UNSET", "OPENAI_API_KEY"]


def test_a_saved_key_makes_available_and_the_variable_wins(env):
    save_key(env, "deepseek", f"{KEY}-saved")
    config = load(env)
    assert config.available() == ["deepseek"]
    endpoint = config.endpoint("deepseek")
    assert (endpoint.key, endpoint.key_source) == (Secret(f"{KEY}-saved"), str(keys_file(env)))
    assert load({**env, "DEEPSEEK_API_KEY": KEY}).endpoint("deepseek").key == Secret(KEY)


@pytest.mark.parametrize(
    ("address", "given", "expected"),
    [
        ("http://localhost:1/v1", "", 600),
        ("http://[::1]:1/v1", "", 600),
        ("http://127.0.0.1:1/v1", "first_token = 120", 120),
        ("http://127.0.0.1:1/v1", "first_token = 0", 0),
        ("http://10.0.0.5:1/v1", "", 120),
    ],
)
def test_the_first_token_may_take_longer_on_loopback(configured, address: str, given: str, expected: float):
    config = configured(f'[endpoints.x]\nbase_url = "{address}"\ntimeouts = {{ {given} }}')
    assert config.endpoint("x").timeouts.first_token == expected


def test_ca_file_is_found_beside_the_configuration(configured, env):
    pem = Path(env["TUI_CHAT_CONFIG"]).parent / "own.pem"
    pem.touch()
    assert configured(WORK + 'ca_file = "own.pem"').endpoint("work").ca_file == str(pem)


def test_an_unknown_name_is_answered_with_the_nearest(env):
    config = load(env)
    with pytest.raises(ConfigError, match=r"^The endpoint “depseek” is unknown; did you mean “deepseek”\?$"):
        config.endpoint("depseek")
    with pytest.raises(ConfigError, match=r"^The profile “x” is unknown; none has been made yet\.$"):
        config.profile("x")
    assert (config.knows("deepseek"), config.knows("depseek")) == (True, False)


def test_spoilt_names_count_among_the_nearest(configured):
    config = configured('[endpoints.wrk]\nbase_url = "x"\n[profiles.fast]\nendpoint = "nonexist"\n')
    assert [problem.key for problem in config.problems] == ["endpoints.wrk.base_url", "profiles.fast.endpoint"]
    with pytest.raises(ConfigError, match=r"^The profile “fats” is unknown; did you mean “fast”\?$"):
        config.profile("fats")
    with pytest.raises(ConfigError, match=r"^The endpoint “work” is unknown; did you mean “wrk”\?$"):
        config.endpoint("work")


def test_the_endpoints_there_are_the_same_ones_everywhere(configured):
    config = configured('[endpoints.bad]\nbase_url = "x"\n[profiles.fast]\nendpoint = "zzz"\n')
    with pytest.raises(ConfigError) as caught:
        config.endpoint("zzz")
    _, _, listed = str(caught.value).partition("is unknown; there is ")
    assert {"openai", "bad", "demo"} <= set(listed.rstrip(".").split(", "))
    assert str(config.problems[1]).endswith(f"names an endpoint that is unknown; there is {listed}")


def test_the_demo_that_does_not_run_is_told_how_to_start(env):
    with pytest.raises(ConfigError, match=r"^The endpoint “demo” is unknown unless .* --demo\.$"):
        load(env).endpoint("demo")


def test_a_default_that_is_unknown_is_not_silently_replaced(configured):
    config = configured('endpoint = "wrok"\n' + WORK)
    assert "did you mean “work”?" in only(config)
    assert config.default.endpoint == "wrok"


def test_the_demo_may_be_named_before_it_runs(configured):
    config = configured('endpoint = "demo"\n[profiles.d]\nendpoint = "demo"')
    assert config.problems == ()
    demo = Endpoint("demo", "http://127.0.0.1:5/v1")
    running = config.with_endpoint(demo)
    assert running.endpoint("demo") is demo
    assert running.available() == ["demo"]


# Prices


def test_the_prices_of_the_catalog(env):
    prices = load(env).prices
    gpt = find_price(prices, "openrouter", "openai/gpt-4.1")
    assert gpt is not None
    assert (gpt.input, gpt.cached, gpt.output) == (Decimal(2), Decimal("0.5"), Decimal(8))
    flash = prices["gemini-2.5-flash"]
    assert (flash.input, flash.output) == (Decimal("0.3"), Decimal("2.5"))
    assert all(price.checked and price.source for price in prices.values())


@pytest.mark.parametrize("kind", ["fast", "slow", "reasoning", "flaky", "drop", "stall", "garbage"])
def test_the_demo_says_that_its_prices_are_pretend(env, kind: str):
    price = find_price(load(env).prices, "demo", f"demo-{kind}")
    assert price is not None
    assert price.note == "pretend: the demo bills nothing"


@pytest.mark.parametrize("model", ["deepseek-chat", "mistral-large-4", "gpt-oss-120b", "sonar"])
def test_what_no_price_states_truthfully_has_none(env, model: str):
    assert find_price(load(env).prices, "x", model) is None


def test_the_users_price_wins_and_is_exact(configured):
    config = configured('[prices."gpt-4.1"]\ninput = 0.1\noutput = 3')
    assert config.prices["gpt-4.1"] == Price(Decimal("0.1"), Decimal(3), source="config.toml")
    assert config.prices["gpt-4.1"].checked is None


def test_money_never_passes_through_a_float(configured):
    digits = "0.12345678901234567890123"
    config = configured(f"[prices.m]\ninput = {digits}\noutput = 1\n[budget]\nper_day = {digits}")
    assert config.prices["m"].input == config.budget.per_day == Decimal(digits)


def test_a_spoilt_price_hides_the_catalogs(configured):
    assert "gpt-4.1" not in configured('[prices."gpt-4.1"]\ninput = 0.1').prices


def test_loading_one_configuration_leaves_the_catalog_as_it_is(configured, env):
    configured('[prices."gpt-4.1"]\ninput = 0.1\noutput = 3\n[endpoints.openai]\nbase_url = "https://own.example"')
    Path(env["TUI_CHAT_CONFIG"]).unlink()
    config = load(env)
    assert config.prices["gpt-4.1"].input == 2
    assert config.endpoint("openai").base_url == "https://api.openai.com/v1"
