/* The tokenizer against the reference's answers: the story model's on all awkward texts, and small tokenizers
 * that use one feature each. Then what no reference tells: errors, hostile files, failing memory. */
#include "tokenizer_check.h"

#include <stdlib.h>
#include <unistd.h>

#define DATA  TEST_DATA "/tokenizer/"
#define STORY SOURCE_DIR "/models/story"

static void story_equals_the_reference(void **state)
{
    (void)state;
    tokenizer *t = tokenizer_load(STORY "/tokenizer.json");
    assert_ok(t);
    assert_true(oracle_compare(t, DATA "story.jsonl") >= 300);
    tokenizer_free(t);
}

/* Reads a line of variants.jsonl and compares all its cases. */
static void one_variant(const char *line, size_t n)
{
    jr r, tok, cases, span;
    jr_text name;
    char label[128];
    jr_open(&r, "variants", line, n);
    assert_true(jr_find(&r, "name", &tok));
    assert_int_equal(jr_string(&tok, &name), 0);
    snprintf(label, sizeof label, "%.*s", (int)name.n, name.p);
    jr_close(&tok);
    assert_true(jr_find(&r, "tokenizer", &tok) && jr_find(&r, "cases", &cases));
    tokenizer *t = tokenizer_parse(label, tok.p, (size_t)(tok.end - tok.p));
    assert_ok(t);
    size_t wrong = 0;
    jr_array(&cases);
    while (jr_item(&cases)) {
        oracle_line o = {0};
        assert_int_equal(jr_span(&cases, &span), 0);
        oracle_read(span.p, (size_t)(span.end - span.p), &o);
        bool same = same_ids(t, &o, false);
        same &= same_ids(t, &o, true);
        same &= same_text(t, &o, false);
        same &= same_text(t, &o, true);
        wrong += !same;
        oracle_free(&o);
    }
    tokenizer_free(t);
    jr_close(&cases);
    jr_close(&r);
    if (wrong)
        fail_msg("%s: %zu texts differ", label, wrong);
}

/* All lines of a file of small tokenizers; how many there are. */
static size_t all_variants(const char *path)
{
    file_map m;
    size_t count = 0;
    assert_ok(file_map_open(&m, path) == 0);
    for (const char *p = m.data, *end = m.data + m.size, *nl; p < end; p = nl + 1, count++) {
        nl = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(nl);
        one_variant(p, (size_t)(nl - p));
    }
    file_map_close(&m);
    return count;
}

static void variants_equal_the_reference(void **state)
{
    (void)state;
    assert_true(all_variants(DATA "variants.jsonl") > 50);
}

static void models_equal_the_reference(void **state)
{
    (void)state;
    assert_true(all_variants(DATA "models.jsonl") > 30);
}

