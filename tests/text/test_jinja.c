/* The template engine against Python's jinja2: expected texts in tests/data/jinja were made by
 * jinja_reference.py. */
#include "test.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "text/jinja.h"

static const jinja_options options = {.now_iso = "2024-07-26T15:04:05"};

static json_t *load(const char *name)
{
    json_error_t e;
    strbuf path = {0};
    strbuf_addf(&path, "%s/jinja/%s", TEST_DATA, name);
    json_t *j = json_load_file(strbuf_text(&path), JSON_ALLOW_NUL, &e);
    if (!j)
        fail_msg("%s: line %d: %s", strbuf_text(&path), e.line, e.text);
    strbuf_free(&path);
    return j;
}

static char *render(const char *text, size_t n, const json_t *vars, const jinja_options *o, size_t *len)
{
    jinja *t = jinja_compile(text, n);
    char *out = t ? jinja_render(t, vars, o, len) : NULL;
    jinja_free(t);
    return out;
}

/* The rendered text equals `want`, or fails with one error if `want` is null. */
static int matches(const char *text, size_t n, const json_t *vars, const json_t *want)
{
    size_t len = 0;
    char *out = render(text, n, vars, &options, &len);
    int same = json_is_null(want)
                   ? !out && error_pending()
                   : out && len == json_string_length(want) && memcmp(out, json_string_value(want), len) == 0;
    if (!same)
        print_error("template: %s\nexpected: %s\nrendered: %s\n", text,
                    json_is_null(want) ? "(an error)" : json_string_value(want), out ? out : error_text());
    error_clear();
    mem_free(out);
    return same;
}

static void snippets_render_as_in_python(void **state)
{
    (void)state;
    json_t *data = load("snippets.json"), *vars = json_object_get(data, "context"), *c;
    size_t i, bad = 0;
    json_array_foreach(json_object_get(data, "cases"), i, c)
    {
        const json_t *t = json_array_get(c, 0);
        bad += !matches(json_string_value(t), json_string_length(t), vars, json_array_get(c, 1));
    }
    assert_int_equal(bad, 0);
    assert_true(i > 1000);
    json_decref(data);
}

static void conversations_render_as_in_python(void **state)
{
    (void)state;
    json_t *data = load("conversations.json"), *c;
    size_t i, n, bad = 0;
    json_array_foreach(data, i, c)
    {
        strbuf path = {0};
        char *text;
        strbuf_addf(&path, "%s/jinja/%s", TEST_DATA, json_string_value(json_object_get(c, "template")));
        assert_int_equal(file_read(strbuf_text(&path), 1 << 20, &text, &n), 0);
        bad += !matches(text, n, json_object_get(c, "context"), json_object_get(c, "output"));
        mem_free(text);
        strbuf_free(&path);
    }
    assert_int_equal(bad, 0);
    json_decref(data);
}

/* --- errors --- */

static void expect_error(const char *text, const char *message)
{
    char *out = render(text, strlen(text), NULL, &options, NULL);
    if (out)
        fail_msg("%s: rendered \"%.100s\"", text, out);
    assert_error(message);
}

static void errors_name_the_line(void **state)
{
    (void)state;
    expect_error("a\n{{ 1 +\n }}", "line 3");
    expect_error("a\nb\n{% if x %}", "\"endif\" is missing");
    expect_error("\n\n{{ x.y.z }}", "line 3: 'x' is undefined");
    expect_error("{% macro m() %}\n\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}", "line 3: division by zero");
    expect_error("{% set a = 1 %}\n\n{{ a\n | nosuch }}", "line 4: there is no filter named \"nosuch\"");
    expect_error("{{ raise_exception('Only user and assistant') }}", "line 1: Only user and assistant");
    expect_error("{{ messages.append(1) }}{# #}", "'messages' is undefined");
    expect_error("{{ [].append(1) }}", "unsafe");
    expect_error("{% include 'x' %}", "\"include\" is not supported");
    expect_error("\xff", "UTF-8");
    expect_error("{{ 9223372036854775807 + 1 }}", "64 bits");
    expect_error("{{ '\\ud83d' }}", "U+D83D");
    expect_error("{{ [1, 2] | random }}", "not supported");
    json_t *list = json_array();
    jinja *t = jinja_compile("x", 1);
    assert_null(jinja_render(t, list, NULL, NULL));
    assert_error("JSON object");
    jinja_free(t);
    json_decref(list);
}

