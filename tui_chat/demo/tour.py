"""The texts of the guided tour. `{models}` stands for the table of demo models."""

from msgspec import Struct


class Topic(Struct, frozen=True):
    """One answer: a heading, one of several openings, the body, one of several closings.

    A message is about the topic whose keywords (words or phrases, lower-case) it holds most of.
    """

    name: str
    keywords: tuple[str, ...]
    title: str
    openings: tuple[str, ...]
    body: str
    closings: tuple[str, ...]


NEXT = (
    "Type `hello` to see all topics again.",
    "`hello` brings back the list of topics.",
    "When you are done here, `hello` shows what else there is.",
)

WELCOME = Topic(
    name="welcome",
    keywords=("hello", "hi", "hey", "welcome", "tour", "start", "topics", "demo"),
    title="Welcome to tui-chat",
    openings=(
        "Good to see you. You are talking to the **built-in demo**.",
        "Hello! This is the **built-in demo**.",
        "Nice to meet you. What answers here is the **built-in demo**.",
    ),
    body="""\
It is a canned program, *not a language model*: nothing you type leaves this computer, and nothing is billed. \
Everything around it is real. This text comes over HTTP, token by token, just as a real model's would.

## Four keys to begin with

```text
Enter     send
Ctrl+J    new line
Esc       stop the reply, keep what came
F1        all keys
```

## Learn by chatting

| Send | and see |
|---|---|
| `keys` | the keys worth knowing first |
| `cancel` | how to stop a reply |
| `retry` | how to ask again and keep both answers |
| `queue` | how to write ahead while a reply streams |
| `models` | what each demo model is for |
| `setup` | how to connect a real model |
| `cost` | what the numbers mean |
| `pipe` | how to use it in scripts |
| `markdown` | how every element looks |

There is more:

- `theme` and `ssh`, for the look and for slow lines
- `haiku`, for a break
- `count 50` or `long 500`, for a reply of a known length
- `echo` and some text, to get that text back
- a long text, to have its words counted""",
    closings=(
        "Start with `keys`, or send `long 500` and press Esc in the middle.",
        "A good first step: send `cancel`, and stop the answer with Esc.",
        "Begin wherever you like. You cannot break anything here.",
    ),
)

UNKNOWN_OPENINGS = (
    "I have no answer to that: I am the **built-in demo**.",
    "That is beyond me. I am only the **built-in demo**.",
    "A language model could answer that; I am just the **built-in demo**.",
)

KEYS = Topic(
    name="keys",
    keywords=("keys", "help", "shortcuts", "shortcut", "keyboard", "bindings", "f1", "quit", "scroll"),
    title="Keys",
    openings=(
        "These few carry you through a day.",
        "You need very few of them.",
        "The ones worth learning first:",
    ),
    body="""\
| Key | does |
|---|---|
| Enter | sends the message |
| Ctrl+J | makes a new line |
| Esc | stops the reply and keeps what came |
| F5 | asks again, as another version |
| F6 | goes on with a reply that broke off |
| Alt+Left, Alt+Right | walk through the versions |
| F2 | picks the model |
| Alt+Up | takes a queued message back |
| PageUp, PageDown | scroll the conversation |
| Ctrl+End | returns to the newest text |
| F1 | shows all keys |
| Ctrl+Q | quits |

## Two habits that help

1. A backslash at the end of a line, then Enter, makes a new line in every terminal.
2. Commands work too: `/retry` is F5, `/model` is F2.

```text
A message of two lines \\
ends here: press Enter to send
```""",
    closings=(
        "Press F1 at any time for the complete list.",
        "F1 always has the full list.",
        "Forgot one? F1 shows them all.",
    ),
)

CANCEL = Topic(
    name="cancel",
    keywords=("cancel", "stop", "esc", "escape", "abort", "interrupt"),
    title="Stopping a reply",
    openings=(
        "Press **Esc**. The reply stops at once.",
        "One key: **Esc**.",
        "**Esc** ends a reply the moment you press it.",
    ),
    body="""\
- What came so far **stays** in the conversation.
- The connection is closed at once, so that the server can stop writing, too.
- You can go straight on: send the next message, press F6 to let the reply go on, or F5 to ask again.

## Try it

Send this, and press Esc while it counts:

```text
count 2000
```

Then send `long 500` and scroll up with PageUp while it streams. The view stays where you are reading; \
Ctrl+End takes you back to the newest text.""",
    closings=NEXT,
)

