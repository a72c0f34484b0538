"""Makes snippets.json: small templates, each with what Jinja2 renders, set up as Hugging Face's transformers does.

    pip install jinja2==3.1.6 && python3 snippets.py

Every method of str, list and dict that a sandboxed template may call, every filter, test and global of Jinja2, calls with * and **,
arithmetic, slices, whitespace control and newlines. `null` stands for an error.
"""

import datetime
import itertools
import json
import pathlib
import re

import jinja2
from make import NOW, environment

MESSAGES = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": " Hi there, ünï  "},
    {"role": "assistant", "content": "Yes.\nNo."},
]

STRINGS = ["'one two  three'", "''", "' a\\n b\\t'", "'Äpfel und Öl'", "'ABC'", "'x1y2'", "'12'", "'a,b,,c'", "'<b>&\"q\"'", "messages[2].content"]


def strings():
    no_arguments = ["capitalize", "casefold", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower",
                    "isnumeric", "isprintable", "isspace", "istitle", "isupper", "lower", "lstrip", "rstrip", "strip", "split",
                    "rsplit", "splitlines", "swapcase", "title", "upper"]
    for method, text in itertools.product(no_arguments, STRINGS):
        yield "{{ %s.%s() }}" % (text, method)
    with_arguments = [
        "center(9)", "center(10, '*')", "ljust(9) ~ '|'", "rjust(9)", "rjust(9, '.')", "zfill(6)", "count('e')", "count('')",
        "endswith('e')", "endswith(('o', 'e'))", "startswith('o')", "startswith(('x', 'o'))", "find('t')", "find('zz')",
        "rfind('t')", "find('e', 3)", "find('e', 1, 4)", "index('e')", "rindex('e')", "index('zz')", "expandtabs(4)", "partition(' ')", "rpartition(' ')",
        "partition('zz')", "removeprefix('one')", "removesuffix('three')", "replace('e', 'EE')", "replace('e', 'E', 1)",
        "replace('', '-')", "split(' ')", "split(' ', 1)", "rsplit(' ', 1)", "rsplit(' ', 1)[-1]", "rsplit(None, 1)", "split(maxsplit=1)", "split('e')[-1]",
        "split(sep=' ')", "strip('oe')", "lstrip('on')", "rstrip('e')", "splitlines(true)", "join(['a', 'b'])", "join('ab')",
        "encode('utf-8')", "nothing()", "startswith('n', 1)", "strip(none)",
    ]
    for call, text in itertools.product(with_arguments, ["'one two  three'", "'Öl, e é'"]):
        yield "{{ %s.%s }}" % (text, call)
    for call in ["'<{}>{}'.format('a', 1)", "'{0}{1}{0}'.format('a', 'b')", "'{x}-{y}'.format(x=1, y='z')", "'{:>5}|'.format('ab')",
                 "'{:05d}'.format(42)", "'{:.2f}'.format(3.14159)", "'{{}}{}'.format(1)", "'{!r}'.format('a')", "'{:,}'.format(1234567)",
                 "'{:<4}|'.format(1)", "'{:^7}'.format('ab')", "'{}'.format(none)", "'{}'.format(true)", "'{}'.format([1, 'a'])",
                 "'%s and %d' % ('a', 3)", "'%.1f' % 2.25", "'%s' % 'x'", "'%05d' % 42", "'%%' % ()", "'%s' | format('x')", "'%s-%s' | format('a', 2)"]:
        yield "{{ %s }}" % call
    yield "{{ 'a' * 3 }}{{ 'a' + 'b' }}{{ 'a' ~ 1 ~ none }}"
    for index in ["[0]", "[-1]", "[1:3]", "[::-1]", "[::2]", "[-3:]", "[:-1]", "[5:1]", "[100:]"]:
        yield "{{ 'ünï-code'%s }}" % index
        yield "{{ [1, 2, 3, 4, 5]%s }}" % index
    yield "{{ 'b' in 'abc' }} {{ 'z' not in 'abc' }} {{ 'a' < 'b' }} {{ 'abc' == \"abc\" }}"


