/* The elementwise family: its three big parts (functions of one argument, of two, casts) lie in files of
 * their own; copy and select, which know only the size of an element, are here. */
#include "cpu/isa/elementwise_parts.h"
#include "cpu/isa/loops.h"

#include <string.h>

#define T uint8_t
#include "cpu/isa/move_tmpl.h"
#undef T
#define T uint16_t
#include "cpu/isa/move_tmpl.h"
#undef T
#define T uint32_t
#include "cpu/isa/move_tmpl.h"
#undef T
#define T uint64_t
#include "cpu/isa/move_tmpl.h"
#undef T

void FILL(elementwise)(elementwise_kernels *t)
{
    FILL(elementwise_unary)(t);
    FILL(elementwise_binary)(t);
    FILL(elementwise_cast)(t);
    t->copy[0] = copy_uint8_t;
    t->copy[1] = copy_uint16_t;
    t->copy[2] = copy_uint32_t;
    t->copy[3] = copy_uint64_t;
    t->select[0] = select_uint8_t;
    t->select[1] = select_uint16_t;
    t->select[2] = select_uint32_t;
    t->select[3] = select_uint64_t;
}