RETRY = Topic(
    name="retry",
    keywords=(
        "retry",
        "f5",
        "again",
        "regenerate",
        "version",
        "versions",
        "alternative",
        "alt left",
        "alt right",
    ),
    title="Asking again",
    openings=(
        "**F5**, or `/retry`, sends the same question once more.",
        "Not happy with an answer? Press **F5**.",
        "**F5** gets you a second opinion.",
    ),
    body="""\
The new answer does not replace the old one. It becomes another *version* beside it:

1. Press F5 and wait for the new answer.
2. **Alt+Left** goes back to the version before.
3. **Alt+Right** goes forward again.

The chat goes on from the version you are looking at.

## A good use

Pick another model with F2, then press F5: the same question, answered by someone else.

```text
/model
/retry
```""",
    closings=(
        "Try it now: press F5, then Alt+Left.",
        "Press F5 on this very answer to see it work.",
        "Two versions of this text are one F5 away.",
    ),
)

QUEUE = Topic(
    name="queue",
    keywords=("queue", "queued", "queueing", "while", "alt up", "wait", "waiting"),
    title="Writing ahead",
    openings=(
        "You never have to wait for a reply to end before you write.",
        "Keep typing while a reply streams.",
        "The composer is yours at all times.",
    ),
    body="""\
- Press Enter while a reply streams, and your message is **queued**: it goes out when the reply ends.
- **Alt+Up** takes a queued message back into the composer, to change or to drop it.
- **Esc** stops the reply that is streaming.

## Try it

Pick `demo-slow` with F2, then send these quickly, one after the other:

```text
count 60
echo I was queued
```

The second one waits its turn.""",
    closings=NEXT,
)

MODELS = Topic(
    name="models",
    keywords=("models", "model", "f2", "fast", "slow", "reasoning", "flaky", "drop", "stall", "garbage"),
    title="The demo models",
    openings=(
        "Press **F2**, or type `/model`, to pick one. Each shows one thing that happens in real life.",
        "Seven models, one program behind them all. **F2** or `/model` changes between them.",
        "None of them thinks; each one *behaves*. Choose with **F2** or `/model`.",
    ),
    body="""\
{models}

## What to look for

- **demo-slow**: the wait before the first word, and a calm rate after it.
- **demo-reasoning**: thoughts and answer are kept apart.
- **demo-flaky**: two refusals, then success, without a key pressed.
- **demo-drop**: the text that came is kept, and the reply is not taken for a complete one. F6 goes on with it.
- **demo-stall**: the line is alive but no words come. Esc ends it.
- **demo-garbage**: control codes appear as visible symbols and do nothing.

From the command line:

```sh
tui-chat --demo models
tui-chat --demo -m demo-reasoning ask "hello"
```""",
    closings=(
        "Pick one with F2, then press F5 to ask this again.",
        "After F2, F5 asks the same question of the new model.",
        "Start with `demo-reasoning`; it is the friendliest.",
    ),
)

SETUP = Topic(
    name="setup",
    keywords=(
        "setup",
        "set up",
        "endpoint",
        "endpoints",
        "key",
        "api",
        "api key",
        "api keys",
        "config",
        "configure",
        "connect",
        "real model",
        "openai",
        "anthropic",
        "ollama",
        "deepseek",
        "gemini",
        "openrouter",
    ),
    title="Connecting a real model",
    openings=(
        "There are three ways; the first takes one line.",
        "One line is enough for most providers.",
        "Choose the way that suits you.",
    ),
    body="""\
## 1. An environment variable

Set the key of your provider and start `tui-chat`; the endpoint is then known.

```sh
export OPENAI_API_KEY=...
tui-chat
```

| Provider | Variable |
|---|---|
| OpenAI | `OPENAI_API_KEY` |
| Anthropic | `ANTHROPIC_API_KEY` |
| Google Gemini | `GEMINI_API_KEY` |
| DeepSeek | `DEEPSEEK_API_KEY` |
| OpenRouter | `OPENROUTER_API_KEY` |
| Groq | `GROQ_API_KEY` |
| Mistral | `MISTRAL_API_KEY` |
| HolySheep | `HOLYSHEEP_API_KEY` |

## 2. A model on this computer

Ollama, llama.cpp, vLLM and LM Studio need no key when they listen on their usual ports:

```sh
tui-chat -e ollama
```

## 3. Any other endpoint

Describe it in `config.toml`:

```toml
[endpoints.work]
dialect = "openai-chat"    # or anthropic, gemini, openai-responses
base_url = "https://gateway.example/v1"
api_key_env = "WORK_KEY"   # the name of a variable
```

> A key belongs in the environment or in a password manager: `api_key_command = ["pass", "show", "work"]` \
asks one. Please do not paste a key into a chat.""",
    closings=(
        "Then pick a model with F2.",
        "`tui-chat models` lists what your endpoint offers; F2 does the same on screen.",
        "Once it is set, F2 shows its models.",
    ),
)

