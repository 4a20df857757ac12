/* The prefixes that an idle cache holds, in a file and back: tokens, and blocks as their bytes lie in the
 * pools. */
#ifndef MICA_KV_CACHE_FILE_H
#define MICA_KV_CACHE_FILE_H

#include "kv/paged.h"

/* Writes all nodes and cached blocks. `key` says what made them. 0, or -1 and no file changed. */
int cache_file_save(const kv_blocks *b, const kv_paged *p, const char *path, const char *key);
/* Takes in what such a file has, the most recently used first if there is not room for all: blocks are cached
 * afterwards and used by nobody. -1 with an error when the file is none, or was made under another key; then
 * nothing is cached. */
int cache_file_load(kv_blocks *b, kv_paged *p, const char *path, const char *key);

#endif