def lists_and_dicts():
    for call in ["count(1)", "index(2)", "index(9)", "copy()", "append(4)", "pop()", "reverse()", "sort()", "extend([1])", "insert(0, 1)", "remove(1)", "clear()"]:
        yield "{%% set l = [1, 2, 1] %%}{{ l.%s }}{{ l }}" % call
    for call in ["get('a')", "get('z')", "get('z', 7)", "items() | list", "keys() | list", "values() | list", "copy()", "pop('a')", "update({'c': 1})",
                 "setdefault('a', 1)", "clear()", "popitem()", "items()", "keys()", "values()", "items", "a", "z", "z is defined"]:
        yield "{%% set d = {'a': 1, 'b': [2, none]} %%}{{ d.%s }}" % call
    yield "{{ (1, 2).count(1) }}{{ (1, 2).index(2) }}{{ (1,) }}{{ () }}{{ (1, 'a') }}"
    yield "{{ [1] + [2] }}{{ [1, 2] * 2 }}{{ 1 in [1] }}{{ [] or 'empty' }}{{ [1, [2, {'k': 'v'}]] }}"
    yield "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}"
    yield "{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}"
    yield "{{ {'a': 1} | length }}{{ {'a': 1}['a'] }}{{ {'a': 1}.a }}{{ {1: 2}[1] }}{{ {'items': 3}['items'] }}"
    yield "{{ {'a': true, 'b': none, 'c': 1.5, 'd': 'q\"\\'x'} }}"
    yield "{{ [1, 2, 3] | length }}{{ messages[1:] | length }}{{ messages[-1].role }}{{ messages[0]['role'] }}"
    yield "{{ [[1, 2], [3, 4]] | map(attribute=0) | list }}{{ {'a': {'b': 1}}.a.b }}{{ [1, 2].0 }}"
    yield "{{ dict(a=1, b=2) }}{{ dict([('x', 1)]) }}"


def filters():
    values = ["[3, 1, 2]", "['b', 'A', 'c']", "'hello World'", "'  pad '", "[]", "''", "5", "-2.5", "none", "nothing", "{'b': 1, 'a': 2}", "[1, [2, 3]]", "true"]
    plain = ["abs", "capitalize", "count", "d('x')", "default('x')", "default('x', true)", "dictsort", "escape", "e", "first", "float", "int", "items | list",
             "join", "join(', ')", "last", "length", "list", "lower", "max", "min", "pprint", "reverse | list", "round", "round(1)", "safe", "sort", "sort(reverse=true)",
             "string", "sum", "title", "tojson", "trim", "unique | list", "upper", "urlencode", "wordcount", "center(10)", "indent", "indent(2, true)",
             "batch(2) | list", "slice(2) | list", "truncate(6)", "replace('l', 'L')", "striptags", "forceescape", "filesizeformat"]
    for f, value in itertools.product(plain, values):
        yield "{{ %s | %s }}" % (value, f)
    for expression in [
        "messages | map(attribute='role') | list", "messages | map(attribute='role') | join('/')", "messages | selectattr('role', 'equalto', 'user') | list | length",
        "messages | selectattr('role', '==', 'user') | map(attribute='content') | first", "messages | rejectattr('role', 'in', ['user', 'system']) | list | length",
        "messages | selectattr('tool_calls', 'defined') | list", "messages | rejectattr('tool_calls', 'undefined') | list", "messages | selectattr('content') | list | length",
        "[1, 2, 3, 4] | select('odd') | list", "[1, 2, 3, 4] | reject('even') | list", "[0, 1, none, 2] | select | list", "[1, 2, 3] | select('gt', 1) | list", "[1, 2, 3] | map('string') | list",
        "['a', 'b'] | map('upper') | join", "[1, 2, 3] | sum(start=10)", "messages | sum(attribute='n')", "messages | groupby('role') | list | length", "messages | groupby('role') | map('first') | list",
        "[{'n': 2}, {'n': 1}] | sort(attribute='n')", "[{'n': 2}, {'n': 1}] | map(attribute='n') | max", "[{'n': 2}] | map(attribute='m', default=7) | list", "['B', 'a'] | sort(case_sensitive=true)", "['b', 'B', 'a'] | unique | list",
        "{'b': 1, 'a': 2} | dictsort", "{'b': 1, 'a': 2} | dictsort(by='value')", "{'b': 1, 'a': 2} | dictsort(reverse=true)", "{'a': [1, {'b': none}]} | tojson", "{'a': [1, {'b': none}]} | tojson(indent=2)", "'é\"\\n<' | tojson",
        "[] | tojson(indent=2)", "{} | tojson", "1.0 | tojson", "'a\\nb\\n\\nc' | indent", "'a\\nb' | indent(4, first=true)", "'a\\n\\nb' | indent(2, blank=true)", "'a\\nb' | indent('> ')",
        "3.7 | int", "'12' | int + 1", "'x' | int(7)", "'0x1f' | int(base=16)", "'3.5' | float", "2.5 | round", "3.14159 | round(2)", "2.1 | round(method='ceil')", "2.9 | round(0, 'floor')",
        "'a b' | urlencode", "{'a': 'b c'} | urlencode", "'one two three' | truncate(9)", "'one two three' | truncate(9, true)", "'one two three' | truncate(9, false, '', 0)", "'x' | attr('upper')", "messages[0] | attr('role')", "'a b c' | wordwrap(3)",
        "'%s!' | format('hi')", "[1, 2, 3, 4, 5] | batch(2, 'x') | list", "[1, 2, 3, 4, 5] | slice(3) | list", "'a.b' | replace('.', '!')", "'aaa' | replace('a', 'b', 2)", "' x ' | trim", "'xxhixx' | trim('x')", "'title case' | title",
        "[1, 2] | first", "[] | first", "[] | last", "'abc' | first", "'abc' | last", "'abc' | reverse", "'abc' | list", "range(3) | list", "[3, 1] | min", "[] | max", "'b' | default('a')", "none | default('a')", "none | default('a', boolean=true)",
        "'<a>' | escape", "('<a>' | safe) ~ 'x'", "1000000 | filesizeformat", "'a' | xmlattr", "{'a': 1} | xmlattr", "{'a': 1} | items | list", "'see https://x.org now' | urlize",
    ]:
        yield "{{ %s }}" % expression


