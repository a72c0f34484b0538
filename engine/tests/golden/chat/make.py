#!/usr/bin/env python3
"""Makes expected.json: what Jinja2, set up as Hugging Face transformers sets it up, makes of the templates.

    pip install jinja2==3.1.6 && python make.py

The set-up is transformers 4.57's `_compile_jinja_template` (utils/chat_template_utils.py): a sandbox with trim_blocks,
lstrip_blocks and loop controls, `raise_exception`, `strftime_now`, `tojson`, and `{% generation %}` blocks.

templates/: smollm2.jinja is what SmolLM2-135M-Instruct.Q4_1.gguf carries. features.jinja and smollm3-like.jinja were
written for this test. The others were written down after the published templates of the models they are named after, with
the parts for tools shortened. The engine's own fallbacks are tested too.
"""

import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox

HERE = pathlib.Path(__file__).parent
FALLBACKS = HERE / "../../../src/chat/fallback"
NOW = datetime.datetime(2025, 3, 7, 9, 5, 2)

TOKENS = {
    "llama-3.2": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "gemma-2": ("<bos>", "<eos>"),
    "gemma-3": ("<bos>", "<eos>"),
    "gemma": ("<bos>", "<eos>"),
    "deepseek-r1-distill": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
}

SYSTEM = {"role": "system", "content": "Answer like a pirate.  "}
USER = {"role": "user", "content": "  What is 2 + 2?\n"}
ASSISTANT = {"role": "assistant", "content": "Four, it's {{ sure }} é 😀."}
THOUGHTFUL = {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\nFour."}
AGAIN = {"role": "user", "content": 'And "3" \\ <|im_end|>?'}

CONVERSATIONS = {
    "one": [USER],
    "system": [SYSTEM, USER],
    "turns": [SYSTEM, USER, ASSISTANT, AGAIN],
    "thoughts": [USER, THOUGHTFUL, AGAIN, ASSISTANT, USER],
    "answered": [USER, THOUGHTFUL],
}


class Generation(jinja2.ext.Extension):
    """`{% generation %}`: transformers records where its output stands, and prints it unchanged."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(lineno)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


def render(source, **values):
    try:
        return {"expected": environment().from_string(source).render(tools=None, documents=None, **values)}
    except jinja2.exceptions.TemplateError as error:
        return {"error": error.message}


def cases():
    for path in sorted(HERE.glob("templates/*.jinja")) + sorted(FALLBACKS.glob("*.jinja")):
        source = path.read_text()
        bos, eos = TOKENS.get(path.stem, ("<s>", "</s>"))
        for name, messages in CONVERSATIONS.items():
            for thinking in [True, False]:
                if thinking and "think" not in source:
                    continue
                add_generation_prompt = name != "answered"
                yield {
                    "template": path.relative_to(HERE).as_posix() if path.parent != FALLBACKS else f"../../../src/chat/fallback/{path.name}",
                    "conversation": name,
                    "bos": bos,
                    "eos": eos,
                    "add_generation_prompt": add_generation_prompt,
                    "thinking": thinking,
                    **render(
                        source,
                        messages=messages,
                        add_generation_prompt=add_generation_prompt,
                        bos_token=bos,
                        eos_token=eos,
                        enable_thinking=thinking,
                        thinking=thinking,
                    ),
                }


if __name__ == "__main__":
    golden = {
        "made by": f"make.py with Jinja2 {jinja2.__version__}",
        "now_unix_secs": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
        "conversations": CONVERSATIONS,
        "cases": list(cases()),
    }
    (HERE / "expected.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
