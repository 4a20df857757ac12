/* The worker threads: a mailbox each, a spin, then sleep.
 *
 * A job of n parts is put into the mailboxes of workers 1 .. n-1, one cache line each: an odd number means
 * that a part waits there, and whoever swaps it for the even number above takes the part. The caller does
 * part 0 and then waits for a counter of finished parts to reach zero. So a worker that is not wanted is
 * never disturbed, and one that comes too late finds its mailbox empty and touches nothing of the job.
 *
 * Parts of pool_for do not depend on one another, so the caller, done with its own, takes those that no
 * worker has begun: a worker that sleeps or has lost its core costs time only once it has started. pool_run
 * promises threads that run at once (they may wait for each other), and there the caller leaves them alone.
 *
 * An idle worker spins for SPIN_SECONDS, because in a decode step the next job is that close, and then
 * sleeps on its own condition variable, from which it is woken on another core than the caller's. With more
 * threads than cores it sleeps at once: spinning would only keep the core from the thread that has the work.
 */
#include "cpu/pool.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define POOL_MAX     256
#define SPIN_SECONDS 50e-6
#define STOP         UINT64_MAX /* odd, as a part is */

typedef struct worker {
    _Alignas(128) _Atomic uint64_t mailbox;
    _Atomic bool asleep;
    pthread_mutex_t lock; /* with `wake`: guards going to sleep only */
    pthread_cond_t wake;
    pthread_t thread;
} worker;

typedef struct job {
    void (*fn)(void *arg, int t, int n);
    void *arg;
    int n;
} job;

