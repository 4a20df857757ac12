#include "test.h"

#include "base/file.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void errors_keep_the_first(void **state)
{
    (void)state;
    assert_int_equal(error_set("first\n%d", 1), -1);
    error_set("second");
    assert_string_equal(error_text(), "first 1");
    error_clear();
    assert_false(error_pending());
    assert_string_equal(error_text(), "");
    error_set("a\x1b[2Jb\xC2\x9B c\xC3\xA9");
    assert_string_equal(error_text(), "a [2Jb   c\xC3\xA9");
    error_within("file %d", 7);
    assert_string_equal(error_text(), "file 7: a [2Jb   c\xC3\xA9");
    error_clear();
    error_within("nothing is wrong");
    assert_false(error_pending());
}

static void sizes_overflow_is_refused(void **state)
{
    (void)state;
    assert_null(mem_alloc(SIZE_MAX / 2, 4));
    assert_error("out of memory");
    mem_fail_at(2);
    void *a = mem_alloc(1, 8), *b = mem_alloc(1, 8);
    assert_non_null(a);
    assert_null(b);
    assert_true(mem_fail_fired());
    mem_fail_at(0);
    assert_error("out of memory");
    mem_free(a);
}

static void map_finds_what_was_put(void **state)
{
    (void)state;
    static char keys[5000][8];
    map m = {0};
    for (int i = 0; i < 5000; i++) {
        snprintf(keys[i], 8, "k%d", i);
        assert_int_equal(map_put(&m, keys[i], strlen(keys[i]), (uint64_t)i), 0);
    }
    assert_int_equal(map_put(&m, "k7", 2, 70), 0);
    uint64_t v;
    for (int i = 0; i < 5000; i++) {
        assert_true(map_get(&m, keys[i], strlen(keys[i]), &v));
        assert_int_equal(v, i == 7 ? 70 : i);
    }
    assert_false(map_get(&m, "x", 1, NULL));
    assert_int_equal(m.count, 5000);
    map_free(&m);
}

static void utf8_is_strict(void **state)
{
    (void)state;
    char b[4];
    uint32_t c;
    for (uint32_t i = 0; i < 0x110000; i += 61) {
        if (i >= 0xD800 && i < 0xE000)
            continue;
        int n = utf8_encode(i, b);
        assert_int_equal(utf8_decode(b, (size_t)n, &c), n);
        assert_int_equal(c, i);
    }
    assert_int_equal(utf8_decode("\xC0\x80", 2, &c), -1);
    assert_int_equal(utf8_decode("\xED\xA0\x80", 3, &c), -1);
    assert_int_equal(utf8_decode("\xF0\x9F\x98x", 4, &c), -3);
    assert_int_equal(utf8_check("a\xC3\xA9\xFF", 4), 3);
    assert_int_equal(utf8_pending("a\xF0\x9F\x98", 4), 3);
    assert_int_equal(utf8_pending("a\xC3\xA9", 3), 0);
    assert_int_equal(utf8_pending("a\xFF", 2), 0);
}

/* Every place in words of eight bytes and around them. */
static void utf8_check_finds_the_first_bad_byte(void **state)
{
    (void)state;
    char text[40];
    for (size_t n = 0; n <= sizeof text; n++)
        for (size_t at = 0; at < n; at++) {
            memset(text, 'a', sizeof text);
            assert_int_equal(utf8_check(text, n), n);
            text[at] = (char)0x80;
            assert_int_equal(utf8_check(text, n), at);
            text[at] = (char)0xC3;
            assert_int_equal(utf8_check(text, n), at);
            if (at + 1 < n) {
                text[at + 1] = (char)0xA9;
                assert_int_equal(utf8_check(text, n), n);
            }
        }
}

static void strings_grow(void **state)
{
    (void)state;
    strbuf s = {0};
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&s, "%d,", i);
    assert_int_equal(s.len, 3890);
    char *p = strbuf_take(&s);
    assert_memory_equal(p, "0,1,2,", 6);
    mem_free(p);
}

static void files_replace_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/mica-test-XXXXXX", *data;
    size_t n;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_save(path, "hello", 5), 0);
    assert_int_equal(file_read(path, 100, &data, &n), 0);
    assert_string_equal(data, "hello");
    mem_free(data);
    assert_int_equal(file_read(path, 4, &data, &n), -1);
    assert_error("limit");
    file_out o;
    assert_int_equal(file_create(&o, path), 0);
    assert_int_equal(file_write(&o, "x", 1), 0);
    char *temp = mem_strdup(o.temp);
    assert_true(file_exists(temp));
    file_abort(&o);
    assert_false(file_exists(temp));
    mem_free(temp);
    file_map m;
    assert_int_equal(file_map_open(&m, path), 0);
    assert_memory_equal(m.data, "hello", 5);
    file_map_close(&m);
    unlink(path);
    assert_int_equal(file_map_open(&m, path), -1);
    assert_error(path);
}

static void devices_and_pipes(void **state)
{
    (void)state;
    char dir[] = "/tmp/mica-test-XXXXXX";
    struct stat st;
    file_map m;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(file_save("/dev/null", "x", 1), 0);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(file_save(dir, "x", 1), -1);
    assert_error("it is a folder");
    char *pipe = file_join(dir, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(file_map_open(&m, pipe), -1); /* at once: nobody writes to it */
    assert_error("not a regular file");
    unlink(pipe);
    rmdir(dir);
    mem_free(pipe);
}

static void folders_are_made(void **state)
{
    (void)state;
    char dir[] = "/tmp/mica-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *deep = file_join(dir, "a//b/c/"), *b = file_join(dir, "a/b");
    assert_int_equal(file_mkdir(deep), 0);
    assert_int_equal(file_mkdir(deep), 0);
    assert_true(file_is_dir(deep));
    char *one = file_temporary_dir(deep), *two = file_temporary_dir(deep);
    assert_string_not_equal(one, two);
    assert_true(file_is_dir(one) && file_is_dir(two));
    rmdir(one);
    rmdir(two);
    rmdir(deep);
    assert_int_equal(file_save(deep, "x", 1), -1); /* the name ends with a slash */
    error_clear();
    char *file = file_join(b, "c");
    assert_int_equal(file_save(file, "x", 1), 0);
    assert_int_equal(file_mkdir(deep), -1);
    assert_error("cannot make the folder");
    unlink(file);
    rmdir(b);
    b[strlen(b) - 2] = 0;
    rmdir(b);
    assert_int_equal(rmdir(dir), 0); /* nothing was left */
    mem_free(deep);
    mem_free(b);
    mem_free(one);
    mem_free(two);
    mem_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_keep_the_first),
        cmocka_unit_test(sizes_overflow_is_refused),
        cmocka_unit_test(map_finds_what_was_put),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(strings_grow),
        cmocka_unit_test(files_replace_whole),
        cmocka_unit_test(devices_and_pipes),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(utf8_check_finds_the_first_bad_byte),
    };
    return RUN_TESTS("base", tests, NULL);
}