NUMBERS = Topic(
    name="numbers",
    keywords=(
        "cost",
        "costs",
        "price",
        "prices",
        "speed",
        "tok/s",
        "tok",
        "ttft",
        "stats",
        "numbers",
        "usage",
        "tokens",
        "money",
        "billed",
    ),
    title="What the numbers mean",
    openings=(
        "Every figure says one precise thing.",
        "Speed, waiting and money, one at a time:",
        "Each number has one exact meaning.",
    ),
    body="""\
| Figure | meaning |
|---|---|
| TTFT | from sending the request to the first token |
| tok/s | how fast tokens came, once they came |
| total | the whole time, waiting included |
| input | tokens you sent, the conversation so far included |
| cached | the part of the input that the provider had seen before; it usually costs less |
| reasoning | tokens spent on thinking; they are part of the output |
| output | tokens the model wrote |
| cost | what these tokens cost at the known price |

## Reading them

- A `~` marks an estimate. It goes away when the provider reports the true count.
- A long TTFT with a high tok/s means a busy server or a long prompt; the reverse means a slow model.
- The input grows with every turn, since the whole conversation is sent each time.

The speed is simply

```text
tok/s = (output tokens - 1) / (time of last token - time of first token)
```

This demo costs nothing. Its token counts are real in one sense: they count the pieces it sent.""",
    closings=(
        "Compare `demo-fast` with `demo-slow`: pick with F2, ask with F5.",
        'On the command line, `tui-chat ask "..." --stats` prints the same figures.',
        "Send `long 500` and watch them move.",
    ),
)

PIPE = Topic(
    name="pipe",
    keywords=(
        "pipe",
        "pipes",
        "piping",
        "headless",
        "json",
        "script",
        "scripts",
        "scripting",
        "stdin",
        "shell",
        "cli",
        "command line",
    ),
    title="In scripts and pipes",
    openings=(
        "Without a screen, `tui-chat ask` does the same work.",
        "`tui-chat ask` is the chat for scripts.",
        "Everything here also works in a pipe, with `tui-chat ask`.",
    ),
    body="""\
```sh
tui-chat ask "Explain SSE in one sentence"
git diff | tui-chat ask "Write a commit message"
tui-chat ask "Name three colours" --json | jq -r .text
```

- What you **pipe in** is added below your prompt.
- The answer goes to standard output and nothing else does, so it can be piped on.
- `--json` prints one object: text, usage, timing, cost.
- `--stats` adds the figures when the answer is done.

| Command | prints |
|---|---|
| `tui-chat ask "..."` | the answer, as it comes |
| `tui-chat ask "..." --json` | one JSON object |
| `tui-chat models` | the models of the endpoint |
| `tui-chat models --json` | the same as JSON |

## Without a key

```sh
tui-chat --demo ask "count 10" --stats
```

`tui-chat demo-server --port 8765` runs this demo by itself, for any program that speaks the OpenAI dialect.""",
    closings=NEXT,
)

MARKDOWN = Topic(
    name="markdown",
    keywords=("markdown", "format", "formatting", "sample", "elements", "table", "code"),
    title="Markdown, one of each",
    openings=(
        "Plain words, **bold**, *italic*, ***both***, ~~struck out~~ and `code`.",
        "Here is **bold**, *italic*, ***both of them***, ~~gone~~ and `code`.",
        "Some **bold**, some *italic*, ***some of both***, ~~a mistake~~ and `code`.",
    ),
    body="""\
## Second level
### Third level
#### Fourth level

A line that ends with two spaces  \nbreaks here. A [link](https://www.example.org/ "example") shows its text.

- a list
  - inside a list
    - and one deeper
- [x] a task that is done
- [ ] a task that is not

1. first
2. second
   1. with a step of its own

> A quotation.
>
> > A quotation inside it.

| Left | Centre | Right |
|:---|:---:|---:|
| apple | red | 1.20 |
| plum | blue | 12.50 |
| 日本語 | `code` | 100.00 |

```python
def greet(name: str) -> str:
    \"\"\"Say hello.\"\"\"
    return f"Hello, {name}!"
```

```json
{"stream": true, "temperature": 0.7}
```

```diff
- an old line
+ a new line
```

    indented code, four spaces in

---

Scripts: Tiếng Việt, Ελληνικά, русский, 中文, 日本語, 한국어, עברית. \
Emoji: 🙂 👩‍🚀 🇻🇳. A backslash keeps \\*stars\\* plain.""",
    closings=(
        "That is every element.",
        "If all of this looks right, your terminal is in good shape.",
        "Something looks odd? Your terminal's font is the usual reason.",
    ),
)

