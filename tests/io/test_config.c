/* Typed reading of config.json: defaults, ranges, and one error that names file and key. */
#include "test.h"

#include "io/config.h"

static cfg_file file;

static int open_text(const char *text) { return cfg_parse(&file, "dir/config.json", text, strlen(text)); }

static void reads_values_and_defaults(void **state)
{
    (void)state;
    assert_ok(
        open_text(
            "{\"a\": 3, \"b\": 4.0, \"c\": null, \"d\": 1.5, \"e\": true, \"f\": \"x\", \"g\": [1, 2, 3],"
            "\"h\": {\"a\": 9}, \"i\": [\"p\", 7]}") == 0);
    cfg c = cfg_root(&file), h = cfg_object(&c, "h", "h."), none = cfg_object(&c, "none", "none.");
    int ids[2];
    assert_int_equal(cfg_size(&c, "a", 1), 3);
    assert_int_equal(cfg_size(&c, "b", 1), 4);
    assert_int_equal(cfg_count(&c, "c", 5), 5);
    assert_true(cfg_float(&c, "d", 0) == 1.5f && cfg_float(&c, "none", 2) == 2);
    assert_true(cfg_bool(&c, "e", false) && cfg_bool(&c, "none", true));
    assert_string_equal(cfg_string(&c, "f", ""), "x");
    assert_int_equal(cfg_ids(&c, "g", ids, 2), 3);
    assert_int_equal(ids[1], 2);
    assert_int_equal(cfg_ids(&c, "a", ids, 2), 1);
    assert_int_equal(cfg_size(&h, "a", 1), 9);
    assert_int_equal(cfg_size(&none, "a", 7), 7);
    assert_string_equal(cfg_item(&c, "i", 0), "p");
    assert_null(cfg_item(&c, "i", 1));
    assert_true(cfg_has(&c, "a") && !cfg_has(&c, "c"));
    assert_true(cfg_ok(&c));
    cfg_close(&file);
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    static const char *const sizes[] = {"0", "-1", "1.5", "1e30", "\"1\"", "true", "[1]", "16777217"};
    char text[100];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text, "{\"h\": {\"n\": %s}}", sizes[i]);
        assert_ok(open_text(text) == 0);
        cfg c = cfg_root(&file), h = cfg_object(&c, "h", "h.");
        cfg_size(&h, "n", CFG_REQUIRED);
        assert_false(cfg_ok(&c));
        cfg_close(&file);
        assert_error("dir/config.json: \"h.n\" must be a whole number");
    }
    assert_ok(open_text("{}") == 0);
    cfg c = cfg_root(&file);
    cfg_size(&c, "n", CFG_REQUIRED);
    assert_false(cfg_ok(&c));
    cfg_close(&file);
    assert_error("\"n\" is missing");
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "[]", "{", "{\"a\": 1, \"a\": 2}", "{\"a\": 01}", "{\"a\": NaN}", "\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(open_text(texts[i]), -1);
        assert_error("dir/config.json: ");
    }
}

/* Python writes such numbers; a key that nobody reads must not keep a model from loading. */
static void numbers_beyond_64_bits(void **state)
{
    (void)state;
    assert_ok(open_text("{\"model_max_length\": 1000000000000000019884624838656, \"n\": 28}") == 0);
    cfg c = cfg_root(&file);
    assert_true(file.wide);
    assert_int_equal(cfg_size(&c, "n", CFG_REQUIRED), 28);
    assert_true(cfg_ok(&c));
    cfg_count(&c, "model_max_length", 0);
    assert_false(cfg_ok(&c));
    assert_error("must be a whole number from 0 to");
    cfg_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_and_defaults),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(numbers_beyond_64_bits),
    };
    return RUN_TESTS("config", tests, NULL);
}
