/* What a job of the thread pool costs before it does anything.
 *
 * Prints the latency of an empty job, back to back (workers spinning) and after a pause (workers asleep), for
 * each thread count, beside a bare spin-flag round trip between two threads, which is what the machine
 * allows. */
#include "base/clock.h"
#include "base/thread.h"
#include "cpu/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WARM = 200000, COLD = 200, TRIALS = 7 };

static void nothing(void *arg, int t, int n) { (void)arg, (void)t, (void)n; }
static void no_range(void *arg, size_t begin, size_t end) { (void)arg, (void)begin, (void)end; }

static double back_to_back(int threads, int independent)
{
    double best = 1;
    for (int trial = 0; trial < TRIALS; trial++) {
        double start = clock_seconds();
        for (int i = 0; i < WARM / TRIALS; i++)
            independent ? pool_for((size_t)threads, 1, no_range, NULL) : pool_run(nothing, NULL, threads);
        double each = (clock_seconds() - start) / (WARM / TRIALS);
        best = each < best ? each : best;
    }
    return best;
}

static double after_a_pause(int threads)
{
    double total = 0;
    for (int i = 0; i < COLD; i++) {
        usleep(2000);
        double start = clock_seconds();
        pool_run(nothing, NULL, threads);
        total += clock_seconds() - start;
    }
    return total / COLD;
}

static _Alignas(128) _Atomic int ping;
static _Alignas(128) _Atomic int pong;

static void *echo(void *arg)
{
    (void)arg;
    for (int i = 1; i <= WARM; i++) {
        while (atomic_load_explicit(&ping, memory_order_acquire) < i)
            thread_pause();
        atomic_store_explicit(&pong, i, memory_order_release);
    }
    return NULL;
}

static double round_trip(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, echo, NULL))
        return 0;
    double best = 1, start = clock_seconds();
    for (int i = 1; i <= WARM; i++) {
        atomic_store_explicit(&ping, i, memory_order_release);
        while (atomic_load_explicit(&pong, memory_order_acquire) < i)
            thread_pause();
        if (i % (WARM / TRIALS) == 0) {
            double now = clock_seconds(), each = (now - start) / (WARM / TRIALS);
            best = each < best ? each : best;
            start = now;
        }
    }
    pthread_join(t, NULL);
    return best;
}

int main(int argc, char **argv)
{
    int most = argc > 1 ? atoi(argv[1]) : thread_cores();
    double bare = most > 1 ? round_trip() : 0;
    printf("cores %d; bare round trip between two threads %.2f us\n", thread_cores(), bare * 1e6);
    printf("%8s %14s %14s %14s %10s\n", "threads", "pool_run us", "pool_for us", "asleep us", "x bare");
    for (int n = 1; n <= most; n += n < 4 ? 1 : n / 2) {
        pool_set_threads(n);
        pool_run(nothing, NULL, n);
        double job = back_to_back(n, 0), range = back_to_back(n, 1), cold = after_a_pause(n);
        printf("%8d %14.3f %14.3f %14.1f %10.2f\n", n, job * 1e6, range * 1e6, cold * 1e6,
               bare > 0 ? job / bare : 0);
    }
    pool_stop();
    return 0;
}