def tests():
    values = ["1", "2", "0", "1.5", "'a'", "'A'", "''", "none", "nothing", "true", "false", "[]", "[1]", "{}", "{'a': 1}", "(1,)", "range(2)", "messages", "raise_exception"]
    names = ["boolean", "callable", "defined", "undefined", "escaped", "even", "odd", "false", "true", "float", "integer", "iterable", "lower", "upper", "mapping", "none", "number", "sequence", "string"]
    for name, value in itertools.product(names, values):
        yield "{{ %s is %s }}" % (value, name)
    for expression in ["4 is divisibleby 2", "4 is divisibleby(3)", "1 is eq 1", "1 is equalto 2", "1 is ne 2", "2 is gt 1", "2 is greaterthan 1", "1 is lt 2", "1 is lessthan 2", "1 is ge 1", "1 is le 0", "1 is in [1, 2]",
                       "'a' is in 'abc'", "1 is sameas 1", "none is sameas none", "true is sameas true", "1 is not odd", "x is not defined", "'trim' is filter", "'nope' is filter", "'odd' is test", "'nope' is test", "messages[0].name is defined", "messages[0]['name'] is none",
                       "tools is iterable", "tools is none", "tools is not none and tools | length > 0", "tools is iterable and tools | length > 0", "tools is defined and tools", "documents is defined", "enable_thinking is defined and enable_thinking is false", "messages[0].content is string", "messages is iterable and messages is not mapping"]:
        yield "{{ %s }}" % expression


def expressions():
    for expression in ["7 // 2", "-7 // 2", "7 % 3", "-7 % 3", "7 / 2", "6 / 2", "2 ** 10", "2 ** -1", "2 * 3 + 1", "1 + 2.0", "1.5 * 2", "10 // 3.0", "-3", "+3", "1 == 1.0", "1 < 2 < 3", "3 > 2 > 2", "not 0", "1 and 0 or 5", "'' or 'x'", "0 and nothing.x",
                       "true + 1", "1e3", "1_000", "0.1 + 0.2", "1e20", "1e-7", "123456789012345678901234567890", "'a' if false", "'a' if true else 'b'", "[1, 2] == [1, 2]", "{'a': 1} == {'a': 1}", "(1, 2) == (1, 2)", "none == false", "'1' == 1", "1 / 0", "1 % 0", "none + 1", "'a' + 1", "[1] + 'a'",
                       "loop", "nothing", "nothing.x", "messages[9]", "messages[9].x", "messages.x", "'a'.x", "none.x", "1.x", "true", "false", "none", "True", "False", "None", "'\\u00e9\\x41\\n\\\\'", "'a' 'b'", "\"it's\"", "'a' ~ 'b' * 2", "namespace(a=1).a"]:
        yield "{{ %s }}" % expression


