/* A main for fuzz targets where libFuzzer is not there: runs LLVMFuzzerTestOneInput over the files given, and
 * over every file of the folders given. It prints the name of each file before it is run, so that the last
 * name in the log is the one that crashed, and closes with "ok TARGET: N inputs" for the test counter.
 *
 * With no file at all it runs the empty input alone. Each input is copied to a block of exactly its size: a
 * read past its end is then one that the sanitizers see. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static size_t inputs;

/* The bytes of a file in a block of exactly that size, or NULL with a message. */
static uint8_t *read_whole(const char *path, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    FILE *f = fopen(path, "rb");
    size_t got = data && f ? fread(data, 1, size, f) : 0;
    if (f)
        fclose(f);
    if (!data || !f || got != size) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        free(data);
        return NULL;
    }
    return data;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), failed = 0;
    if (n < 0) {
        fprintf(stderr, "replay: cannot list %s\n", path);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        size_t length = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *child = entries[i]->d_name[0] == '.' ? NULL : malloc(length);
        if (child) {
            snprintf(child, length, "%s/%s", path, entries[i]->d_name);
            failed |= replay(child);
        }
        free(child);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "replay: there is no %s\n", path);
        return -1;
    }
    if (S_ISDIR(st.st_mode))
        return replay_folder(path);
    uint8_t *data = read_whole(path, (size_t)st.st_size);
    if (!data)
        return -1;
    printf("replaying %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    free(data);
    inputs++;
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    if (argc < 2) {
        uint8_t *none = malloc(1);
        LLVMFuzzerTestOneInput(none, 0);
        free(none);
        inputs++;
    }
    const char *name = strrchr(argv[0], '/');
    printf("%s %s: %zu inputs\n", failed ? "not ok" : "ok", name ? name + 1 : argv[0], inputs);
    return failed ? 1 : 0;
}
