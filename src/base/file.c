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
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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

int file_mkdir(const char *path)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_dir(path)))
        return 0;
    return error_set("%s: cannot make the directory: %s", path, strerror(errno));
}

int file_create(file_out *o, const char *path)
{
    *o = (file_out){0};
    size_t n = strlen(path);
    o->path = mem_strndup(path, n);
    o->temp = mem_alloc(n + 32, 1);
    if (o->path && o->temp) {
        snprintf(o->temp, n + 32, "%s.tmp-%ld", path, (long)getpid());
        o->f = fopen(o->temp, "wb");
        if (o->f)
            return 0;
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
    if (fflush(o->f) != 0 || fsync(fileno(o->f)) != 0) {
        error_set("%s: cannot write: %s", o->path, strerror(errno));
        file_abort(o);
        return -1;
    }
    int closed = fclose(o->f);
    o->f = NULL;
    if (closed != 0 || rename(o->temp, o->path) != 0) {
        error_set("%s: cannot write: %s", o->path, strerror(errno));
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
