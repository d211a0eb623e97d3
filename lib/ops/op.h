/* SPDX-License-Identifier: MIT */
/*
 * What an operator is: one row, in the file of its family.
 *
 * Every walk (shapes, fields, costs) asks the row and never the operator's
 * name. A new operator is a row in a family file and a line in operators.def.
 */
#ifndef RF_OPS_OP_H
#define RF_OPS_OP_H

#include <stdbool.h>

#include <rfield/analysis.h>
#include <rfield/network.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/failure.h"
#include "ops/link.h"

/* The newest ONNX operator set whose meanings the rows follow. */
#define RF_NEWEST_OPSET 21

/* A tensor of a network with its shape known. */
typedef struct rf_value {
    const char *name;
    rf_dtype dtype;
    rf_shape shape;
    uint64_t bytes;               /* of the whole tensor, known once the shape is accepted */
    const rf_tensor *declaration; /* input, constant or stated shape; NULL where none */
    const void *data;             /* row-major elements where they are known; any alignment */
    size_t data_bytes;
    int32_t producer;             /* index of the node; -1 for inputs and constants */
    bool constant;                /* depends on no network input */
    bool in_description;          /* a constant that the description declares */
    bool ragged;                  /* extents are upper bounds: `evaluate` sets the real ones */
    struct rf_node *deferred;     /* computes the elements, which are known but not there yet; NULL for none */
} rf_value;

/* A weight that the description implies without naming a tensor. */
typedef struct rf_implied {
    rf_shape shape;
    bool statistic; /* running mean or variance */
    struct rf_implied *next;
} rf_implied;

/* One layer, resolved: what a row's functions work on. */
typedef struct rf_node {
    const rf_layer *layer;
    const char *name;          /* never NULL */
    const struct rf_op *op;    /* NULL for an operator without a row, where that is allowed */
    const void *params;        /* the row's parameter struct, attributes applied */
    rf_value **inputs;         /* NULL where omitted */
    rf_value **outputs;        /* NULL where omitted */
    uint32_t input_count, output_count;
    int32_t opset;
    rf_implied *implied;       /* a list; NULL for none */
    void *state;               /* what `infer` leaves for the other functions; may be NULL */
    void *scratch;             /* in `evaluate`: as many bytes as the row's `scratch` asks for */
    rf_counts *tally;          /* in `evaluate`: where it adds the operations that it does; may be NULL */
    rf_arena *arena;
    const rf_limits *limits;
    rf_error *error;
} rf_node;

/* An attribute that a row accepts and where in its parameter struct the value goes. */
typedef struct rf_attribute_spec {
    const char *name;
    rf_attribute_type type;
    size_t offset;    /* of: int64_t, float, const char *, rf_ints, rf_floats, rf_strings, const rf_tensor * */
    bool required;
} rf_attribute_spec;

typedef struct rf_ints {
    size_t count;
    const int64_t *at; /* NULL where the attribute is absent */
} rf_ints;

typedef struct rf_floats {
    size_t count;
    const float *at;
} rf_floats;

typedef struct rf_strings {
    size_t count;
    const char *const *at;
} rf_strings;

/* How published conventions classify an operator. */
typedef enum rf_op_class {
    RF_CLASS_OTHER,        /* moves or selects data */
    RF_CLASS_CONVOLUTION,  /* transposed too */
    RF_CLASS_DENSE,        /* Gemm, MatMul with a constant */
    RF_CLASS_MATMUL,
    RF_CLASS_BATCH_NORM,
    RF_CLASS_NORM,         /* other normalisations */
    RF_CLASS_ACTIVATION,
    RF_CLASS_MAX_POOL,     /* global too */
    RF_CLASS_AVERAGE_POOL, /* global and Lp too */
    RF_CLASS_ELEMENTWISE,
    RF_CLASS_REDUCTION,
    RF_CLASS_SOFTMAX
} rf_op_class;

