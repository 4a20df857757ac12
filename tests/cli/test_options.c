/* The option parser: every kind of value, limits, refusals, near misses; what a command sees is what was
 * written. The parser is part of the command, not of the library, so its source is included. */
#include "cli/options.c"

#include "cli/progress.c"

#include "test.h"

typedef struct values {
    bool flag, verbose;
    int count, level;
    float temp;
    const char *text;
    option_list list;
    option_seed seed;
} values;

#define AT(field) offsetof(values, field)
static const option rows[] = {
    {"--flag", NULL, OPTION_SWITCH, AT(flag), NULL, NULL, NULL, 0, 0, "a switch"},
    {"--verbose", NULL, OPTION_BOOL, AT(verbose), "BOOL", "true", NULL, 0, 0, "a truth"},
    {"--max-tokens", "-m", OPTION_INT, AT(count), "N", "100", NULL, -1, 1000, "a number"},
    {"--precision", NULL, OPTION_CHOICE, AT(level), NULL, "auto", "auto|exact|int8", 0, 0, "a word"},
    {"--temp", NULL, OPTION_REAL, AT(temp), "X", "0.5", NULL, 0, INFINITY, "a real number"},
    {"--prompt", "-p", OPTION_TEXT, AT(text), "TEXT", NULL, NULL, 0, 0, "a text"},
    {"--extra", NULL, OPTION_LIST, AT(list), "TOKEN", NULL, NULL, 0, 0, "a list"},
    {"--seed", NULL, OPTION_SEED, AT(seed), "N", NULL, NULL, 0, 0, "a seed"},
    {"--quantize", "-q", OPTION_SWITCH, AT(flag), NULL, NULL, NULL, 0, 0, "another switch"},
    {"--act", "-qa", OPTION_REFUSED, 0, NULL, NULL, "not yet", 0, 0, NULL},
};

/* Parses the arguments, at most 16, NULL at the end. */
static option_result parse(values *v, ...)
{
    static char *argv[17]; /* lists point into it */
    int argc = 0;
    va_list args;
    va_start(args, v);
    while (argc < 16 && (argv[argc] = va_arg(args, char *)))
        argc++;
    va_end(args);
    *v = (values){0};
    const option_group group = OPTION_GROUP("Options", rows, v);
    const option_spec spec = {"test", "tests", "", &group, 1};
    return options_parse(&spec, argc, argv);
}

static void refuses(const char *text, option_result r)
{
    assert_int_equal(r, OPTIONS_ERROR);
    assert_error(text);
}

static void test_defaults(void **state)
{
    (void)state;
    values v;
    assert_int_equal(parse(&v, NULL), OPTIONS_RUN);
    assert_true(!v.flag && v.verbose && v.count == 100 && v.level == 0 && v.temp == 0.5f);
    assert_true(!v.text && v.list.n == 0 && !v.seed.given);
}

static void test_values(void **state)
{
    (void)state;
    values v;
    assert_int_equal(parse(&v, "--flag", "--verbose", "FALSE", "-m", "-1", "--precision", "int8", "--temp",
                           "1e-3", "--prompt", "-", "--seed", "18446744073709551615", NULL),
                     OPTIONS_RUN);
    assert_true(v.flag && !v.verbose && v.count == -1 && v.level == 2 && v.temp == 1e-3f);
    assert_string_equal(v.text, "-");
    assert_true(v.seed.given && v.seed.value == UINT64_MAX);
    assert_int_equal(parse(&v, "--max-tokens=7", "--prompt=--flag", "--temp=0", NULL), OPTIONS_RUN);
    assert_true(v.count == 7 && v.temp == 0 && !v.flag);
    assert_string_equal(v.text, "--flag");
    assert_int_equal(parse(&v, "-m12", "-phello", NULL), OPTIONS_RUN);
    assert_int_equal(v.count, 12);
    assert_string_equal(v.text, "hello");
    assert_int_equal(parse(&v, "--prompt", "- a list\n- of two", NULL), OPTIONS_RUN);
    assert_string_equal(v.text, "- a list\n- of two");
    assert_int_equal(parse(&v, "--prompt", "", NULL), OPTIONS_RUN);
    assert_string_equal(v.text, "");
}

static void test_lists(void **state)
{
    (void)state;
    values v;
    assert_int_equal(parse(&v, "--extra", "a", "-5", "b", "--flag", NULL), OPTIONS_RUN);
    assert_int_equal(v.list.n, 3);
    assert_string_equal(v.list.items[1], "-5");
    assert_true(v.flag);
    assert_int_equal(parse(&v, "--extra=<|end|>", "-m", "3", NULL), OPTIONS_RUN);
    assert_int_equal(v.list.n, 1);
    assert_string_equal(v.list.items[0], "<|end|>");
    assert_int_equal(v.count, 3);
    refuses("--extra needs at least one value", parse(&v, "--extra", "--flag", NULL));
}

