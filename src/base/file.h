/* Files: read-only mappings, whole reads with a limit, and safe replacement. */
#ifndef MICA_BASE_FILE_H
#define MICA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A file's bytes, mapped read-only and shared between processes. */
typedef struct file_map {
    const char *data;
    size_t size;
} file_map;

/* Maps a file; an empty file gives data "" and size 0. -1 with an error that names the path. */
int file_map_open(file_map *m, const char *path);
void file_map_close(file_map *m);

/* Reads a whole file, at most `limit` bytes, adds a NUL; the caller frees *data (mem_free). */
int file_read(const char *path, size_t limit, char **data, size_t *size);
bool file_exists(const char *path);
bool file_is_dir(const char *path);
/* "dir/name" in new memory. */
char *file_join(const char *dir, const char *name);
/* Makes a folder and those above it; it is no error if it is there. */
int file_mkdir(const char *path);
/* Makes a new, empty folder beside `path`, to be filled and renamed to it; returns its name (mem_free), or
 * NULL with an error. */
char *file_temporary_dir(const char *path);

/* A file written under a temporary name beside its target. Nothing is visible before file_commit, which
 * flushes, syncs and renames; file_abort removes the temporary. A target that exists and is no regular file
 * (/dev/null, a pipe) is written directly instead. */
typedef struct file_out {
    FILE *f;
    char *path, *temp; /* temp is NULL when the target is written directly */
} file_out;

int file_create(file_out *o, const char *path);
int file_write(file_out *o, const void *p, size_t n);
int file_commit(file_out *o);
void file_abort(file_out *o);
/* Writes a whole small file by the same way. */
int file_save(const char *path, const void *data, size_t size);

#endif