/* What a layer computes, from its shapes alone. Zeroed before `cost` is asked. */
typedef struct rf_cost {
    rf_counts dense, valid;
    uint64_t bias_additions; /* part of dense.additions that adds a bias */
    uint64_t window_taps;    /* kernel elements of a convolution or pool, one channel; 0 otherwise */
} rf_cost;

struct rf_task;
struct rf_gradient;

typedef struct rf_op {
    const char *type;
    rf_op_class class;
    bool own;                          /* of the domain "rfield", unknown to ONNX */
    uint32_t min_inputs, max_inputs;   /* RF_MANY for no bound */
    uint32_t min_outputs, max_outputs;

    /* Attributes: a list ended by a NULL name, or NULL; the struct they fill, or 0 bytes. */
    const rf_attribute_spec *attributes;
    const void *defaults;
    size_t params_size;

    /* Bit i set: a constant at input i is a trainable parameter, or a running statistic. */
    uint32_t parameter_inputs, statistic_inputs;

    /* A constant that passes through is a weight of its own: exporters write parameters of equal
     * values once and make the others from it by this operator. */
    bool copies_weights;

    /* Checks the layer and sets dtype and shape of every output that is not NULL.
     * May set `data` of an output whose elements follow from shapes alone. */
    rf_status (*infer)(rf_node *node);

    /* Says which elements of input `input` the elements of output `output` see: one link for each
     * axis of that input. Called only after `infer`. NULL means rf_link_broadcast. */
    void (*link)(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

    /* Counts operations. NULL means none. False on overflow of 64 bits. */
    bool (*cost)(const rf_node *node, rf_cost *cost);

    /* The reference: computes `data` of the outputs (memory of the right size, any content) from
     * the inputs' data, all row-major without gaps and of any alignment. Called while shapes are
     * inferred, where all inputs are known, and when a network runs: it allocates nothing, keeps
     * nothing, and writes only the outputs, the scratch and the tally. Floats of 32 bits and fewer
     * are computed in double and rounded once. An output that is `ragged` gets its real shape.
     * Types that it does not compute with: RF_ERROR_UNSUPPORTED. NULL where the row cannot run. */
    rf_status (*evaluate)(rf_node *node);

    /* Bytes of working memory for `evaluate`, aligned for any type. NULL: none. False on overflow. */
    bool (*scratch)(const rf_node *node, uint64_t *bytes);

    /* Says what the layer is in terms of the few tasks that fast kernels know (ops/task.h). False,
     * or NULL, where no task fits: the layer then runs by `evaluate`. */
    bool (*lower)(const rf_node *node, struct rf_task *task);

    /* Describes, by layers that it adds (ops/gradient.h), the derivatives of a loss by the node's
     * inputs from those by its outputs. NULL where the row has none: a network that needs it
     * cannot be trained. Called only after `infer`. */
    rf_status (*gradient)(const rf_node *node, struct rf_gradient *to);
} rf_op;

#define RF_MANY UINT32_MAX

/* The domain of operators that ONNX lacks. ONNX's are there too, always as in RF_NEWEST_OPSET. */
#define RF_OWN_DOMAIN "rfield"

/* The row for `type` of a domain, which is NULL, "" or "ai.onnx" for ONNX's own; NULL for none. */
const rf_op *rf_op_find(const char *domain, const char *type);
bool rf_is_own_domain(const char *domain);

/* All rows, sorted by type. */
const rf_op *const *rf_op_all(size_t *count);

/* ---- Helpers for rows ------------------------------------------------------------------- */

/* Reports a failure of this layer: the message is prefixed with its name and operator. */
__attribute__((format(printf, 3, 4)))
rf_status rf_node_fail(const rf_node *node, rf_status status, const char *format, ...);

/* Input `i`, or NULL where omitted or absent. */
static inline rf_value *rf_input(const rf_node *node, uint32_t i)
{
    return i < node->input_count ? node->inputs[i] : NULL;
}

static inline rf_value *rf_output(const rf_node *node, uint32_t i)
{
    return i < node->output_count ? node->outputs[i] : NULL;
}

/* Input `i`; an error that calls it `what` where omitted. */
rf_status rf_node_require(const rf_node *node, uint32_t i, const char *what, rf_value **value);

/* Sets an output that is not omitted. */
void rf_set_output(const rf_node *node, uint32_t i, rf_dtype dtype, const rf_shape *shape);

/* Output 0 has the type and shape of input 0: an `infer` in itself. */
rf_status rf_infer_same(rf_node *node);

/* Elements of a shape whose dims are known; rf_node_fail(RF_ERROR_OVERFLOW) where too many. */
rf_status rf_node_elements(const rf_node *node, const rf_shape *shape, uint64_t *elements);

/* Elements of a shape that the walk has already accepted, so that the product cannot overflow. */
uint64_t rf_elements(const rf_shape *shape);

/* Bits of an element; 0 for a type without a fixed size. */
uint32_t rf_dtype_bits(rf_dtype dtype);
/* The ONNX name in lower case, such as "float32". */
const char *rf_dtype_name(rf_dtype dtype);
bool rf_dtype_is_float(rf_dtype dtype);
bool rf_dtype_is_integer(rf_dtype dtype);

/* Bytes of a whole tensor: the one place that computes them. False on overflow. */
bool rf_tensor_bytes(rf_dtype dtype, const rf_shape *shape, uint64_t *bytes);

bool rf_shape_equal(const rf_shape *a, const rf_shape *b);

/* "[1,3,224,224]", for messages. */
typedef struct rf_shape_text { char text[RF_MAX_RANK * 21 + 3]; } rf_shape_text;
rf_shape_text rf_shape_print(const rf_shape *shape);

/* ONNX's multidirectional broadcasting of two shapes. */
rf_status rf_node_broadcast(const rf_node *node, const rf_shape *a, const rf_shape *b, rf_shape *out);

/* Makes `axis` (negative from the end) an index below `rank`. `what` names it in the error. */
rf_status rf_node_axis(const rf_node *node, const char *what, int64_t axis, int64_t rank, int32_t *out);

/* Declares a weight that no input carries. */
rf_status rf_node_imply(rf_node *node, const rf_shape *shape, bool statistic);

/* Element `i` of a value whose data is known, converted; floats are truncated towards zero by
 * rf_value_int, which gives a uint64 as the int64_t of the same bits. Types: bool (0 or 1), all
 * integers and floats of at least a byte, but for the 8-bit floats. */
int64_t rf_value_int(const rf_value *value, uint64_t i);
double rf_value_float(const rf_value *value, uint64_t i);

/* Stores into `data` of type `dtype`, an output's buffer in `evaluate`. An integer wraps around where the
 * type cannot hold it; a float is truncated and limited to an integer type's range, NaN becoming 0. */
void rf_store_int(void *data, rf_dtype dtype, uint64_t i, int64_t element);
void rf_store_float(void *data, rf_dtype dtype, uint64_t i, double element);

/* A list of integers that is an input tensor (in newer operator sets) or an attribute: copied to
 * the arena. RF_ERROR_UNSUPPORTED where the input's elements are not known before running.
 * *ints has at == NULL where neither is present. */
rf_status rf_node_ints(const rf_node *node, uint32_t input, const rf_ints *attribute,
                       const char *what, rf_ints *ints);

/* Memory for an output's data, `bytes` computed from dtype and shape; refuses more elements than
 * limits->folded_elements by returning RF_OK with *data NULL. */
rf_status rf_node_take_data(const rf_node *node, rf_value *value, void **data);

/* The links of element-wise operators: axes matched from the right, extent 1 read at 0. */
void rf_link_broadcast(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);
/* Every axis of the input is seen whole. */
void rf_link_everything(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

/* The links of one input, from its row; room for RF_MAX_RANK. An operator without a row sees
 * everything. False where the output does not depend on the input's elements. */
bool rf_node_links(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

#endif
