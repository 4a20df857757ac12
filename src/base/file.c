/* Files that come from outside and files that must not be half written.
 *
 * Reading opens without waiting, so that a pipe under a model file's name is an error and not a hang. Writing
 * goes to a new file beside the target, which it replaces when it is complete; a target that is a device or a
 * pipe is written directly, for a rename would put a plain file in its place. */
#include "base/file.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file and tells its size. */
static int open_regular(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set("%s: %s", path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) != 0)
        error_set("%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error_set("%s: not a regular file", path);
    else {
        *size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

int file_map_open(file_map *m, const char *path)
{
    *m = (file_map){"", 0};
    size_t size;
    int fd = open_regular(path, &size);
    if (fd < 0)
        return -1;
    if (size) {
        void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            error_set("%s: cannot map %zu bytes: %s", path, size, strerror(errno));
            close(fd);
            return -1;
        }
        *m = (file_map){p, size};
    }
    close(fd);
    return 0;
}

void file_map_close(file_map *m)
{
    if (m->size)
        munmap((void *)(size_t)m->data, m->size);
    *m = (file_map){"", 0};
}

int file_read(const char *path, size_t limit, char **data, size_t *size)
{
    size_t n, done = 0;
    int fd = open_regular(path, &n);
    if (fd < 0)
        return -1;
    char *p = n <= limit ? mem_alloc(n + 1, 1) : NULL;
    if (!p) {
        error_set("%s: %zu bytes are more than the limit of %zu", path, n, limit);
        close(fd);
        return -1;
    }
    while (done < n) {
        ssize_t got = read(fd, p + done, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    close(fd);
    if (done < n) {
        mem_free(p);
        return error_set("%s: read %zu of %zu bytes", path, done, n);
    }
    p[n] = 0;
    *data = p;
    *size = n;
    return 0;
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    bool slash = a > 0 && dir[a - 1] == '/';
    char *p = mem_alloc(a + b + 2, 1);
    if (!p)
        return NULL;
    memcpy(p, dir, a);
    if (!slash)
        p[a++] = '/';
    memcpy(p + a, name, b + 1);
    return p;
}

static bool make_dir(const char *path)
{
    return mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_dir(path));
}

int file_mkdir(const char *path)
{
    char *part = mem_strdup(path);
    if (!part)
        return -1;
    bool made = true;
    for (char *p = part + 1; made && *part && *p; p++)
        if (*p == '/' && p[-1] != '/') {
            *p = 0;
            made = make_dir(part);
            *p = '/';
        }
    made = made && make_dir(part);
    mem_free(part);
    return made ? 0 : error_set("%s: cannot make the folder: %s", path, strerror(errno));
}

/* Makes a new file (*fd, for writing) or, with fd NULL, a new folder, named after path; returns its name.
 * Names that are taken are passed over: a process that was killed leaves its own, and in containers that
 * share a disk two may have the same id. */
static char *make_temporary(const char *path, int *fd)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *temp = mem_alloc(n + 64, 1);
    for (int k = 0; temp && k < 1000; k++) {
        memcpy(temp, path, n);
        snprintf(temp + n, 64, ".tmp-%ld-%d", (long)getpid(), k);
        int made = fd ? *fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : mkdir(temp, 0777);
        if (made >= 0)
            return temp;
        if (errno != EEXIST)
            break;
    }
    if (temp)
        error_set("%s: cannot create: %s", path, strerror(errno));
    mem_free(temp);
    return NULL;
}

char *file_temporary_dir(const char *path) { return make_temporary(path, NULL); }

int file_create(file_out *o, const char *path)
{
    *o = (file_out){0};
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return error_set("%s: cannot create: it is a folder", path);
    int fd = -1;
    o->path = mem_strdup(path);
    if (o->path && exists && !S_ISREG(st.st_mode)) {
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            error_set("%s: cannot open: %s", path, strerror(errno));
    } else if (o->path) {
        o->temp = make_temporary(path, &fd);
    }
    o->f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (o->f)
        return 0;
    if (fd >= 0) {
        close(fd);
        error_set("%s: cannot create: %s", path, strerror(errno));
    }
    file_abort(o);
    return -1;
}

int file_write(file_out *o, const void *p, size_t n)
{
    if (n && fwrite(p, 1, n, o->f) != n)
        return error_set("%s: cannot write: %s", o->path, strerror(errno));
    return 0;
}

int file_commit(file_out *o)
{
    bool ok = fflush(o->f) == 0 && (!o->temp || fsync(fileno(o->f)) == 0);
    int problem = errno;
    if (fclose(o->f) != 0 && ok) {
        ok = false;
        problem = errno;
    }
    o->f = NULL;
    if (ok && o->temp && rename(o->temp, o->path) != 0) {
        ok = false;
        problem = errno;
    }
    if (!ok) {
        error_set("%s: cannot write: %s", o->path, strerror(problem));
        file_abort(o);
        return -1;
    }
    mem_free(o->path);
    mem_free(o->temp);
    *o = (file_out){0};
    return 0;
}

void file_abort(file_out *o)
{
    if (o->f) {
        fclose(o->f);
        o->f = NULL;
    }
    if (o->temp)
        unlink(o->temp);
    mem_free(o->path);
    mem_free(o->temp);
    *o = (file_out){0};
}

int file_save(const char *path, const void *data, size_t size)
{
    file_out o;
    if (file_create(&o, path))
        return -1;
    if (file_write(&o, data, size)) {
        file_abort(&o);
        return -1;
    }
    return file_commit(&o);
}
