/* Measures the machine's limits with the kernel table's own loops, on the pool's threads.
 *
 * Memory: one buffer is touched by the threads that read it (pages go to the reader's node), then read whole
 * until about a second is over; the best pass counts, since other work on the machine can only make a pass
 * slower. */
#include "cpu/limits.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define UNIT ((size_t)1 << 20)

typedef struct reading {
    const qmm_kernels *kernels;
    uint8_t *p;
    size_t units;
    atomic_ullong sum; /* so that the reads are not dead */
} reading;

/* A thread's share of the buffer. */
static void share(const reading *r, int t, int n, uint8_t **p, size_t *size)
{
    size_t begin = r->units * (size_t)t / (size_t)n, end = r->units * (size_t)(t + 1) / (size_t)n;
    *p = r->p + begin * UNIT;
    *size = (end - begin) * UNIT;
}

static void touch(void *arg, int t, int n)
{
    uint8_t *p;
    size_t size;
    share(arg, t, n, &p, &size);
    memset(p, t + 1, size);
}

static void read_share(void *arg, int t, int n)
{
    reading *r = arg;
    uint8_t *p;
    size_t size;
    share(r, t, n, &p, &size);
    atomic_fetch_add(&r->sum, r->kernels->read(p, size));
}

/* 2 GB, or a quarter of the memory that is free if that is less. */
static size_t buffer_units(void)
{
    size_t most = (size_t)2 << 30;
#if defined(_SC_AVPHYS_PAGES)
    long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0 && (size_t)pages / 4 < most / (size_t)page)
        most = (size_t)pages / 4 * (size_t)page;
#endif
    return most / UNIT < 64 ? 64 : most / UNIT;
}

static int thread_count(int threads) { return threads > 0 ? threads : pool_threads(); }

double cpu_read_bandwidth(int threads)
{
    double best = 0, start;
    int passes = 0;
    reading r = {.kernels = &cpu_kernels_get()->qmm, .units = buffer_units()};
    threads = thread_count(threads);
    r.p = mem_aligned(4096, r.units * UNIT);
    if (!r.p)
        return 0;
    pool_run(touch, &r, threads);
    start = clock_seconds();
    do {
        double begin = clock_seconds();
        pool_run(read_share, &r, threads);
        double rate = (double)(r.units * UNIT) / (clock_seconds() - begin);
        best = rate > best ? rate : best;
    } while (++passes < 2 || clock_seconds() - start < 0.8);
    mem_free(r.p);
    return best;
}

typedef struct peak {
    uint64_t (*run)(size_t rounds);
    size_t rounds;
    atomic_ullong done;
} peak;

static void run_peak(void *arg, int t, int n)
{
    peak *p = arg;
    (void)t, (void)n;
    atomic_fetch_add(&p->done, p->run(p->rounds));
}

static double measure(uint64_t (*run)(size_t), int threads)
{
    double best = 0;
    for (int i = 0; i < 12; i++) {
        peak p = {.run = run, .rounds = 1000000};
        double begin = clock_seconds();
        pool_run(run_peak, &p, thread_count(threads));
        double rate = (double)atomic_load(&p.done) / (clock_seconds() - begin);
        best = rate > best ? rate : best;
    }
    return best;
}

double cpu_peak_i8(int threads) { return measure(cpu_kernels_get()->qmm.peak_i8, threads); }
double cpu_peak_f32(int threads) { return measure(cpu_kernels_get()->qmm.peak_f32, threads); }

double cpu_peak_bf16(int threads)
{
    uint64_t (*run)(size_t) = cpu_kernels_get()->qmm.peak_bf16;
    return run ? measure(run, threads) : 0;
}
