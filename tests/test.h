/* What every test program starts with: cmocka, and a main that also checks that nothing stayed allocated. */
#ifndef MICA_TESTS_TEST_H
#define MICA_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No error may be pending: prints it if there is one. */
#define assert_ok(expr)                              \
    do {                                             \
        if (!(expr) || error_pending())              \
            fail_msg("%s: %s", #expr, error_text()); \
    } while (0)

/* The expression failed with an error that contains `text`; clears it. */
#define assert_error(text)                                                             \
    do {                                                                               \
        if (!strstr(error_text(), text))                                               \
            fail_msg("expected an error with \"%s\", got \"%s\"", text, error_text()); \
        error_clear();                                                                 \
    } while (0)

/* jansson's memory as a program may have set it: not malloc's, so that freeing it by free() aborts. */
static inline void *json_memory(size_t n)
{
    char *p = malloc(n + 64);
    return p ? p + 64 : NULL;
}
static inline void json_memory_free(void *p)
{
    if (p)
        free((char *)p - 64);
}

/* Runs the group; memory that is still allocated afterwards fails the program. `cleanup` frees what lives as
 * long as the process (or NULL). */
static inline int run_group(const char *name, const struct CMUnitTest *tests, size_t n, void (*cleanup)(void))
{
    json_set_alloc_funcs(json_memory, json_memory_free);
    size_t before = mem_live();
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    if (cleanup)
        cleanup();
    if (mem_live() != before) {
        fprintf(stderr, "[  FAILED  ] %s: %zu blocks still allocated at exit\n", name, mem_live() - before);
        return 1;
    }
    return failed;
}
#define RUN_TESTS(name, tests, cleanup) run_group(name, tests, sizeof(tests) / sizeof *(tests), cleanup)

#endif
