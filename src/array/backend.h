/* What a device back end is to the graph core: it computes one node whose inputs are ready. Defined by cpu/
 * (and later cuda/); the core knows nothing else about devices. */
#ifndef MICA_ARRAY_BACKEND_H
#define MICA_ARRAY_BACKEND_H

#include "array/node.h"

/* Computes n (and its outputs): gives it a buffer, data and strides. 0, or -1 with an error. */
int backend_cpu_eval(node *n);

#endif