static void clock_can_be_pinned(void **state)
{
    (void)state;
    static const char text[] = "{{ strftime_now('%d %b %Y %H:%M:%S.%f %A %j') }}";
    static const char *const clocks[][2] = {
        {"2024-07-26", "26 Jul 2024 00:00:00.000000 Friday 208"},
        {"2024-02-29T23:59:58", "29 Feb 2024 23:59:58.000000 Thursday 060"},
        {"2025-12-31 01:02:03.25", "31 Dec 2025 01:02:03.250000 Wednesday 365"},
    };
    for (int i = 0; i < 3; i++) {
        char *out = render(text, strlen(text), NULL, &(jinja_options){.now_iso = clocks[i][0]}, NULL);
        assert_ok(out);
        assert_string_equal(out, clocks[i][1]);
        mem_free(out);
    }
    assert_null(render(text, strlen(text), NULL, &(jinja_options){.now_iso = "yesterday"}, NULL));
    assert_error("no date");
    char *out = render(text, strlen(text), NULL, NULL, NULL);
    assert_ok(out);
    mem_free(out);
}

/* --- hostile templates: one error, soon --- */

/* `open` n times, `middle`, `close` n times. */
static void expect_nested_error(const char *open, const char *middle, const char *close, int n,
                                const char *message)
{
    strbuf b = {0};
    for (int i = 0; i < n; i++)
        strbuf_adds(&b, open);
    strbuf_adds(&b, middle);
    for (int i = 0; i < n; i++)
        strbuf_adds(&b, close);
    expect_error(strbuf_text(&b), message);
    strbuf_free(&b);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    expect_nested_error("{% if 1 %}", "x", "{% endif %}", 20000, "deeply");
    expect_nested_error("{% for x in [1] %}", "x", "{% endfor %}", 20000, "deeply");
    expect_error("{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}", "deeply");
    expect_error("{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "deeply");
    expect_error("{% set n = namespace() %}{% set n.n = n %}{{ n }}", "deeply");
    expect_error(
        "{% set n = namespace(s=[]) %}{% for i in range(5000) %}{% set n.s = [n.s] %}{% endfor %}{{ n.s }}",
        "deeply");
    expect_error("{% set n = namespace(s=[1]) %}{% for i in range(5000) %}{% set n.s = n.s | map('string') %}"
                 "{% endfor %}{{ n.s | list }}",
                 "deeply");
}

static void deep_expressions_are_refused(void **state)
{
    (void)state;
    static const char *const parts[][3] = {
        {"(", "1", ")"}, {"[", "", "]"},  {"{1:", "1", "}"},  {"not ", "1", ""},
        {"-", "1", ""},  {"", "1", "+1"}, {"", "1", "|list"}, {"1 if 1 else ", "1", ""},
        {"", "a", ".b"}, {"f(", "", ")"}, {"a[", "0", "]"}};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        strbuf open = {0}, close = {0};
        strbuf_adds(&open, "{{ ");
        for (int i = 0; i < 20000; i++) {
            strbuf_adds(&open, parts[k][0]);
            strbuf_adds(&close, parts[k][2]);
        }
        strbuf_adds(&open, parts[k][1]);
        strbuf_adds(&close, " }}");
        strbuf_adds(&open, strbuf_text(&close));
        expect_error(strbuf_text(&open), "deeply");
        strbuf_free(&open);
        strbuf_free(&close);
    }
}

static void too_much_work_is_refused(void **state)
{
    (void)state;
#define MANY_TIMES(body) \
    "{% set s = 'a' * 4000000 %}{% set t = 'a' * 4000000 %}{% for i in range(100000) %}" body "{% endfor %}"
    static const char *const texts[] = {
        "{{ 'a' * 1000000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ range(100001) }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s }}{% endfor %}",
        "{% set n = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% "
        "endfor %}",
        "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s "
        "}}",
        "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(99) %}{% set n.s = [n.s, n.s] %}"
        "{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.s == n.t }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a'.ljust(9223372036854775807) }}",
        "{{ '\\t'.expandtabs(9223372036854775807) }}",
        "{{ 'a' | center(9223372036854775807) }}",
        "{{ 'a\nb' | indent(9223372036854775807) }}",
        "{{ [1] | batch(9223372036854775807, 0) | list }}",
        "{{ [1] | slice(9223372036854775807) | list }}",
        "{{ ('a' * 1000000).replace('', 'aaaaaaaaaaaaaaaa').replace('', 'b' * 1000) }}",
        "{{ 3 ** 9223372036854775807 }}",
        /* few steps of the template, each over much text or many shared tuples */
        MANY_TIMES("{% if 'x' in s %}{% endif %}"),
        MANY_TIMES("{% if s == t %}{% endif %}"),
        MANY_TIMES("{% if s < t %}{% endif %}"),
        MANY_TIMES("{% if s is lower %}{% endif %}"),
        MANY_TIMES("{% if s.isalpha() %}{% endif %}"),
        MANY_TIMES("{% if s.rpartition('x') %}{% endif %}"),
        MANY_TIMES("{% if s.partition('x') %}{% endif %}"),
        MANY_TIMES("{% if t.startswith(s) %}{% endif %}"),
        MANY_TIMES("{% if {s: 1} %}{% endif %}"),
        MANY_TIMES("{% if ('0' * 4000000) | int %}{% endif %}"),
        "{% set n = namespace(t=()) %}{% for i in range(99) %}{% set n.t = (n.t, n.t) %}{% endfor %}{{ {n.t: "
        "1} "
        "}}",
        "{% set n = namespace(t=()) %}{% for i in range(9999) %}{% set n.t = (n.t,) %}{% endfor %}{{ {n.t: "
        "1} "
        "}}",
    };
#undef MANY_TIMES
    jinja_options small = {.max_memory = 32 << 20, .max_output = 8 << 20, .max_steps = 2000000};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *out = render(texts[i], strlen(texts[i]), NULL, &small, NULL);
        if (out || !error_pending())
            fail_msg("%s: was not refused", texts[i]);
        error_clear();
    }
}

