#!/usr/bin/env python3
"""Writes snippets.json: what jinja2 3.1.6, set up as transformers 4.57 does it, renders for the
snippets in snippets.txt and the templates in families/.  pip install jinja2==3.1.6

snippets.txt: one snippet a line, with \\n, \\r, \\t, \\\\ and \\u1234 in it; blank lines and lines that
begin with "## " separate.  A snippet that jinja2 renders and we refuse begins with "!refused ".
"""
import datetime
import json
import pathlib
import re

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 1, 15, 9, 30)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_support")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    def _support(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: NOW.strftime(f)
    return env


def render(template, vars):
    try:
        return {"text": environment().from_string(template).render(**vars)}
    except Exception as e:  # whatever it is: the template does not render
        return {"error": str(e).split("\n")[0]}


VARS = {
    "messages": [
        {"role": "system", "content": " Be brief.\n"},
        {"role": "user", "content": "Hello <b>&'\" \u017dlut\u00fd \u6f22 \U0001f642"},
        {"role": "assistant", "content": "Hi", "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": {"x": 1, "y": [1.5, None]}}}
        ]},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image"}]},
    ],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "tools": None,
    "n": 3, "f": 2.5, "t": True, "none_": None, "s": "abc", "e": "", "l": [3, 1, 2],
    "d": {"a": 1, "b": {"c": "x"}, "items": 5}, "words": ["b", "A", "c", "a"],
    "people": [{"name": "Zed", "age": 3, "c": {"k": 1}}, {"name": "ann", "age": 5},
               {"name": "Bob", "age": 3, "c": {"k": 2}}],
    "big": {f"key{i}": i for i in range(30)},
}


def unescape(line):
    plain = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    return re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda m: plain.get(m[1]) or (chr(int(m[1][1:], 16)) if m[1][0] == "u" else m[0]),
        line,
    )


def main():
    cases = []
    for line in (HERE / "snippets.txt").read_text().split("\n"):
        if not line or line.startswith("## "):
            continue
        refused = line.startswith("!refused ")
        source = unescape(line.removeprefix("!refused "))
        want = {"refused": True} if refused else render(source, VARS)
        cases.append({"template": source} | want)
    families = []
    for path in sorted((HERE / "families").glob("*.jinja")):
        source = path.read_text()
        for prompt in (True, False):
            for chat in json.loads((HERE / "chats.json").read_text()):
                vars = {"bos_token": "<s>", "eos_token": "</s>", "tools": None}
                vars |= {"add_generation_prompt": prompt} | chat
                families.append({"name": path.name, "vars": vars} | render(source, vars))
    out = {"vars": VARS, "snippets": cases, "families": families}
    text = json.dumps(out, ensure_ascii=False, indent=0, separators=(",", ":"))
    (HERE / "snippets.json").write_text(text + "\n")
    print(len(cases), "snippets,", len(families), "renderings")


if __name__ == "__main__":
    main()
