/* The thread pool: every part once, whatever the thread count, from several threads, over stops and starts.
 */
#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "cpu/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PARTS = 64, MAX_ITEMS = 1000 };

typedef struct parts {
    _Atomic int seen[MAX_PARTS];
    _Atomic int n;
} parts;

static void count_part(void *arg, int t, int n)
{
    parts *p = arg;
    atomic_fetch_add(&p->seen[t], 1);
    atomic_store(&p->n, n);
}

static void check_run(int max_threads)
{
    parts p = {0};
    pool_run(count_part, &p, max_threads);
    int expected = max_threads < pool_threads() ? max_threads : pool_threads();
    assert_int_equal(p.n, expected < 1 ? 1 : expected);
    for (int t = 0; t < MAX_PARTS; t++)
        assert_int_equal(p.seen[t], t < p.n);
}

static void runs_each_part_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        pool_set_threads(threads);
        assert_int_equal(pool_threads(), threads);
        for (int max = 0; max <= 10; max++)
            check_run(max);
    }
    pool_set_threads(0);
    assert_int_equal(pool_threads(), thread_cores());
}

/* The parts of pool_run are there at once: each waits for all others. */
typedef struct meeting {
    _Atomic int arrived;
} meeting;

static void meet(void *arg, int t, int n)
{
    (void)t;
    meeting *m = arg;
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < n)
        usleep(10);
}

static void parts_run_at_once(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 8; threads++) {
        pool_set_threads(threads);
        for (int i = 0; i < 20; i++) {
            meeting m = {0};
            pool_run(meet, &m, threads);
            assert_int_equal(m.arrived, threads);
        }
    }
}

typedef struct items {
    size_t n, grain;
    unsigned char seen[MAX_ITEMS];
    _Atomic int calls, misaligned;
} items;

static void count_items(void *arg, size_t begin, size_t end)
{
    items *it = arg;
    atomic_fetch_add(&it->calls, 1);
    if (begin % it->grain || (end % it->grain && end != it->n) || begin >= end || end > it->n)
        atomic_fetch_add(&it->misaligned, 1);
    for (size_t i = begin; i < end && i < MAX_ITEMS; i++)
        it->seen[i]++;
}

static void check_for(size_t n, size_t grain)
{
    items it = {.n = n, .grain = grain};
    pool_for(n, grain, count_items, &it);
    size_t grains = (n + grain - 1) / grain, threads = (size_t)pool_threads();
    assert_int_equal(it.misaligned, 0);
    assert_int_equal(it.calls, grains < threads ? grains : threads);
    for (size_t i = 0; i < MAX_ITEMS; i++)
        assert_int_equal(it.seen[i], i < n);
}

static void ranges_cover_everything(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 100, 999, 1000};
    for (int threads = 1; threads <= 8; threads++) {
        pool_set_threads(threads);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t grain = 1; grain <= 128; grain = grain * 3 - 1 + (grain == 1))
                check_for(sizes[i], grain);
    }
}

static void sum_range(void *arg, size_t begin, size_t end)
{
    _Atomic uint64_t *sum = arg;
    uint64_t s = 0;
    for (size_t i = begin; i < end; i++)
        s += i;
    atomic_fetch_add(sum, s);
}

/* Each of these also checks that what the caller wrote is seen, and what the workers wrote comes back. */
static void many_jobs(size_t jobs)
{
    for (size_t i = 0; i < jobs; i++) {
        size_t n = i % 97 + 1;
        _Atomic uint64_t sum = 0;
        pool_for(n, 1, sum_range, (void *)&sum);
        assert_int_equal(sum, n * (n - 1) / 2);
    }
}

static void survives_many_jobs(void **state)
{
    (void)state;
    pool_set_threads(2);
    many_jobs(20000);
    pool_set_threads(8); /* more than there are cores, here or on most test machines */
    many_jobs(2000);
}

static void survives_pauses(void **state)
{
    (void)state;
    pool_set_threads(3);
    for (int i = 0; i < 300; i++) { /* workers spin, are about to sleep, or sleep */
        usleep((unsigned)(i % 12) * 10);
        many_jobs(3);
    }
}

static void nested_part(void *arg, int t, int n)
{
    (void)t, (void)n;
    parts inner = {0};
    pool_run(count_part, &inner, 8);
    items it = {.n = 50, .grain = 7};
    pool_for(50, 7, count_items, &it);
    if (inner.n == 1 && inner.seen[0] == 1 && it.calls == 1)
        atomic_fetch_add((_Atomic int *)arg, 1);
}

