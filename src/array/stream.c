/* Streams: asynchronous evaluation.
 *
 * mx_async_eval lists the nodes to be computed, inputs before users, and deals them out to queues by the
 * stream that each was recorded on. A queue has a thread, started with its first task, which takes its tasks
 * in order and waits before each node for inputs that other queues compute. Tasks enter all their queues
 * under one lock, so that there is one order that every queue follows and in which each node comes after its
 * inputs: the first unfinished node of that order can always go on, and nothing can wait in a circle.
 *
 * A list does not own its nodes: their users do, and at the end the roots, which a task retains. So a dead
 * input is written over as in mx_eval. A node's status is the last thing that its queue writes; after that it
 * may be gone.
 *
 * What fails leaves the text of its error where its bytes would be, and so do all its users.
 *
 * Streams are numbers without end, queues are few: stream s uses queue s mod QUEUES. */
#include "array/stream.h"

#include "base/error.h"
#include "base/mem.h"
#include "mx/stream.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { QUEUES = 64, UNKNOWN = -1 };

typedef struct task {
    struct task *next;
    size_t count;   /* nodes, in order */
    size_t n_roots; /* references that follow the nodes */
    node *nodes[];
} task;

typedef struct queue {
    pthread_t thread;
    bool running;
    task *first, **last;          /* waiting tasks */
    uint64_t submitted, finished; /* numbers of tasks */
    buffer *error;                /* the first that no wait has reported */
    pthread_cond_t work;
} queue;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything here */
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static _Atomic int waiting; /* for progress */
static queue queues[QUEUES];
static bool stopping, prepared;
static _Atomic int streams; /* that there are */

_Thread_local uint8_t stream_current;
static _Thread_local int default_stream = UNKNOWN, used_stream = UNKNOWN;

/* --- numbers --- */

int mx_stream_new(void) { return atomic_fetch_add(&streams, 1); }

/* From now on this thread's nodes are recorded on what was chosen. */
static void follow(void)
{
    int stream = used_stream == UNKNOWN ? default_stream : used_stream;
    stream_current = (uint8_t)(1 + stream % QUEUES);
}

int mx_get_default_stream(void)
{
    if (default_stream == UNKNOWN) {
        default_stream = mx_stream_new();
        follow();
    }
    return default_stream;
}

static int check(const char *op, int stream)
{
    if (stream < 0 || stream >= atomic_load(&streams))
        return error_set("[%s] there is no stream %d", op, stream);
    return 0;
}

int mx_set_default_stream(int stream)
{
    if (check("set_default_stream", stream))
        return -1;
    default_stream = stream;
    follow();
    return 0;
}

int mx_use_stream(int stream)
{
    int before = used_stream == UNKNOWN ? mx_get_default_stream() : used_stream;
    if (check("use_stream", stream))
        return -1;
    used_stream = stream == default_stream ? UNKNOWN : stream;
    follow();
    return before;
}

/* --- waiting --- */

/* Something may have become true that somebody waits for. */
static void announce(void)
{
    if (atomic_fetch_add(&waiting, 0)) { /* a waiter counts itself and then looks: one sees the other */
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&progress);
        pthread_mutex_unlock(&lock);
    }
}

static int await(const node *n)
{
    if (node_status(n) != NODE_SCHEDULED)
        return node_status(n);
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&waiting, 1);
    while (node_status(n) == NODE_SCHEDULED)
        pthread_cond_wait(&progress, &lock);
    atomic_fetch_sub(&waiting, 1);
    pthread_mutex_unlock(&lock);
    return node_status(n);
}

/* Records the error of a buffer that holds one (NULL: there was no memory for it). */
static int report(const buffer *text)
{
    return error_set("%s", text ? text->data : "out of memory in asynchronous work");
}

int stream_wait(node *n)
{
    if (await(n) == NODE_READY)
        return 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < QUEUES; i++)
        if (queues[i].error && queues[i].error == n->buf) { /* reported here and now */
            buffer_release(queues[i].error);
            queues[i].error = NULL;
        }
    pthread_mutex_unlock(&lock);
    return report(n->buf);
}

int mx_synchronize(int stream)
{
    if (check("synchronize", stream))
        return -1;
    queue *q = &queues[stream % QUEUES];
    pthread_mutex_lock(&lock);
    uint64_t all = q->submitted;
    atomic_fetch_add(&waiting, 1);
    while (q->finished < all)
        pthread_cond_wait(&progress, &lock);
    atomic_fetch_sub(&waiting, 1);
    buffer *error = q->error;
    q->error = NULL;
    pthread_mutex_unlock(&lock);
    int rc = error ? report(error) : 0;
    buffer_release(error);
    return rc;
}

/* --- the threads --- */

static buffer *text_buffer(const char *text)
{
    size_t size = strlen(text) + 1;
    buffer *b = buffer_new(size);
    if (b)
        memcpy(b->data, text, size);
    error_clear();
    return b;
}

/* n cannot be computed; takes over the reference to the text. */
static void poison(node *n, buffer *text)
{
    node_detach(n);
    buffer_release(n->buf);
    n->buf = text;
    node_set_status(n, NODE_FAILED);
}

