/* A model folder's weights: all of its model*.safetensors as one set of named tensors. */
#ifndef MICA_IO_CHECKPOINT_H
#define MICA_IO_CHECKPOINT_H

#include "base/map.h"
#include "io/safetensors.h"

typedef struct checkpoint_entry {
    const safetensors *file;
    const safetensors_tensor *tensor;
    bool used;
} checkpoint_entry;

typedef struct checkpoint {
    safetensors *files;
    size_t n_files;
    checkpoint_entry *entries; /* by file name, then by name */
    size_t count;
    map names; /* name -> index of entry */
} checkpoint;

/* Maps every model*.safetensors of a folder, in the order of their names. A file that the folder's index
 * names and that is not there, a name that two files have, and a folder without weights are errors. 0 or -1.
 */
int checkpoint_open(checkpoint *c, const char *dir);
/* Arrays stay valid. */
void checkpoint_close(checkpoint *c);
/* The entry of a name, or NULL. */
checkpoint_entry *checkpoint_find(checkpoint *c, const char *name);
/* Bytes of all tensors. */
size_t checkpoint_bytes(const checkpoint *c);

#endif