static void test_bad_values(void **state)
{
    (void)state;
    values v;
    refuses("--max-tokens: \"x\" is not a whole number", parse(&v, "-m", "x", NULL));
    refuses("--max-tokens: \"\" is not", parse(&v, "--max-tokens=", NULL));
    refuses("--max-tokens: \" 5\" is not", parse(&v, "-m", " 5", NULL));
    refuses("--max-tokens: \"5.5\" is not", parse(&v, "-m", "5.5", NULL));
    refuses("fits 32 bits", parse(&v, "-m", "99999999999999999999", NULL));
    refuses("not between -1 and 1000", parse(&v, "-m", "1001", NULL));
    refuses("not between -1 and 1000", parse(&v, "-m", "-2", NULL));
    refuses("--temp: -0.5 is too small: give at least 0", parse(&v, "--temp", "-0.5", NULL));
    refuses("finite", parse(&v, "--temp", "nan", NULL));
    refuses("finite", parse(&v, "--temp", "1e999", NULL));
    refuses("not a number", parse(&v, "--temp", "0.5x", NULL));
    refuses("true or false", parse(&v, "--verbose", "maybe", NULL));
    refuses("not one of auto|exact|int8", parse(&v, "--precision", "int", NULL));
    refuses("not one of", parse(&v, "--precision", "", NULL));
    refuses("2^64-1", parse(&v, "--seed", "-1", NULL));
    refuses("2^64-1", parse(&v, "--seed", "18446744073709551616", NULL));
    refuses("--flag takes no value", parse(&v, "--flag=1", NULL));
    refuses("--prompt needs a value", parse(&v, "--prompt", NULL));
    refuses("--prompt needs a value", parse(&v, "--prompt", "--max-tokens", "3", NULL));
    refuses("--prompt needs a value", parse(&v, "--prompt", "-m", "3", NULL));
}

static void test_names(void **state)
{
    (void)state;
    values v;
    refuses("unknown option --max-tokns: did you mean --max-tokens?", parse(&v, "--max-tokns", "3", NULL));
    refuses("unknown option --promt: did you mean --prompt?", parse(&v, "--promt=x", NULL));
    refuses("unknown option --completely-else (see: test --help)", parse(&v, "--completely-else", NULL));
    refuses("unknown option -z", parse(&v, "-z", NULL));
    refuses("unknown option --max-tokens-x", parse(&v, "--max-tokens-x", "3", NULL));
    refuses("unexpected argument \"stray\"", parse(&v, "--flag", "stray", NULL));
    refuses("--act is not supported: not yet", parse(&v, "--act", NULL));
    refuses("--act is not supported: not yet", parse(&v, "--act=8", NULL));
    refuses("--act is not supported: not yet", parse(&v, "-qa", NULL)); /* not -q with a value */
    assert_int_equal(parse(&v, "-q", NULL), OPTIONS_RUN);
    assert_true(v.flag);
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(options_distance("", ""), 0);
    assert_int_equal(options_distance("abc", ""), 3);
    assert_int_equal(options_distance("chat", "caht"), 1);
    assert_int_equal(options_distance("kitten", "sitting"), 3);
    assert_int_equal(options_distance("generate", "genrate"), 1);
    assert_true(options_near("chta", "chat"));
    assert_false(options_near("serve", "chat"));
}

static void test_progress(void **state)
{
    (void)state;
    progress p = {.label = "Writing", .unit = PROGRESS_COUNT};
    char line[256];
    progress_format(&p, 50, 100, 10, 200, line, sizeof line);
    assert_string_equal(line, "Writing [============>           ]  50% 50/100, 10 s left");
    progress_format(&p, 200, 100, 10, 200, line, sizeof line); /* more than all: still a whole bar */
    assert_string_equal(line, "Writing [========================] 100% 200/100");
    progress_format(&p, 50, 100, 10, 20, line, sizeof line);
    assert_string_equal(line, "Writing  50%");
    progress_format(&p, 7, 0, 10, 80, line, sizeof line);
    assert_string_equal(line, "Writing 7");
    p.unit = PROGRESS_BYTES;
    progress_format(&p, 500000000, 2000000000, 10, 200, line, sizeof line);
    assert_string_equal(line, "Writing [======>                 ]  25% 0.50/2.00 GB, 30 s left");
    for (int width = 0; width < 60; width++) {
        progress_format(&p, 500000000, 2000000000, 10, width, line, sizeof line);
        assert_true((int)strlen(line) <= width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_values), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_names),  cmocka_unit_test(test_distance),
        cmocka_unit_test(test_progress),
    };
    return RUN_TESTS("cli/options", tests, NULL);
}