static void run_node(queue *q, node *n)
{
    for (uint32_t i = 0; i < n->n_inputs; i++)
        if (await(n->inputs[i]) == NODE_FAILED) {
            poison(n, n->inputs[i]->buf ? buffer_retain(n->inputs[i]->buf) : NULL);
            return;
        }
    if (eval_node(n) == 0)
        return;
    buffer *text = text_buffer(error_text());
    pthread_mutex_lock(&lock);
    if (!q->error && text)
        q->error = buffer_retain(text);
    pthread_mutex_unlock(&lock);
    poison(n, text);
}

static void run_task(queue *q, task *t)
{
    for (size_t i = 0; i < t->count; i++) {
        run_node(q, t->nodes[i]);
        announce();
    }
    for (size_t i = 0; i < t->n_roots; i++)
        node_release(t->nodes[t->count + i]);
    mem_free(t);
}

static void *worker(void *arg)
{
    queue *q = arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!q->first && !stopping)
            pthread_cond_wait(&q->work, &lock);
        task *t = q->first;
        if (!t)
            break;
        q->first = t->next;
        if (!q->first)
            q->last = &q->first;
        pthread_mutex_unlock(&lock);
        run_task(q, t);
        pthread_mutex_lock(&lock);
        q->finished++;
        pthread_cond_broadcast(&progress);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* A forked child has no threads, and whoever held the lock is gone: begin anew. Unfinished work stays so. */
static void forget_threads(void)
{
    pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked;
    memset(queues, 0, sizeof queues);
    atomic_store(&waiting, 0);
}

/* With the lock held. */
static int start(queue *q)
{
    sigset_t all, old;
    if (q->running)
        return 0;
    if (!prepared)
        prepared = pthread_atfork(NULL, NULL, forget_threads) == 0;
    q->last = &q->first;
    pthread_cond_init(&q->work, NULL);
    sigfillset(&all); /* signals belong to the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    q->running = pthread_create(&q->thread, NULL, worker, q) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return q->running ? 0 : error_set("[async_eval] the thread of a stream could not be started");
}

void stream_shutdown(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    for (int i = 0; i < QUEUES; i++)
        if (queues[i].running)
            pthread_cond_signal(&queues[i].work);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < QUEUES; i++)
        if (queues[i].running) {
            pthread_join(queues[i].thread, NULL);
            pthread_cond_destroy(&queues[i].work);
            buffer_release(queues[i].error);
            queues[i] = (queue){0};
        }
    pthread_mutex_lock(&lock);
    stopping = false;
    pthread_mutex_unlock(&lock);
}

/* --- handing out --- */

static int queue_of(const node *n) { return n->stream ? n->stream - 1 : mx_get_default_stream() % QUEUES; }

/* One task for each queue that has nodes in the list; roots are retained by the task of their queue. */
static int deal(node **list, size_t count, const mlx_array *roots, size_t n, task **tasks)
{
    size_t counts[QUEUES] = {0}, n_roots[QUEUES] = {0};
    for (size_t i = 0; i < count; i++)
        counts[queue_of(list[i])]++;
    for (size_t i = 0; i < n; i++)
        n_roots[queue_of(node_of(roots[i]))]++;
    for (int k = 0; k < QUEUES; k++)
        if (counts[k]) {
            tasks[k] = mem_alloc(1, sizeof **tasks + (counts[k] + n_roots[k]) * sizeof(node *));
            if (!tasks[k])
                return -1;
            *tasks[k] = (task){0};
        }
    for (size_t i = 0; i < count; i++) {
        task *t = tasks[queue_of(list[i])];
        t->nodes[t->count++] = list[i];
    }
    for (size_t i = 0; i < n; i++) {
        task *t = tasks[queue_of(node_of(roots[i]))];
        if (t)
            t->nodes[t->count + t->n_roots++] = node_retain(node_of(roots[i]));
    }
    return 0;
}

/* Puts the tasks into their queues, all at once. */
static int submit(task **tasks)
{
    int rc = 0;
    pthread_mutex_lock(&lock);
    for (int k = 0; k < QUEUES && rc == 0; k++)
        rc = tasks[k] ? start(&queues[k]) : 0;
    for (int k = 0; k < QUEUES && rc == 0; k++)
        if (tasks[k]) {
            *queues[k].last = tasks[k];
            queues[k].last = &tasks[k]->next;
            queues[k].submitted++;
            pthread_cond_signal(&queues[k].work);
        }
    pthread_mutex_unlock(&lock);
    return rc;
}

static void take_back(node **list, size_t count, task **tasks)
{
    for (size_t i = 0; i < count; i++)
        node_set_status(list[i], NODE_LAZY);
    for (int k = 0; k < QUEUES; k++) {
        for (size_t i = 0; tasks[k] && i < tasks[k]->n_roots; i++)
            node_release(tasks[k]->nodes[tasks[k]->count + i]);
        mem_free(tasks[k]);
    }
}

int mx_async_eval(const mlx_array *x, size_t n)
{
    node **list;
    size_t count;
    task *tasks[QUEUES] = {0};
    if (node_trace(0) > 0)
        return error_set("[async_eval] Not allowed inside a graph transformation.");
    if (eval_schedule(x, n, &list, &count))
        return -1;
    int rc = deal(list, count, x, n, tasks) || submit(tasks) ? -1 : 0;
    if (rc)
        take_back(list, count, tasks);
    mem_free(list);
    return rc;
}
