/* The table of primitives and their parameters.
 *
 * A primitive is what a node can be. Its row (prim.def) says how shapes follow; its parameters, if any, are
 * one of the structs below, copied into the node. They are compared bytewise: fields leave no padding, and
 * unused entries of lists are not stored. */
#ifndef MICA_PRIM_PRIM_H
#define MICA_PRIM_PRIM_H

#include "array/node.h"
#include "mx.h"

enum prim {
    PRIM_None,
#define PRIM(name, ...) PRIM_##name,
#include "prim/prim.def"
#undef PRIM
    PRIM_COUNT
};

enum prim_flags {
    PRIM_NONE = 0,
    PRIM_ELEMENTWISE = 1,
    PRIM_VIEW = 2,
    PRIM_FLOATS = 4,
    PRIM_CALLS = 8,
    PRIM_VIEW_CALLS = PRIM_VIEW | PRIM_CALLS
};

/* Dtype and shape of one result. */
typedef struct prim_spec {
    mlx_dtype dtype;
    int ndim;
    int shape[MX_MAX_DIMS];
} prim_spec;

/* Results of primitives but those that have as many as their parameters say. */
enum { PRIM_FEW_OUTPUTS = 3 };

/* Fills specs for the results of a node with these inputs and parameters; the op has checked what the user
 * gave, so a rule only fails on what it alone can see. Returns the number of results, or -1: with an error,
 * or, when the inputs' shapes cannot be broadcast, without, and prim_make tells. */
typedef int (*prim_shape_rule)(node *const *in, size_t n, const void *params, prim_spec *out);

/* The gradients that flow from a node to its inputs; see prim/grad.h. */
struct grad_args;
typedef void (*prim_vjp_rule)(const struct grad_args *a, mlx_array *grads);

/* The results over a further axis of some inputs; see prim/vmap.h. */
struct vmap_args;
typedef void (*prim_vmap_rule)(const struct vmap_args *a, mlx_array *out, int *axes);

typedef struct prim_info {
    const char *name;
    int arity, flags;
    prim_shape_rule shape;
    prim_vjp_rule vjp;
    prim_vmap_rule vmap;
} prim_info;

extern const prim_info prim_table[PRIM_COUNT];

/* A lazy node of this primitive, as a temporary. Null inputs give null in silence. */
mlx_array prim_make(int prim, const mlx_array *inputs, size_t n, const void *params, size_t params_size);
/* The same for several results: out[0..n_out). 0, or -1 with an error and nulls in out. */
int prim_make_many(int prim, const mlx_array *inputs, size_t n, const void *params, size_t params_size,
                   mlx_array *out, int n_out);

/* The results' dtypes and shapes: their number, or -1 with an error. */
int prim_infer(int prim, node *const *in, size_t n, const void *params, prim_spec *specs);

/* Gives a new node of several results the plain nodes that hold them. 0, or -1 with an error. */
int prim_add_outputs(node *n, const prim_spec *specs, int count);

/* If n's primitive is a VIEW, or another whose result can be one here, makes n look into its input's buffer
 * and returns true. */
bool prim_view(node *n);

/* --- parameters --- */

/* Lists of ints: Broadcast, Reshape, Full (ndim, then the shape; Full's dtype is its input's; Reshape may
 * have one -1), Transpose (the axes). Broadcast and Full with more inputs than one have none: the shape is
 * what all broadcast to. */
typedef struct prim_axis {
    int32_t axis;
} prim_axis; /* Concatenate, GatherAxis, Sort, ArgSort */
typedef struct prim_partition {
    int32_t axis, kth;
} prim_partition; /* Partition, ArgPartition */
typedef struct prim_search {
    int32_t right;
} prim_search; /* SearchSorted */
typedef struct prim_dtype {
    int32_t dtype;
} prim_dtype; /* AsType, View */
typedef struct prim_arange {
    double start, step;
    int32_t dtype, count;
} prim_arange;
/* Load: from `offset` on in the file that the input is the source of (array/source.h). swapped: its bytes are
 * in the other order. */