static void tokens_have_names(void **state)
{
    (void)state;
    size_t n;
    tokenizer *t = tokenizer_load(STORY);
    assert_ok(t);
    assert_int_equal(tokenizer_vocab_size(t), 8192);
    int end = tokenizer_token_id(t, "<|im_end|>", 10);
    assert_int_equal(end, 8191);
    assert_true(tokenizer_is_special(t, end));
    assert_int_equal(tokenizer_token_id(t, "no such token", 13), -1);
    int the = tokenizer_token_id(t, "\xC4\xA0the", 5);
    assert_true(the > 0 && !tokenizer_is_special(t, the));
    const char *text = tokenizer_token_text(t, the, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(text, " the", 4);
    assert_null(tokenizer_token_text(t, -1, &n));
    assert_null(tokenizer_token_text(t, 8192, NULL));
    assert_false(tokenizer_is_special(t, 1 << 30));
    assert_string_equal(tokenizer_named(t, "eos_token"), "<|im_end|>");
    assert_null(tokenizer_named(t, "bos_token"));
    assert_null(tokenizer_named(t, "no_token"));
    tokenizer_free(t);
    tokenizer_free(NULL);
}

static void invalid_utf8_is_refused(void **state)
{
    (void)state;
    int *ids;
    size_t n;
    tokenizer *t = tokenizer_load(STORY);
    assert_int_equal(tokenizer_encode(t, "ab\xC3(", 4, false, &ids, &n), -1);
    assert_error("byte 2 is 0xC3");
    assert_int_equal(tokenizer_encode(t, "\xED\xA0\x80", 3, false, &ids, &n), -1);
    assert_error("byte 0");
    assert_int_equal(tokenizer_encode(t, "a\xF0\x9F\x98", 4, false, &ids, &n), -1);
    assert_error("byte 1");
    tokenizer_free(t);
}

/* The ids of single bytes, for texts that no encoding gives. */
static void bytes_to_ids(const tokenizer *t, const char *p, size_t n, int *ids)
{
    for (size_t i = 0; i < n; i++) {
        ids[i] = -1;
        for (int id = 0; id < 300 && ids[i] < 0; id++) {
            size_t len;
            const char *text = tokenizer_token_text(t, id, &len);
            if (text && len == 1 && *text == p[i])
                ids[i] = id;
        }
        assert_true(ids[i] >= 0);
    }
}

static void streaming_holds_back_unfinished_characters(void **state)
{
    (void)state;
    static const char bytes[] = "a\xF0\x9F\x98\x80\xE4\xBD\xFF\xE4\xE4\xBD\xA0\xF0\x9F";
    static const char *const pieces[] = {"a", "",       "", "",   "😀", "", "", "\uFFFD\uFFFD",
                                         "",  "\uFFFD", "", "你", "",  ""};
    int ids[sizeof bytes - 1];
    const char *text;
    size_t n;
    tokenizer *t = tokenizer_load(STORY);
    bytes_to_ids(t, bytes, sizeof bytes - 1, ids);
    detok *d = detok_new(t, true);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof bytes - 1; i++) {
            assert_int_equal(detok_add(d, ids[i], &text, &n), 0);
            assert_string_equal(text, pieces[i]);
            assert_int_equal(n, strlen(text));
        }
        assert_int_equal(detok_finish(d, &text, &n), 0);
        assert_string_equal(text, "\uFFFD");
    }
    detok_free(d);
    detok_free(NULL);
    char *all = tokenizer_decode(t, ids, sizeof bytes - 1, false, NULL);
    assert_string_equal(all, "a😀\uFFFD\uFFFD\uFFFD你\uFFFD");
    mem_free(all);
    tokenizer_free(t);
}

/* Any ids at all: streaming gives what decoding gives, in whole characters. */
static void streaming_equals_decoding(void **state)
{
    (void)state;
    tokenizer *t = tokenizer_load(STORY);
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        int ids[60];
        const char *text;
        size_t n, len, at = 0;
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525u + 1013904223u;
            ids[i] = (int)(seed >> 8) % (round % 3 ? 300 : 8300) - 3;
        }
        detok *d = detok_new(t, round & 1);
        char *all = tokenizer_decode(t, ids, 60, round & 1, &n);
        for (int i = 0; i <= 60; i++) {
            assert_int_equal(i < 60 ? detok_add(d, ids[i], &text, &len) : detok_finish(d, &text, &len), 0);
            assert_int_equal(utf8_check(text, len), len);
            assert_true(at + len <= n);
            assert_memory_equal(all + at, text, len);
            at += len;
        }
        assert_int_equal(at, n);
        mem_free(all);
        detok_free(d);
    }
    tokenizer_free(t);
}

/* Long runs go through the heap, and repeats through the cache: pieces must agree with one another. */
static void long_texts_round_trip(void **state)
{
    (void)state;
    static const char *const units[] = {"a",  "ab",       " ", "\n", "=", "e\xCC\x81", "\xCC\x95\xCC\x80",
                                        "你", "The cat. "};
    tokenizer *t = tokenizer_load(STORY);
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        size_t unit = strlen(units[k]), n = unit * (200000 / unit), count, back_n;
        char *text = mem_alloc(n, 1);
        for (size_t i = 0; i < n; i++)
            text[i] = units[k][i % unit];
        int *ids;
        assert_ok(tokenizer_encode(t, text, n, true, &ids, &count) == 0);
        char *back = tokenizer_decode(t, ids, count, false, &back_n);
        assert_true(count > 0 && count <= n);
        if (!strchr(units[k], '\xCC')) { /* NFC changes the others */
            assert_int_equal(back_n, n);
            assert_memory_equal(back, text, n);
        }
        mem_free(back);
        mem_free(ids);
        mem_free(text);
    }
    tokenizer_free(t);
}

/* --- folders and their configuration --- */

