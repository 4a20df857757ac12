/* What the public API says about the process: errors, memory, threads and the machine's memory bandwidth. */
#include "llm/model.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "cpu/pool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic size_t mapped, mapped_peak;

void lm_begin(void) { error_clear(); }

const char *lm_error(void)
{
    static _Thread_local char text[1024];
    snprintf(text, sizeof text, "%s", error_text());
    error_clear();
    return text;
}

void lm_release(void *p) { mem_free(p); }

/* --- memory --- */

void lm_count_mapped(size_t bytes, bool add)
{
    if (!add) {
        atomic_fetch_sub(&mapped, bytes);
        return;
    }
    size_t now = atomic_fetch_add(&mapped, bytes) + bytes, top = atomic_load(&mapped_peak);
    while (now > top && !atomic_compare_exchange_weak(&mapped_peak, &top, now))
        continue;
}

size_t lm_active_memory(void) { return mx_active_memory() + atomic_load(&mapped); }

size_t lm_peak_memory(void) { return mx_peak_memory() + atomic_load(&mapped_peak); }

/* --- threads --- */

void lm_set_threads(int n) { mx_set_threads(n); }

int lm_threads(void) { return mx_threads(); }

const char *lm_isa(void) { return mx_cpu_isa(); }

const char *lm_version(void) { return MICA_VERSION; }

void lm_shutdown(void) { mx_shutdown(); }

/* --- bandwidth --- */

typedef struct reading {
    const uint64_t *data;
    _Atomic uint64_t sum; /* keeps the loads from being dropped */
} reading;

/* Words go in blocks of 8 cache lines, summed apart so that the loads do not wait for each other. */
enum { WORDS = 64 };

static void read_part(void *arg, size_t begin, size_t end)
{
    reading *r = arg;
    uint64_t sum[8] = {0};
    for (const uint64_t *p = r->data + begin * WORDS, *stop = r->data + end * WORDS; p < stop; p += 8)
        for (int i = 0; i < 8; i++)
            sum[i] += p[i];
    for (int i = 1; i < 8; i++)
        sum[0] += sum[i];
    atomic_fetch_add(&r->sum, sum[0]);
}

double lm_measure_bandwidth(int threads)
{
    lm_begin();
    size_t bytes = (size_t)512 << 20; /* larger than any cache that matters */
    uint64_t *data = mem_aligned(4096, bytes);
    if (!data)
        return 0;
    memset(data, 1, bytes);
    int before = pool_threads();
    pool_set_threads(threads);
    reading r = {.data = data};
    double best = 0, start = clock_seconds();
    while (clock_seconds() - start < 0.8) {
        double t = clock_seconds();
        pool_for(bytes / 8 / WORDS, 1024, read_part, &r);
        t = clock_seconds() - t;
        best = (double)bytes / t > best ? (double)bytes / t : best;
    }
    pool_set_threads(before);
    mem_free(data);
    return best;
}
