#include "test.h"

#include "base/json.h"

/* Passes over the text; 0 when it is valid JSON. */
static int check(const char *text, size_t n)
{
    jr r;
    jr_open(&r, "t", text, n);
    jr_skip(&r);
    return jr_finish(&r);
}

static void valid(const char *text)
{
    if (check(text, strlen(text)))
        fail_msg("%s: %s", text, error_text());
}

static void invalid(const char *text, const char *why)
{
    if (check(text, strlen(text)) == 0)
        fail_msg("accepted: %s", text);
    assert_error(why);
}

static void grammar(void **state)
{
    (void)state;
    valid("0");
    valid(" [ ] ");
    valid("{}");
    valid("[1,-0,0.5,1e9,-1.25E-3,true,false,null,\"\"]");
    valid("{\"a\":{\"b\":[{},[[]]]},\"\":\"\\u0000\"}");
    valid("\"\xC3\xA9 \xE4\xBD\xA0 \xF0\x9F\x98\x80 \\uD83D\\uDE00 \\\"\\\\\\/\\b\\f\\n\\r\\t\"");
    valid("\r\n\t [\n         1 ,\t2]\n");
    invalid("", "expected a value");
    invalid("[", "expected a value");
    invalid("[1", "',' or ']'");
    invalid("[1,]", "expected a value");
    invalid("[,1]", "expected a value");
    invalid("[1 2]", "',' or ']'");
    invalid("{\"a\"}", "':'");
    invalid("{\"a\":1,}", "a string");
    invalid("{a:1}", "a string");
    invalid("{\"a\":1]", "',' or '}'");
    invalid("01", "not a number");
    invalid("-", "not a number");
    invalid("1.", "not a number");
    invalid("1e", "not a number");
    invalid("+1", "expected a value");
    invalid("tru", "expected true");
    invalid("nul", "expected null");
    invalid("1 1", "follows the end");
    invalid("\"a", "not closed");
    invalid("\"a\nb\"", "control character");
    invalid("\"\\x\"", "unknown escape");
    invalid("\"\\u12G4\"", "hexadecimal");
    invalid("\"\\uD800\"", "surrogate");
    invalid("\"\\uDC00\\uD800\"", "surrogate");
    invalid("\"\\uD800\\u0041\"", "surrogate");
    invalid("\"\xC3(\"", "UTF-8");
    invalid("\"\xED\xA0\x80\"", "UTF-8");
    invalid("\"\xC0\x80\"", "UTF-8");
    invalid("[1,\n  x]", "t:2:3: ");
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[2 * JR_DEPTH + 2];
    memset(text, '[', JR_DEPTH);
    memset(text + JR_DEPTH, ']', JR_DEPTH);
    assert_int_equal(check(text, 2 * JR_DEPTH), 0);
    memset(text, '[', JR_DEPTH + 1);
    memset(text + JR_DEPTH + 1, ']', JR_DEPTH + 1);
    assert_int_equal(check(text, 2 * JR_DEPTH + 2), -1);
    assert_error("nested deeper");
}

static void values_are_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"s\":\"plain\",\"e\":\"a\\u0000b\\n\",\"i\":-9223372036854775808,\"b\":true,\"n\":null,"
        "\"list\":[1,2,3],\"skip\":[{\"x\":[]},\"\\\"\"],\"last\":9223372036854775807}";
    jr r;
    jr_text key, s;
    int64_t v, sum = 0;
    bool b = false, null = false;
    int seen = 0;
    jr_open(&r, "t", text, sizeof text - 1);
    assert_int_equal(jr_object(&r), 0);
    while (jr_key(&r, &key)) {
        seen++;
        if (jr_is(key, "s")) {
            assert_int_equal(jr_string(&r, &s), 0);
            assert_true(jr_is(s, "plain") && s.p > text && s.p < text + sizeof text); /* not copied */
        } else if (jr_is(key, "e")) {
            assert_int_equal(jr_string(&r, &s), 0);
            assert_int_equal(s.n, 4);
            assert_memory_equal(s.p, "a\0b\n", 4);
        } else if (jr_is(key, "i")) {
            assert_int_equal(jr_int(&r, INT64_MIN, 0, &v), 0);
            assert_true(v == INT64_MIN);
        } else if (jr_is(key, "b")) {
            assert_int_equal(jr_bool(&r, &b), 0);
        } else if (jr_is(key, "n")) {
            assert_false(null);
            null = jr_null(&r);
        } else if (jr_is(key, "list")) {
            jr_array(&r);
            while (jr_item(&r)) {
                jr_int(&r, 0, 9, &v);
                sum += v;
            }
        } else if (jr_is(key, "last")) {
            assert_int_equal(jr_int(&r, 0, INT64_MAX, &v), 0);
            assert_true(v == INT64_MAX);
        } else {
            jr_skip(&r);
        }
    }
    assert_int_equal(jr_finish(&r), 0);
    assert_true(b && null && sum == 6 && seen == 8);
}