typedef struct prim_load {
    int64_t offset;
    int32_t dtype, swapped;
    int32_t ndim, shape[];
} prim_load;
typedef struct prim_squeeze {
    uint32_t axes; /* bit i: axis i goes */
} prim_squeeze;
typedef struct prim_expand_dims {
    uint32_t axes; /* bit i: axis i of the result is new */
} prim_expand_dims;
typedef struct prim_flatten {
    int32_t start, end; /* these axes and those between become one */
} prim_flatten;
typedef struct prim_unflatten {
    int32_t axis, ndim, shape[]; /* what the axis becomes; one size may be -1 */
} prim_unflatten;
typedef struct prim_diagonal {
    int32_t offset, axis1, axis2;
} prim_diagonal;
/* AsStrided: sizes and strides of the result's axes over the row-major input, in elements. */
typedef struct prim_as_strided {
    int64_t offset, ndim;
    struct {
        int64_t size, stride;
    } axes[];
} prim_as_strided;
typedef struct prim_contiguous {
    int32_t allow_col_major;
} prim_contiguous;
/* Pad: a list of these, one an axis. */
typedef struct prim_pad {
    int32_t low, high;
} prim_pad;
/* DynamicSlice, DynamicSliceUpdate: the axes that the start positions (the last input, int64) are for; then,
 * DynamicSlice alone, the size of the slice on each axis. */
typedef struct prim_dynamic_slice {
    int32_t count, list[];
} prim_dynamic_slice;
typedef struct prim_number_of_elements {
    uint32_t axes;
    int32_t inverted, dtype;
} prim_number_of_elements;
/* Slice: a list of (start, size, stride) for each axis, start within the axis, stride not 0. */
typedef struct prim_range {
    int32_t start, size, stride;
} prim_range;
/* What an update does to the element that it meets. */
enum prim_update { PRIM_UPDATE_NONE, PRIM_UPDATE_SUM, PRIM_UPDATE_PROD, PRIM_UPDATE_MAX, PRIM_UPDATE_MIN };
typedef struct prim_slice_update {
    int32_t mode;
    prim_range ranges[];
} prim_slice_update;
typedef struct prim_scatter_axis {
    int32_t axis, mode;
} prim_scatter_axis;
typedef struct prim_item {
    int32_t index;
} prim_item;
/* Gather, Scatter: the first `count` ints of the list are axes[i] of index array i, the rest the slice's size
 * on each axis; mode is Scatter's. Inputs: x, the index arrays, and for Scatter the updates. */
typedef struct prim_gather {
    int32_t mode, count, list[];
} prim_gather;
enum prim_reduce_kind { PRIM_SUM, PRIM_PROD, PRIM_MAX, PRIM_MIN, PRIM_ALL, PRIM_ANY };
typedef struct prim_reduce {
    int32_t kind;
    uint32_t axes; /* bit i: axis i is reduced to size 1 */
} prim_reduce;
typedef struct prim_arg_reduce {
    int32_t smallest, axis;
} prim_arg_reduce;
enum prim_scan_kind {
    PRIM_SCAN_SUM,
    PRIM_SCAN_PROD,
    PRIM_SCAN_MAX,
    PRIM_SCAN_MIN,
    PRIM_SCAN_LOGADDEXP, /* of inexact dtypes only */
    PRIM_SCAN_KINDS
};
typedef struct prim_scan {
    int32_t axis, kind;
    int32_t reverse, inclusive;
} prim_scan;
typedef struct prim_addmm {
    float alpha, beta;
} prim_addmm;
enum { PRIM_CONV_DIMS = 3 };
/* One entry a spatial axis, those that are not there zero. */
typedef struct prim_conv {
    int32_t groups, flip;
    int32_t stride[PRIM_CONV_DIMS], low[PRIM_CONV_DIMS], high[PRIM_CONV_DIMS];
    int32_t kernel_dilation[PRIM_CONV_DIMS], input_dilation[PRIM_CONV_DIMS];
} prim_conv;
typedef struct prim_hadamard {
    float scale;
    int32_t transposed;
} prim_hadamard;
typedef struct prim_quant {
    int32_t group, bits, transpose, precision;
} prim_quant; /* Quantize, Dequantize, QuantizedMatmul, GatherQMM */
typedef struct prim_quant_fp {
    int32_t group, bits;
    int32_t dtype; /* DequantizeFP: of the result */
} prim_quant_fp;   /* QuantizeFP, DequantizeFP, QQMatmul: the mode follows from group and bits */
/* QQMatmul, the result of mx_qqmm, is its first input; the others say what it is the product of: x, w and,
 * or not, the scales of all of both. Its dtype is x's. */