#define TINY                                                                                               \
    "{\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true,\"normalized\":false}],\"model\":{" \
    "\"type\":"                                                                                            \
    "\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3},\"merges\":[\"a "                                \
    "b\"]},\"decoder\":{\"type\":\"Fuse\"}"

/* Writes a folder with a tokenizer and a configuration, encodes "abc" with special tokens: the ids as text.
 */
static const char *with_config(const char *tok, const char *config)
{
    static char shown[64];
    char dir[] = "/tmp/mica-tok-XXXXXX", file[64], conf[64];
    int *ids;
    size_t n, at = 0;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/tokenizer.json", dir);
    snprintf(conf, sizeof conf, "%s/tokenizer_config.json", dir);
    assert_int_equal(file_save(file, tok, strlen(tok)), 0);
    if (config)
        assert_int_equal(file_save(conf, config, strlen(config)), 0);
    tokenizer *t = tokenizer_load(dir);
    *shown = 0;
    if (t) {
        assert_int_equal(tokenizer_encode(t, "abc", 3, true, &ids, &n), 0);
        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(shown + at, sizeof shown - at, "%d ", ids[i]);
        mem_free(ids);
    }
    tokenizer_free(t);
    unlink(file);
    unlink(conf);
    rmdir(dir);
    return shown;
}

static void config_decides_what_is_added(void **state)
{
    (void)state;
    static const char tail[] =
        ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":"
        "\"A\"}},{\"SpecialToken\":{\"id\":\"x\"}}],\"special_tokens\":{\"x\":{\"ids\":[0]}}}}";
    static const char plain[] = TINY "}";
    char post[1024];
    snprintf(post, sizeof post, "%s%s", TINY, tail);
    assert_string_equal(with_config(plain, NULL), "2 3 ");
    assert_string_equal(with_config(post, NULL), "2 3 0 ");
    assert_string_equal(with_config(post, "{\"bos_token\":\"<s>\"}"), "2 3 0 ");
    assert_string_equal(with_config(post, "{\"bos_token\":\"<s>\",\"add_bos_token\":false}"), "2 3 ");
    assert_string_equal(with_config(post, "{\"bos_token\":\"<s>\",\"add_bos_token\":true}"), "4 2 3 ");
    assert_string_equal(with_config(plain, "{\"eos_token\":{\"content\":\"c\"},\"add_eos_token\":true}"),
                        "2 3 3 ");
    assert_string_equal(with_config(plain, "{\"add_bos_token\":true,\"bos_token\":null}"), "2 3 ");
    assert_string_equal(with_config(plain, "{\"add_bos_token\":true,\"bos_token\":\"zz\"}"), "");
    assert_error("not in the vocabulary");
    assert_string_equal(with_config(plain, "{\"add_bos_token\":3}"), "");
    assert_error("tokenizer_config.json:1:18: expected true or false");
    assert_null(tokenizer_load("/no/such/folder"));
    assert_error("/no/such/folder");
}

/* --- files that must be refused --- */

static void refused(const char *text, const char *why)
{
    size_t before = mem_live();
    tokenizer *t = tokenizer_parse("file", text, strlen(text));
    if (t)
        fail_msg("accepted: %s", text);
    assert_error(why);
    assert_int_equal(mem_live(), before);
}

#define MODEL(rest)  "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}," rest
#define WITH(key, v) MODEL("\"merges\":[\"a b\"]}") ",\"" key "\":" v "}"