/* Ranges and slices at the ends of 64 bits; the sanitizers watch. */
static void numbers_at_the_edge(void **state)
{
    (void)state;
    static const char text[] =
        "{{ range(-9000000000000000000, 9000000000000000000, 6000000000000000000) | list }}"
        "{{ 3000000000000000000 in range(-9000000000000000000, 9000000000000000000, 6000000000000000000) }}"
        "{{ 3000000000000000001 in range(-9000000000000000000, 9000000000000000000, 6000000000000000000) }}"
        "{{ range(5, -5, -3)[1:] | list }}{{ -1 in range(5, -5, -3) }}{{ 0 in range(5, -5, -3) }}"
        "{{ range(0, 9223372036854775807, 9223372036854775806)[0:9] | list }}"
        "{{ 'abcdef'[5:2:-9223372036854775807] }}{{ [1, 2, 3][::9223372036854775807] }}{{ [1, 2, 3][::-2] }}";
    char *out = render(text, strlen(text), NULL, &(jinja_options){0}, NULL);
    assert_ok(out);
    assert_string_equal(out, "[-9000000000000000000, -3000000000000000000, 3000000000000000000]TrueFalse"
                             "[2, -1, -4]TrueFalse[0, 9223372036854775806]f[1][3, 1]");
    mem_free(out);
}

/* Text that is built up piece by piece costs memory in proportion to its length, not to its square. */
static void building_text_is_linear(void **state)
{
    (void)state;
    static const char text[] =
        "{% set n = namespace(s='') %}{% for i in range(60000) %}"
        "{% set n.s = n.s + 'some more text, ' + 'and more' %}{% endfor %}{{ n.s | length }}";
    char *out = render(text, strlen(text), NULL, &(jinja_options){.max_memory = 64 << 20}, NULL);
    assert_ok(out);
    assert_string_equal(out, "1440000");
    mem_free(out);
}

/* --- memory --- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    json_t *data = load("conversations.json"), *vars = json_object_get(json_array_get(data, 20), "context");
    char *text;
    size_t n, k = 1;
    assert_int_equal(file_read(TEST_DATA "/jinja/chatml_tools.jinja", 1 << 20, &text, &n), 0);
    for (;; k++) {
        mem_fail_at(k);
        char *out = render(text, n, vars, &options, NULL);
        int fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(!out, fired);
        mem_free(out);
        if (!fired)
            break;
        assert_error("memory");
    }
    assert_true(k > 5);
    mem_free(text);
    json_decref(data);
}

static void arena_keeps_its_limit(void **state)
{
    (void)state;
    arena a = {.limit = 100000};
    size_t total = 0;
    for (size_t n = 0; arena_alloc(&a, n); n += 7)
        total += n;
    assert_error("out of memory");
    assert_true(total <= 100000 && total > 80000);
    arena_free(&a);
    assert_non_null(arena_alloc(&a, 50000));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_error("out of memory");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snippets_render_as_in_python), cmocka_unit_test(conversations_render_as_in_python),
        cmocka_unit_test(errors_name_the_line),         cmocka_unit_test(clock_can_be_pinned),
        cmocka_unit_test(deep_nesting_is_refused),      cmocka_unit_test(deep_expressions_are_refused),
        cmocka_unit_test(too_much_work_is_refused),     cmocka_unit_test(building_text_is_linear),
        cmocka_unit_test(numbers_at_the_edge),          cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(arena_keeps_its_limit),
    };
    return RUN_TESTS("jinja", tests, NULL);
}
