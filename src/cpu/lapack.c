/* Loading LAPACK: the first library of the list that has every routine. */
#include "cpu/lapack.h"

#include "base/error.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

static const char *const LIBRARIES[] = {
#if defined(__APPLE__)
    "/System/Library/Frameworks/Accelerate.framework/Accelerate",
    "libopenblas.dylib",
#else
    "libopenblas.so.0",
    "libopenblas.so",
    "liblapack.so.3",
#endif
};

static struct {
    pthread_once_t once;
    lapack routines;
    bool found;
} library = {.once = PTHREAD_ONCE_INIT};

/* C has no cast from an object to a function pointer. */
static bool bind(void *handle, const char *prefix, const char *name, void *slot)
{
    char symbol[32] = "";
    size_t n = strlen(prefix), m = strlen(name);
    memcpy(symbol, prefix, n);
    memcpy(symbol + n, name, m);
    symbol[n + m] = '_';
    void *address = dlsym(handle, symbol);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

static bool bind_all(void *handle, lapack *l)
{
    bool ok = true;
#define ROW(field, routine) \
    ok = ok && bind(handle, "s", #routine, &l->field[0]) && bind(handle, "d", #routine, &l->field[1]);
    LAPACK_REAL_ROUTINES
#undef ROW
#define ROW(field, routine) ok = ok && bind(handle, "", #routine, &l->field);
    LAPACK_COMPLEX_ROUTINES
#undef ROW
    return ok;
}

/* Calls of OpenBLAS from several threads are safe in its threaded builds only; those get one thread. */
static void tame(void *handle, lapack *l)
{
    void (*set_threads)(int) = NULL;
    int (*parallel)(void) = NULL;
    void *a = dlsym(handle, "openblas_set_num_threads"), *b = dlsym(handle, "openblas_get_parallel");
    memcpy(&set_threads, &a, sizeof a);
    memcpy(&parallel, &b, sizeof b);
    if (set_threads)
        set_threads(1);
    l->threads = parallel && parallel() != 0;
}

static void load(void)
{
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof *LIBRARIES && !library.found; i++) {
        void *handle = dlopen(LIBRARIES[i], RTLD_NOW | RTLD_LOCAL);
        if (!handle)
            continue;
        library.found = bind_all(handle, &library.routines);
        if (library.found)
            tame(handle, &library.routines);
        else
            dlclose(handle);
    }
}

const lapack *lapack_get(void)
{
    pthread_once(&library.once, load);
    if (library.found)
        return &library.routines;
    error_set("[linalg] LAPACK is not there: install OpenBLAS (%s)", LIBRARIES[0]);
    return NULL;
}