static void wrong_types_are_errors(void **state)
{
    (void)state;
    jr r;
    jr_text s;
    int64_t v;
    bool b;
    jr_open(&r, "t", "3", 1);
    assert_false(jr_null(&r));
    assert_int_equal(jr_string(&r, &s), -1);
    assert_int_equal(jr_int(&r, 0, 9, &v), -1); /* sticky */
    assert_false(jr_item(&r));
    assert_int_equal(jr_peek(&r), JR_BAD);
    assert_int_equal(jr_finish(&r), -1);
    assert_error("t:1:1: expected a string");
    static const char *const numbers[] = {
        "10", "-1", "1.0", "1e0", "9223372036854775808", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        jr_open(&r, "t", numbers[i], strlen(numbers[i]));
        assert_int_equal(jr_int(&r, 0, 9, &v), -1);
        assert_error("from 0 to 9");
    }
    jr_open(&r, "t", "1", 1);
    assert_int_equal(jr_bool(&r, &b), -1);
    assert_error("true or false");
}

static void spans_and_finding(void **state)
{
    (void)state;
    static const char text[] = "[{\"a\":1,\"\\u0062\\n\":[2],\"a\":3},4]";
    jr r, item, found;
    int64_t v;
    jr_open(&r, "t", text, sizeof text - 1);
    jr_array(&r);
    assert_true(jr_item(&r));
    assert_int_equal(jr_span(&r, &item), 0);
    assert_true(jr_find(&item, "a", &found));
    assert_int_equal(jr_int(&found, 0, 9, &v), 0);
    assert_int_equal(v, 1);
    assert_int_equal(jr_finish(&found), 0);
    assert_true(jr_find(&item, "b\n", &found));
    assert_false(jr_find(&found, "x", &item));
    jr_array(&found);
    assert_true(jr_item(&found));
    assert_int_equal(jr_int(&found, 0, 1, &v), -1);
    assert_error("t:1:21:"); /* positions count from the start of the whole text */
    assert_false(jr_find(&item, "", &found));
    assert_true(jr_item(&r));
    assert_int_equal(jr_int(&r, 4, 4, &v), 0);
    assert_false(jr_item(&r));
    assert_int_equal(jr_finish(&r), 0);
}

static void failing_memory(void **state)
{
    (void)state;
    static const char text[] =
        "{\"\\n\":\"\\u0041 and more than fits in a few bytes, so that it grows \\u0042\"}";
    assert_int_equal(check(text, sizeof text - 1), 0);
    for (size_t k = 1;; k++) {
        jr r;
        jr_text s;
        mem_fail_at(k);
        jr_open(&r, "t", text, sizeof text - 1);
        jr_object(&r);
        while (jr_key(&r, &s))
            jr_string(&r, &s);
        int status = jr_finish(&r);
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(status, fired ? -1 : 0);
        if (!fired)
            break;
        assert_error("out of memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),           cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_are_read),   cmocka_unit_test(wrong_types_are_errors),
        cmocka_unit_test(spans_and_finding), cmocka_unit_test(failing_memory),
    };
    return RUN_TESTS("base/json", tests, NULL);
}
