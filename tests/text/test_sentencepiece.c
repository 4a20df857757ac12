/* SentencePiece models, made by its own trainer, against the ids that its own encoder gives; and broken ones.
 */
#include "tokenizer_check.h"

#define DATA TEST_DATA "/tokenizer/"

/* One line ["model", text, ids]: without what is added at the ends. */
static bool line_is_equal(tokenizer *const t[2], const char *p, size_t n)
{
    jr r;
    jr_text s = {0};
    oracle_line o = {0};
    jr_open(&r, "line", p, n);
    jr_array(&r);
    assert_true(jr_item(&r) && jr_string(&r, &s) == 0);
    bool bpe = jr_is(s, "bpe");
    assert_true(jr_item(&r));
    oracle_text(&r, &o.text, &o.text_n);
    assert_true(jr_item(&r));
    oracle_ids(&r, &o.plain, &o.n_plain);
    assert_false(jr_item(&r));
    assert_int_equal(jr_finish(&r), 0);
    bool same = same_ids(t[bpe], &o, false);
    oracle_free(&o);
    return same;
}

static void ids_equal_sentencepiece(void **state)
{
    (void)state;
    file_map m;
    size_t count = 0, wrong = 0;
    tokenizer *t[2] = {tokenizer_load(DATA "uni.model"), tokenizer_load(DATA "bpe.model")};
    assert_ok(t[0] && t[1]);
    assert_ok(file_map_open(&m, DATA "sentencepiece.jsonl") == 0);
    for (const char *p = m.data, *end = m.data + m.size, *nl; p < end; p = nl + 1, count++) {
        nl = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(nl);
        wrong += !line_is_equal(t, p, (size_t)(nl - p));
    }
    assert_int_equal(wrong, 0);
    assert_true(count > 250);
    file_map_close(&m);
    tokenizer_free(t[0]);
    tokenizer_free(t[1]);
}

static void texts_come_back(void **state)
{
    (void)state;
    static const char text[] = "Hello  world \xE4\xBD\xA0 \xF0\x9F\x98\x80";
    int *ids;
    size_t n;
    tokenizer *t = tokenizer_load(DATA "bpe.model");
    assert_ok(t);
    assert_ok(tokenizer_encode(t, text, sizeof text - 1, true, &ids, &n) == 0);
    assert_int_equal(ids[0], 1); /* begin of text */
    char *back = tokenizer_decode(t, ids, n, true, NULL);
    assert_string_equal(back, text);
    mem_free(back);
    mem_free(ids);
    tokenizer_free(t);
}

static void refused(const char *data, size_t n, const char *why)
{
    size_t before = mem_live();
    assert_null(tokenizer_parse_model("m", data, n));
    assert_error(why);
    assert_int_equal(mem_live(), before);
}
#define REFUSED(data, why) refused(data, sizeof(data) - 1, why)

static void broken_models_are_refused(void **state)
{
    (void)state;
    file_map m;
    REFUSED("", "after 0 pieces");
    REFUSED("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", "breaks off");
    REFUSED("\x0A\x00", "0 bytes");
    REFUSED("\x0A\x08\x0A\x01"
            "a\x15\x00\x00\xC0\x7F",
            "no finite number");
    REFUSED("\x0A\x05\x0A\x01"
            "a\x18\x09",
            "unknown kind");
    REFUSED("\x0A\x03\x0A\x01"
            "a\x12\x02\x18\x04",
            "kind 4 is not supported");
    REFUSED("\x0A\x03\x0A\x01"
            "a\x0A\x03\x0A\x01"
            "a",
            "two ids");
    assert_ok(file_map_open(&m, DATA "bpe.model") == 0);
    for (size_t n = 0; n < m.size; n += 97) { /* every cut: loads or says why, and never more than that */
        tokenizer *t = tokenizer_parse_model("m", m.data, n);
        assert_true(t || error_pending());
        error_clear();
        tokenizer_free(t);
    }
    file_map_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_equal_sentencepiece),
                                       cmocka_unit_test(texts_come_back),
                                       cmocka_unit_test(broken_models_are_refused)};
    return RUN_TESTS("text/sentencepiece", tests, NULL);
}
