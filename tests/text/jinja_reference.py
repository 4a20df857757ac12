#!/usr/bin/env python3
"""Renders templates with Python's jinja2, set up as chat templates are rendered in Python.

Input (stdin): JSON list of {"template": text, "context": object}; output: JSON list of the rendered texts, null where
rendering fails. The clock stands at 2024-07-26 15:04:05. The expected texts in tests/data/jinja were made with it.
"""
import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 26, 15, 4, 5)


class Generation(jinja2.ext.Extension):
    """{% generation %}: marks what the model wrote; prints its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_body")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


env = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
)
env.filters["tojson"] = to_json
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = NOW.strftime


def render(case):
    try:
        return env.from_string(case["template"]).render(**case["context"])
    except Exception:
        return None


json.dump([render(case) for case in json.load(sys.stdin)], sys.stdout)