THEME = Topic(
    name="theme",
    keywords=("theme", "themes", "colour", "colours", "color", "colors", "dark", "light", "look"),
    title="The look",
    openings=(
        "A theme is one small TOML file.",
        "Colours come from a theme, and themes are plain files.",
        "The look is yours to choose.",
    ),
    body="""\
- Several come with the program; `/theme` shows one after the other, `/theme paper` takes that one.
- Your own go into a folder named `themes`, beside your `config.toml`.
- A theme with a mistake in it gives a message. It never stops the program.

What you choose is kept. Where nothing was chosen, `config.toml` decides:

```toml
[ui]
theme = "my-theme"
```

| Where | what it decides |
|---|---|
| `themes/my-theme.toml` | the colours |
| `[ui]` in `config.toml` | which theme is used |
| your terminal | the font and its size |""",
    closings=(
        "Send `markdown` to see your theme at work.",
        "`markdown` shows every element in it.",
        "To judge a theme, send `markdown`: it has one of everything.",
    ),
)

SSH = Topic(
    name="ssh",
    keywords=("ssh", "remote", "lag", "latency", "tmux", "bandwidth", "slow line"),
    title="Over SSH",
    openings=(
        "Made for it.",
        "This works well over SSH, on slow lines too.",
        "A slow line is no trouble.",
    ),
    body="""\
- The screen is painted a few times a second, however fast the model is. **Text is never lost**: what you do not \
see yet comes with the next picture.
- Esc works at once, even while a lot of text is on its way.
- Ctrl+J and a backslash before Enter make a new line in every terminal; no special keys are needed.
- PageUp, PageDown and Ctrl+End scroll without a mouse.
- 80 columns and 24 lines are enough.

In `config.toml` you can make the pictures fewer, for a slow line:

```toml
[ui]
fps = 10
```

| What | where it is |
|---|---|
| your API keys and your history | on the remote computer |
| the connection to the model | from the remote computer |
| the picture | in your terminal |

This demo, too, listens only on the computer where `tui-chat` runs, and only for that computer itself.""",
    closings=NEXT,
)

TOPICS = (
    KEYS,
    CANCEL,
    RETRY,
    QUEUE,
    SETUP,
    NUMBERS,
    PIPE,
    MARKDOWN,
    THEME,
    SSH,
    MODELS,
    WELCOME,
)

POEM_KEYWORDS = ("haiku", "poem", "poems", "write", "verse", "rhyme")

HAIKU = (
    "A cursor, blinking.\nThe words come one at a time\nand none of them wait.",
    "Green light on the glass;\nsomewhere a small server hums\nand sends you a leaf.",
    "Snow on the roof tiles.\nToken by token, the night\nwrites its own white page.",
    "Press Esc and the stream\nstands still, like a frog in thought.\nThe pond keeps the rest.",
    "No cloud in this sky:\nthe voice that speaks lives right here,\nand asks for no coin.",
)
HAIKU_CLOSINGS = (
    "*Canned verse, free of charge. F5 asks for another version.*",
    "*Written by hand and kept in a tin: this demo is no language model.*",
    "*For fresh ones, connect a real model: send `setup`.*",
)

SUMMARY_TITLE = "A summary, of sorts"
SUMMARY_OPENINGS = (
    "I cannot read, being a canned program, but I can count.",
    "A real model would summarise this. The demo counts.",
    "Understanding is beyond me; counting is not.",
)
SUMMARY_BODY = """\
- **{words} received**, {characters}
- it begins:

> {sentence}"""
SUMMARY_CLOSINGS = (
    "All of it arrived, and none of it left this computer.",
    "Nothing of it was sent anywhere else.",
    "The text stayed on this computer.",
)

REASONING = (
    "The message is: {message}\n\n"
    "I am a canned program, so even this thought was written in advance. I look for words I know. "
    "The topic is {topic}. I have a text about that, and I can send it as it is.",
    "Let me see: {message}\n\n"
    "No language model is at work here; my thoughts come from a file. A real one would weigh its words now. "
    "I only find the nearest topic, which is {topic}, and take the text for it from the shelf.",
    "So the question is: {message}\n\n"
    "This is where a reasoning model would think. I pretend to, so that you can see how thoughts are shown "
    "apart from the answer. The topic is {topic}. That settles it.",
)