static void nested_jobs_run_inline(void **state)
{
    (void)state;
    pool_set_threads(4);
    for (int i = 0; i < 50; i++) {
        _Atomic int good = 0;
        pool_run(nested_part, (void *)&good, 4);
        assert_int_equal(good, 4);
    }
}

static void *jobs_of_a_thread(void *arg)
{
    size_t *wrong = arg;
    for (size_t i = 0; i < 2000; i++) {
        size_t n = i % 31 + 1;
        _Atomic uint64_t sum = 0;
        pool_for(n, 1, sum_range, (void *)&sum);
        *wrong += sum != n * (n - 1) / 2;
    }
    return NULL;
}

static void threads_may_share_it(void **state)
{
    (void)state;
    pool_set_threads(3);
    pthread_t t[3];
    size_t wrong[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, jobs_of_a_thread, &wrong[i]), 0);
    for (int i = 0; i < 20; i++) {
        pool_stop();
        usleep(200);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

static void stops_and_starts(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        pool_set_threads(i % 4 + 1);
        check_run(4);
        pool_stop();
        if (i % 3 == 0)
            pool_stop();
    }
}

#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif

#if !defined(HAS_TSAN) /* TSan does not follow a fork of several threads */
static void works_after_fork(void **state)
{
    (void)state;
    if (getenv("MICA_EMULATED")) /* qemu-user 7 aborts when a forked process starts threads */
        skip();
    pool_set_threads(4);
    check_run(4);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        parts p = {0};
        pool_run(count_part, &p, 4);
        pool_stop();
        _exit(p.n == 4 && p.seen[3] == 1 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_run(4);
}
#else
static void works_after_fork(void **state)
{
    (void)state;
    skip();
}
#endif

/* Eight threads that all want a core must not take much longer than one thread that does the same work. */
static void oversubscription_does_not_collapse(void **state)
{
    (void)state;
    pool_set_threads(8);
    many_jobs(100);
    double start = clock_seconds();
    many_jobs(1000);
    double per_job = (clock_seconds() - start) / 1000;
    assert_true(per_job < 5e-3);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_dir(char *out, size_t size, const char *root, const char *name)
{
    assert_true((size_t)snprintf(out, size, "%s/%s", root, name) < size);
    assert_int_equal(mkdir(out, 0700), 0);
}

static void quotas_are_read(void **state)
{
    (void)state;
    char root[32] = "/tmp/mica-quota-XXXXXX", a[64], b[128], v1[64], g[128], command[300];
    assert_non_null(mkdtemp(root));
    make_dir(a, sizeof a, root, "a");
    make_dir(b, sizeof b, a, "b");
    make_dir(v1, sizeof v1, root, "cpu");
    make_dir(g, sizeof g, v1, "g");
    assert_true(thread_quota("", root) == 0);
    assert_true(thread_quota("0::/a/b\n", root) == 0);
    write_file(b, "cpu.max", "max 100000\n");
    assert_true(thread_quota("0::/a/b\n", root) == 0);
    write_file(a, "cpu.max", "250000 100000\n");
    assert_true(thread_quota("0::/a/b\n", root) == 2.5);
    write_file(b, "cpu.max", "50000 100000\n");
    assert_true(thread_quota("0::/a/b", root) == 0.5);
    write_file(root, "cpu.max", "25000 100000\n");
    assert_true(thread_quota("0::/\n", root) == 0.25);
    write_file(g, "cpu.cfs_quota_us", "-1\n");
    write_file(g, "cpu.cfs_period_us", "100000\n");
    assert_true(thread_quota("4:memory:/g\n3:cpu,cpuacct:/g\n", root) == 0);
    write_file(g, "cpu.cfs_quota_us", "300000\n");
    assert_true(thread_quota("4:memory:/g\n3:cpuacct,cpu:/g\n", root) == 3);
    assert_true(thread_quota("3:cpuset:/g\nnonsense\n:\n::\n", root) == 0.25);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
    assert_true(thread_cores() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_part_once),     cmocka_unit_test(parts_run_at_once),
        cmocka_unit_test(ranges_cover_everything), cmocka_unit_test(survives_many_jobs),
        cmocka_unit_test(survives_pauses),         cmocka_unit_test(nested_jobs_run_inline),
        cmocka_unit_test(threads_may_share_it),    cmocka_unit_test(stops_and_starts),
        cmocka_unit_test(works_after_fork),        cmocka_unit_test(oversubscription_does_not_collapse),
        cmocka_unit_test(quotas_are_read),
    };
    return RUN_TESTS("pool", tests, pool_stop);
}