static void broken_files_are_refused(void **state)
{
    (void)state;
    refused("", "the text ends where an object should be");
    refused("[]", "expected an object");
    refused("{}", "no \"model\"");
    refused("{\"model\":{}}", "no vocabulary");
    refused("{\"version\":\"2.0\"}", "version");
    refused("{\"model\":{\"type\":\"Trigram\"}}", "\"Trigram\" is not supported");
    refused("{\"model\":{\"vocab\":[[\"a\",0.5]]}}", "no merges");
    refused("{\"model\":{\"type\":\"BPE\",\"vocab\":[[\"a\",0.5]],\"merges\":[]}}",
            "with scores does not go");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":1}}}", "without scores does not go");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "a text and its score");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1,2]]}}", "a text and its score");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]]}}", "too large");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",NaN]]}}", "must be a number");
    refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1],[\"a\",2]]}}", "two ids");
    refused("{\"model\":{\"type\":\"Unigram\",\"unk_id\":5,\"vocab\":[[\"a\",1]]}}", "unk_id 5 is beyond");
    refused("{\"model\":{\"vocab\":{\"a\":-1}}}", "whole number from 0");
    refused("{\"model\":{\"vocab\":{\"a\":4294967295}}}", "whole number from 0");
    refused("{\"model\":{\"vocab\":{\"a\":0,\"b\":0}}}", "two tokens");
    refused("{\"model\":{\"vocab\":{\"a\":0,\"a\":1}}}", "two ids");
    refused("{\"model\":{\"vocab\":{\"a\":1.5}}}", "whole number");
    refused(MODEL("\"merges\":[\"a x\"]}") "}", "\"x\", which is not in the vocabulary");
    refused(MODEL("\"merges\":[\"b a\"]}") "}", "\"ba\"");
    refused(MODEL("\"merges\":[\"ab\"]}") "}", "one space");
    refused(MODEL("\"merges\":[\"a b c\"]}") "}", "one space");
    refused(MODEL("\"merges\":[\" b\"]}") "}", "empty part");
    refused(MODEL("\"merges\":[[\"a\"]]}") "}", "two tokens");
    refused(MODEL("\"merges\":[[\"a\",\"b\",\"c\"]]}") "}", "two tokens");
    refused(MODEL("\"dropout\":0.1,\"merges\":[]}") "}", "dropout");
    refused(MODEL("\"merges\":[],\"continuing_subword_prefix\":\"##\"}") "}", "before the merges");
    refused(MODEL("\"merges\":[\"a b\""), "',' or ']'");
    refused(WITH("normalizer", "{\"type\":\"Nmx\"}"), "the normalizer \"Nmx\" is not supported");
    refused(WITH("normalizer", "{\"type\":3}"), "expected a string");
    refused(WITH("normalizer", "{}"), "\"type\" is missing");
    refused(WITH("normalizer", "{\"type\":\"Sequence\"}"), "\"normalizers\" is missing");
    refused(WITH("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}"),
            "empty pattern");
    refused(WITH("pre_tokenizer", "{\"type\":\"UnicodeScripts\"}"), "\"UnicodeScripts\" is not supported");
    refused(WITH("normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}"), "is broken");
    refused(WITH("normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A*==\"}"), "is broken");
    refused(WITH("pre_tokenizer", "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}"), "one character");
    refused(
        WITH("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}"),
        "not closed");
    refused(WITH("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}"),
            "behavior");
    refused(WITH("pre_tokenizer",
                 "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{Nope}\"},\"behavior\":\"Isolated\"}"),
            "cannot be used");
    refused(WITH("decoder", "{\"type\":\"Odd\"}"), "the decoder \"Odd\" is not supported");
    refused(WITH("decoder", "{\"type\":\"WordPiece\"}"), "\"prefix\" is missing");
    refused(WITH("post_processor",
                 "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
                 "\"special_tokens\":{\"x\":{\"ids\":[99]}}}"),
            "99, which is no token");
    refused(WITH("post_processor",
                 "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}],"
                 "\"special_tokens\":{}}"),
            "second one");
    refused(WITH("added_tokens", "[{\"id\":3}]"), "\"content\"");
    refused(WITH("added_tokens", "[{\"id\":-3,\"content\":\"x\"}]"), "whole number");
    refused(WITH("added_tokens", "[{\"id\":3,\"content\":\"x\"},{\"id\":3,\"content\":\"x\"}]"),
            "two added tokens");
    refused(WITH("x", "["), "expected a value");
    refused(WITH("x", "1") "x", "follows the end");
}

/* Every prefix of a file is refused, and none crashes. */
static void truncated_files_are_refused(void **state)
{
    (void)state;
    static const char text[] =
        WITH("normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":"
                           "\"Replace\",\"pattern\":{\"Regex\":\"[a-z&&[^x]]\"},\"content\":\"\"}]}");
    for (size_t n = 0; n < sizeof text - 1; n++) {
        assert_null(tokenizer_parse("file", text, n));
        assert_true(error_pending());
        error_clear();
    }
    tokenizer *t = tokenizer_parse("file", text, sizeof text - 1);
    assert_ok(t);
    tokenizer_free(t);
}