def calls_and_statements():
    yield from [
        "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(a=4) }}{{ m(*[5, 6]) }}{{ m(**{'a': 7}) }}{{ m(*[8], **{'b': 9}) }}",
        "{% macro line(role, text) %}<{{ role }}>{{ text }}{% endmacro %}{% for m in messages %}{{ line(*[m.role, m.content]) }}{% endfor %}",
        "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}", "{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(1, k=3) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
        "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m() %}x{% endmacro %}{{ m.name }}{{ m.arguments }}", "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}{{ caller(3) }}{% endmacro %}{% call(n) m() %}{{ n }}{% endcall %}",
        "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in [1] %}{% set ns.x = 2 %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = 'q' %}{{ ns.a }}{{ ns.b is defined }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set x %}block {{ 1 }}{% endset %}{{ x }}", "{% set x | upper %}up{% endset %}{{ x }}",
        "{% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}", "{% for i in [1, 2, 3] %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}", "{% for i in [1, 2] %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in range(6) if i is odd %}{{ i }}{{ loop.index }}{% endfor %}",
        "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in [1, [2, [3]]] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{{ loop.depth }}{% endif %}{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}", "{% for c in 'abc' %}{{ c }},{% endfor %}", "{% for i in nothing %}x{% endfor %}|", "{% for i in none %}x{% endfor %}|", "{% for m in messages %}{{ loop.index0 }}{{ m.role }}{% if not loop.last %},{% endif %}{% endfor %}",
        "{% if messages %}a{% elif x %}b{% else %}c{% endif %}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "{% filter upper %}abc{% endfilter %}", "{% raw %}{{ x }}{% endraw %}", "{# comment #}x", "{% generation %}gen{% endgeneration %}", "{% do x %}", "{% autoescape true %}{{ '<' }}{% endautoescape %}", "{% block b %}inner{% endblock %}", "{{ cycler('a', 'b').next() }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "{% set j = joiner(', ') %}{% for i in range(3) %}{{ j() }}{{ i }}{% endfor %}", "{{ range(10, 0, -3) | list }}{{ range(2, 5) | list }}{{ range(0) | list }}",
        "{{ raise_exception('no') }}", "{{ lipsum is defined }}", "{{ strftime_now('%Y-%m-%d') }}", "{{ strftime_now('%d %b %Y') }}", "{{ self is defined }}", "{{ caller is defined }}", "{{ super is defined }}", "{{ undefined_function() }}", "{{ 'x' | nofilter }}", "{{ 1 is notest }}", "{{ (messages | list)[0].role }}", "{{ [m.role for m in messages] }}", "{{ messages | length - 1 }}", "{{ -1 | abs }}", "{{ 'a' if messages | length == 3 else 'b' }}", "{{ not messages }}", "{{ messages[0].role == 'system' and messages[0].content }}",
        "{%- set x = 1 -%}\n  {{- x -}}  \n y", "a\n{% if true %}\nb\n{% endif %}\nc\n", "  {% if true %}x{% endif %}\n  y", "{% if true -%}\n  x\n{%- endif %}", "{%+ if true %}x{% endif +%}\n", "a\r\nb\rc\nd", "{% if true %}\r\nx\r\n{% endif %}\r\n", "{{ 'a\\r\\nb' }}", "x\n", "x\n\n", "\n{{ 1 }}\n", "{% for m in messages %}\n{{ m.role }}\n{% endfor %}\n", "{{- '\\n' }}{{ 'x' -}}\n\n", "{% if true %}  \n x{% endif %}", "\t{%- if true %}x{% endif %}", "{{ 'tab\\there' }}",
    ]


GENERATORS = [strings, lists_and_dicts, filters, tests, expressions, calls_and_statements]


def render(env, source):
    try:
        return env.from_string(source).render(messages=MESSAGES, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>", enable_thinking=False, thinking=False)
    except Exception:
        return None


def main():
    env = environment()
    now = int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp())
    sources = list(dict.fromkeys(itertools.chain.from_iterable(generator() for generator in GENERATORS)))
    cases = [[source, render(env, source)] for source in sources]
    # Where Python prints an address, or its own types, there is nothing to compare with.
    cases = [case for case in cases if not re.search(r" at 0x|<class|dict_|<generator|<lambda|<bound|<function|Macro|&lt;func", case[1] or "")]
    made = {"made by": f"snippets.py with Jinja2 {jinja2.__version__}", "now_unix_secs": now, "messages": MESSAGES}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps(made, ensure_ascii=False)[:-1]
    pathlib.Path(__file__).with_name("snippets.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(len(cases), "snippets,", sum(want is None for _, want in cases), "of them errors")


main()
