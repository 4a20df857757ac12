/* Cores that this process may use, and which of them a thread wakes up on.
 *
 * A container often sees all of the machine's processors and may use two of them: by its affinity mask, or
 * by a quota of CPU time per period in its control group or any group above it. Starting a thread for each
 * visible processor would then be slower than using one. The quota is rounded up: with 2.5 cores, three
 * threads are busier than two. */
#include "base/thread.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

/* The first line of a small file; 0, or -1 if there is none. */
static int read_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    char *got = fgets(line, size, f);
    fclose(f);
    return got ? 0 : -1;
}

/* Version 2: "max 100000" or "200000 100000" in cpu.max. */
static double quota_v2(const char *dir)
{
    char path[PATH_MAX + 32], line[128];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (read_line(path, line, sizeof line) || sscanf(line, "%lf %lf", &quota, &period) != 2 || period <= 0)
        return 0;
    return quota / period;
}

/* Version 1: two files; the quota is -1 when there is none. */
static double quota_v1(const char *dir)
{
    char path[PATH_MAX + 32], line[128];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (read_line(path, line, sizeof line) || sscanf(line, "%lf", &quota) != 1 || quota <= 0)
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (read_line(path, line, sizeof line) || sscanf(line, "%lf", &period) != 1 || period <= 0)
        return 0;
    return quota / period;
}

/* The smallest quota from root/group up to root itself. */
static double quota_upwards(const char *root, const char *group, size_t length, double (*quota)(const char *))
{
    char dir[PATH_MAX];
    size_t top = strlen(root);
    int n = snprintf(dir, sizeof dir, "%s%.*s", root, (int)length, group);
    if (n < 0 || (size_t)n >= sizeof dir)
        return 0;
    double smallest = 0;
    for (;;) {
        double q = quota(dir);
        if (q > 0 && (smallest == 0 || q < smallest))
            smallest = q;
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < top)
            return smallest;
        *slash = 0;
    }
}

/* Does a comma-separated list of `length` bytes hold the word "cpu"? */
static int has_cpu(const char *list, size_t length)
{
    for (const char *p = list, *end = list + length; p < end;) {
        size_t word = strcspn(p, ",:");
        if (word == 3 && !memcmp(p, "cpu", 3))
            return 1;
        p += word + 1;
    }
    return 0;
}

double thread_quota(const char *list, const char *root)
{
    double smallest = 0;
    char mount[PATH_MAX];
    for (const char *line = list; *line;) { /* id:controllers:group */
        size_t length = strcspn(line, "\n");
        const char *end = line + length, *controllers = memchr(line, ':', length);
        const char *group =
            controllers ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;
        if (group) {
            size_t names = (size_t)(group - controllers - 1), tail = (size_t)(end - group - 1);
            double q = 0;
            if (names == 0) {
                q = quota_upwards(root, group + 1, tail, quota_v2);
            } else if (has_cpu(controllers + 1, names)) {
                snprintf(mount, sizeof mount, "%s/cpu", root);
                q = quota_upwards(mount, group + 1, tail, quota_v1);
            }
            if (q > 0 && (smallest == 0 || q < smallest))
                smallest = q;
        }
        line = *end ? end + 1 : end;
    }
    return smallest;
}

#if defined(__linux__)

enum { SETS = 16 }; /* 16 * 1024 processors */

void thread_keep_apart(pthread_t other)
{
    cpu_set_t mask[SETS];
    int here = sched_getcpu();
    CPU_ZERO_S(sizeof mask, mask);
    if (here < 0 || sched_getaffinity(0, sizeof mask, mask))
        return;
    CPU_CLR_S((size_t)here, sizeof mask, mask);
    if (CPU_COUNT_S(sizeof mask, mask))
        pthread_setaffinity_np(other, sizeof mask, mask);
}

static int cores_in_mask(void)
{
    cpu_set_t mask[SETS];
    CPU_ZERO_S(sizeof mask, mask);
    return sched_getaffinity(0, sizeof mask, mask) ? 0 : CPU_COUNT_S(sizeof mask, mask);
}

static double container_quota(void)
{
    char list[8192];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return 0;
    size_t n = fread(list, 1, sizeof list - 1, f);
    fclose(f);
    list[n] = 0;
    return thread_quota(list, "/sys/fs/cgroup");
}

#elif defined(__APPLE__)

static int cores_in_mask(void)
{
    int n = 0;
    size_t size = sizeof n;
    return sysctlbyname("hw.perflevel0.logicalcpu", &n, &size, NULL, 0) ? 0 : n;
}

static double container_quota(void) { return 0; }
void thread_keep_apart(pthread_t other) { (void)other; }

#else

static int cores_in_mask(void) { return 0; }
static double container_quota(void) { return 0; }
void thread_keep_apart(pthread_t other) { (void)other; }

#endif

int thread_cores(void)
{
    long n = cores_in_mask();
    if (n < 1)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    double quota = container_quota();
    if (quota > 0 && ceil(quota) < (double)n)
        n = (long)ceil(quota);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int)n;
}