static struct {
    pthread_mutex_t lock; /* held by the caller of a job and while workers start or stop */
    _Atomic int wanted;   /* pool_set_threads; 0 = not asked yet */
    int workers;          /* running, not counting the caller */
    bool registered;      /* the fork handler */
    uint64_t ticket;      /* even; counts jobs */
    job now;              /* stable while parts are unfinished */
    _Atomic double spin;
    _Alignas(128) _Atomic int unfinished;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static worker workers[POOL_MAX]; /* [0] is the caller's and stays unused */
static _Thread_local bool inside;

static bool is_part(uint64_t mail) { return mail & 1; }

/* Spins until something lies in the mailbox, which it returns; 0 if nothing comes for a while. */
static uint64_t spin_for_mail(worker *w)
{
    double spin = atomic_load_explicit(&pool.spin, memory_order_relaxed);
    for (double end = 0; spin > 0;) {
        for (int i = 0; i < 32; i++) {
            uint64_t mail = atomic_load_explicit(&w->mailbox, memory_order_acquire);
            if (is_part(mail))
                return mail;
            thread_pause();
        }
        double now = clock_seconds();
        if (end == 0)
            end = now + spin;
        else if (now > end)
            break;
    }
    return 0;
}

/* Sleeps until a job is posted. It may be done already when the thread is up: then the next one is awaited
 * awake, or a stream of jobs shorter than waking takes would never be helped. */
static uint64_t next_mail(worker *w)
{
    for (;;) {
        uint64_t mail = spin_for_mail(w);
        if (is_part(mail))
            return mail;
        pthread_mutex_lock(&w->lock);
        /* Sleeper: asleep, then mailbox. Poster: mailbox, then asleep. In one total order, one sees the
         * other. */
        atomic_store(&w->asleep, true);
        while (mail = atomic_load(&w->mailbox), !is_part(mail) && atomic_load(&w->asleep))
            pthread_cond_wait(&w->wake, &w->lock);
        atomic_store(&w->asleep, false);
        pthread_mutex_unlock(&w->lock);
        if (is_part(mail))
            return mail;
    }
}

static void post(worker *w, uint64_t mail)
{
    atomic_store(&w->mailbox, mail);
    if (!atomic_load(&w->asleep) || !atomic_exchange(&w->asleep, false))
        return; /* it is awake, or will soon be */
    thread_keep_apart(w->thread);
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Does part t of the job if nobody has begun it. */
static void take(int t, uint64_t mail)
{
    if (!atomic_compare_exchange_strong_explicit(&workers[t].mailbox, &mail, mail + 1, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    pool.now.fn(pool.now.arg, t, pool.now.n);
    atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    int t = (int)(w - workers);
    inside = true;
    for (uint64_t mail; (mail = next_mail(w)) != STOP;)
        take(t, mail);
    return NULL;
}

/* With pool.lock held. */
static void stop_workers(void)
{
    for (int t = 1; t <= pool.workers; t++)
        post(&workers[t], STOP);
    for (int t = 1; t <= pool.workers; t++) {
        pthread_join(workers[t].thread, NULL);
        pthread_mutex_destroy(&workers[t].lock);
        pthread_cond_destroy(&workers[t].wake);
    }
    pool.workers = 0;
}

/* A forked child has no workers, and whoever held the lock is gone: begin anew. */
static void forget_workers(void)
{
    pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    pool.lock = unlocked;
    pool.workers = 0;
    atomic_store(&pool.unfinished, 0);
}

static bool start_worker(int t)
{
    worker *w = &workers[t];
    atomic_store(&w->mailbox, 0);
    atomic_store(&w->asleep, false);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w))
        return false;
    thread_keep_apart(w->thread);
    return true;
}

/* With pool.lock held: as many workers as a job of n parts needs, or as many as the system gives. */
static void start_workers(int n)
{
    sigset_t all, old;
    if (!pool.registered)
        pool.registered = pthread_atfork(NULL, NULL, forget_workers) == 0;
    sigfillset(&all); /* signals belong to the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.workers < n - 1 && start_worker(pool.workers + 1))
        pool.workers++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Decides the number of threads; 0 asks the system. */
static int choose_threads(int n)
{
    int cores = thread_cores();
    if (n < 1)
        n = cores;
    if (n > POOL_MAX)
        n = POOL_MAX;
    atomic_store(&pool.spin, n > cores ? 0 : SPIN_SECONDS);
    atomic_store(&pool.wanted, n);
    return n;
}

int pool_threads(void)
{
    int n = atomic_load_explicit(&pool.wanted, memory_order_relaxed);
    return n > 0 ? n : choose_threads(0);
}

void pool_set_threads(int n)
{
    pthread_mutex_lock(&pool.lock);
    if (choose_threads(n) < pool.workers + 1)
        stop_workers();
    pthread_mutex_unlock(&pool.lock);
}

void pool_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    stop_workers();
    pthread_mutex_unlock(&pool.lock);
}

/* Spins for about as long as a worker would, then lets others have the core. */
static void wait_for_parts(void)
{
    bool spins = atomic_load_explicit(&pool.spin, memory_order_relaxed) > 0;
    for (int i = 0; atomic_load_explicit(&pool.unfinished, memory_order_acquire) > 0; i++) {
        if (spins && i < 2000)
            thread_pause();
        else
            sched_yield();
    }
}

static void run(void (*fn)(void *arg, int t, int n), void *arg, int n, bool independent)
{
    if (n <= 1 || inside) {
        fn(arg, 0, 1);
        return;
    }
    pthread_mutex_lock(&pool.lock);
    if (pool.workers < n - 1)
        start_workers(n);
    if (n > pool.workers + 1)
        n = pool.workers + 1;
    uint64_t ticket = pool.ticket += 2;
    pool.now = (job){fn, arg, n};
    atomic_store_explicit(&pool.unfinished, n - 1, memory_order_relaxed);
    for (int t = 1; t < n; t++)
        post(&workers[t], ticket + 1);
    inside = true;
    fn(arg, 0, n);
    for (int t = 1; independent && t < n; t++)
        take(t, ticket + 1);
    wait_for_parts();
    inside = false;
    pthread_mutex_unlock(&pool.lock);
}

void pool_run(void (*fn)(void *arg, int t, int n), void *arg, int max_threads)
{
    int n = pool_threads();
    run(fn, arg, max_threads < n ? max_threads : n, false);
}

typedef struct ranges {
    size_t n, grain;
    void (*fn)(void *arg, size_t begin, size_t end);
    void *arg;
} ranges;

/* Part t of n: its share of the grains, the first parts one more where they do not divide. */
static void run_range(void *arg, int t, int n)
{
    const ranges *r = arg;
    size_t grains = (r->n - 1) / r->grain + 1, i = (size_t)t, parts = (size_t)n;
    size_t each = grains / parts, more = grains % parts;
    size_t begin = (i * each + (i < more ? i : more)) * r->grain;
    size_t end = begin + (each + (i < more)) * r->grain;
    if (end > r->n)
        end = r->n;
    if (begin < end)
        r->fn(r->arg, begin, end);
}

void pool_for(size_t n, size_t grain, void (*fn)(void *arg, size_t begin, size_t end), void *arg)
{
    if (n == 0)
        return;
    ranges r = {n, grain ? grain : 1, fn, arg};
    size_t grains = (n - 1) / r.grain + 1, threads = (size_t)pool_threads();
    run(run_range, &r, (int)(grains < threads ? grains : threads), true);
}