static void patterns_give_up(void **state)
{
    (void)state;
    char text[200];
    int *ids;
    size_t n;
    memset(text, 'a', sizeof text);
    static const char file[] =
        WITH("pre_tokenizer",
             "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a|a|aa)*[bc]\"},\"behavior\":\"Isolated\"}");
    tokenizer *t = tokenizer_parse("file", file, sizeof file - 1);
    assert_ok(t);
    assert_int_equal(tokenizer_encode(t, text, sizeof text, false, &ids, &n), -1);
    assert_error("gave up");
    tokenizer_free(t);
}

/* Steps that double the text 20 times over: refused, and not tried. */
static void growing_texts_are_refused(void **state)
{
    (void)state;
    static const char step[] =
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaa\"},";
    strbuf s = {0};
    int *ids;
    size_t n;
    strbuf_adds(&s, MODEL("\"merges\":[]},\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["));
    for (int i = 0; i < 20; i++)
        strbuf_adds(&s, step);
    strbuf_adds(&s, "{\"type\":\"ByteLevel\"}]}}");
    tokenizer *t = tokenizer_parse("file", s.data, s.len);
    assert_ok(t);
    assert_int_equal(tokenizer_encode(t, "aa", 2, false, &ids, &n), -1);
    assert_error("grows beyond");
    tokenizer_free(t);
    strbuf_free(&s);
}

/* --- failing memory --- */

static int whole_round(const char *file, size_t size)
{
    static const char text[] =
        "Hello \xC3\xA9 e\xCC\x81 wor<ab> abcabc abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
    int *ids = NULL, status = -1;
    size_t n;
    const char *piece;
    tokenizer *t = tokenizer_parse("file", file, size);
    if (t && tokenizer_encode(t, text, sizeof text - 1, true, &ids, &n) == 0) {
        char *back = tokenizer_decode(t, ids, n, false, NULL);
        detok *d = detok_new(t, false);
        size_t len;
        status = back && d ? 0 : -1;
        for (size_t i = 0; i < n && !status; i++)
            status = detok_add(d, ids[i], &piece, &len);
        if (!status)
            status = detok_finish(d, &piece, &len);
        detok_free(d);
        mem_free(back);
        mem_free(ids);
    }
    tokenizer_free(t);
    return status;
}

/* Fails the first, second, third ... allocation of loading, encoding and decoding with a variant. */
static void survive_variant(const char *line, size_t n)
{
    jr r, tok;
    jr_open(&r, "variants", line, n);
    assert_true(jr_find(&r, "tokenizer", &tok));
    size_t before = mem_live();
    for (size_t k = 1;; k++) {
        mem_fail_at(k);
        int status = whole_round(tok.p, (size_t)(tok.end - tok.p));
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(mem_live(), before);
        if (!fired) {
            assert_ok(status == 0);
            break;
        }
        if (status != 0)
            assert_error("out of memory");
        else if (error_pending())
            fail_msg("%.40s: allocation %zu failed without failing the call: %s", line, k, error_text());
    }
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    static const char *const names[] = {"\"added tokens with NFD\"",
                                        "\"normalizers in order\"",
                                        "\"sentencepiece chain\"",
                                        "\"nested class",
                                        "\"post-processors",
                                        "\"Metaspace first, split true",
                                        "\"affixes\"",
                                        "negated intersection",
                                        "words and boundaries"};
    file_map m;
    assert_ok(file_map_open(&m, DATA "variants.jsonl") == 0);
    for (const char *p = m.data, *end = m.data + m.size, *nl; p < end; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(end - p));
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (memmem(p, 60, names[i], strlen(names[i])))
                survive_variant(p, (size_t)(nl - p));
    }
    file_map_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story_equals_the_reference),
        cmocka_unit_test(variants_equal_the_reference),
        cmocka_unit_test(models_equal_the_reference),
        cmocka_unit_test(tokens_have_names),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(streaming_holds_back_unfinished_characters),
        cmocka_unit_test(streaming_equals_decoding),
        cmocka_unit_test(long_texts_round_trip),
        cmocka_unit_test(config_decides_what_is_added),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(patterns_give_up),
        cmocka_unit_test(growing_texts_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return RUN_TESTS("text/tokenizer", tests, NULL);
}
