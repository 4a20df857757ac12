/* A hash map from byte strings to 64-bit values: open addressing, keys are borrowed unless the owner says
 * otherwise (see map_put). */
#ifndef MICA_BASE_MAP_H
#define MICA_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct map_entry {
    const char *key; /* NULL: free */
    uint32_t len, hash;
    uint64_t value;
} map_entry;

/* Zero-initialise. */
typedef struct map {
    map_entry *entries;
    size_t count, cap; /* cap is 0 or a power of two */
} map;

/* Makes room for n keys in advance. 0, or -1 when out of memory. */
int map_reserve(map *m, size_t n);
/* Sets key to value; the key's bytes must outlive the map. 0, or -1 when out of memory. */
int map_put(map *m, const char *key, size_t len, uint64_t value);
/* The entry's value in *value (may be NULL); false when the key is absent. */
bool map_get(const map *m, const char *key, size_t len, uint64_t *value);
void map_free(map *m);

#endif