typedef struct prim_norm {
    float eps;
    int32_t weight, bias; /* is there one? */
} prim_norm;
typedef struct prim_rope {
    int32_t dims, traditional, offset;
    float base, scale;
    int32_t freqs, offsets; /* are these inputs? in this order, after x */
} prim_rope;
typedef struct prim_attention {
    float scale;
    int32_t mask, sinks; /* inputs: q, k, v, the mask if it is an array, the sinks if there are any */
} prim_attention;
typedef struct prim_kv {
    mx_kv_layout layout;
    int32_t values; /* KVRead: those, not the keys */
} prim_kv;          /* KVWrite, KVRead */
typedef struct prim_paged {
    mx_paged_params params;
    int32_t sinks; /* is there a last input of those? */
} prim_paged;      /* PagedAttention */
/* Compiled: elementwise operations over blocks, in order. What an operation reads is an input of the node
 * (k >= 0), or register ~k; it writes to register ~out (out < 0), to the node's result `result` - 1, or both.
 */
typedef struct prim_compiled_op {
    uint16_t prim;
    uint8_t from, to; /* dtypes of what it reads (of Select: of the values) and writes */
    int16_t in[3], out, result;
} prim_compiled_op;
typedef struct prim_compiled {
    int32_t count, registers;
    prim_compiled_op ops[];
} prim_compiled;
enum { PRIM_COMPILED_OPS = 64, PRIM_COMPILED_INPUTS = 31, PRIM_COMPILED_REGISTERS = 32 };
/* Inputs of a primitive that can be such an operation, or 0. */
int prim_compiled_arity(int prim);
typedef struct prim_random_bits {
    int32_t width, ndim;
    int32_t shape[]; /* of the result, without the keys' axes */
} prim_random_bits;
typedef struct prim_fft {
    int32_t inverse, real, last; /* last: the result's size on the last axis listed */
    int32_t count, axes[];
} prim_fft;
typedef struct prim_vectors {
    int32_t vectors; /* wanted besides the values? */
} prim_vectors;      /* SVD, Eig */
typedef struct prim_eigh {
    int32_t vectors, upper; /* upper: the triangle that is read */
} prim_eigh;
typedef struct prim_inverse {
    int32_t tri, upper; /* of a triangular matrix */
} prim_inverse;
typedef struct prim_like {
    int32_t first, count; /* the results are like these inputs */
} prim_like;              /* CustomTransforms, CustomTangents */
typedef struct prim_upper {
    int32_t upper;
} prim_upper; /* Cholesky */

/* --- shapes, used by ops too --- */

/* The shape that a and b broadcast to, in out; its number of dimensions, or -1 if they do not. */
int shape_broadcast_dims(const int *a, int na, const int *b, int nb, int *out);
/* v as a size, or -1 with the error "[op] Shape dimension ... is outside the supported range". */
int shape_size(const char *op, int64_t v);
/* The shape with a -1 (at most one) replaced by what an array of `size` elements leaves for it; false,
 * without an error, if that does not work out. */
bool shape_infer(size_t size, const int *shape, int n, int *out);
/* "(2, 3, 4)" in a static buffer of the thread: at most four shapes live at once. */
const char *shape_text(const int *shape, int ndim);

#endif
