/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The description of a network: plain data that computes nothing.
 *
 * A C program writes one as static arrays; rf_network_load() builds the same
 * structures from a file. Operators and attributes carry ONNX's names and
 * meanings (https://onnx.ai/onnx/operators/), with two additions that let a
 * description do without weight tensors: `filters` and `bias` (see ::rf_layer).
 */
#ifndef RFIELD_NETWORK_H
#define RFIELD_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most dimensions that a tensor may have. */
#define RF_MAX_RANK 8

/** A dimension that is not known before the caller binds it. */
#define RF_UNKNOWN_DIM ((int64_t)-1)

/** Element types; the numbers are those of ONNX's TensorProto.DataType. */
typedef enum rf_dtype {
    RF_DTYPE_UNDEFINED = 0, /**< in an input of a hand-written network: float32 */
    RF_FLOAT32 = 1,
    RF_UINT8 = 2,
    RF_INT8 = 3,
    RF_UINT16 = 4,
    RF_INT16 = 5,
    RF_INT32 = 6,
    RF_INT64 = 7,
    RF_STRING = 8, /**< can be described, never computed with */
    RF_BOOL = 9,
    RF_FLOAT16 = 10,
    RF_FLOAT64 = 11,
    RF_UINT32 = 12,
    RF_UINT64 = 13,
    RF_COMPLEX64 = 14,
    RF_COMPLEX128 = 15,
    RF_BFLOAT16 = 16,
    RF_FLOAT8E4M3FN = 17,
    RF_FLOAT8E4M3FNUZ = 18,
    RF_FLOAT8E5M2 = 19,
    RF_FLOAT8E5M2FNUZ = 20,
    RF_UINT4 = 21, /**< two elements a byte */
    RF_INT4 = 22   /**< two elements a byte */
} rf_dtype;

/** Extents, outermost first. Rank 0 is a scalar. */
typedef struct rf_shape {
    int32_t rank;              /**< entries of `dims` that count */
    int64_t dims[RF_MAX_RANK]; /**< 0 or more, or RF_UNKNOWN_DIM */
} rf_shape;

/** The shape with the extents given: `RF_SHAPE(1, 3, 224, 224)`. */
#define RF_SHAPE(...)                                                      \
    {                                                                      \
        .rank = (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        .dims = { __VA_ARGS__ }                                            \
    }

/**
 * A declared tensor: a network's input, output or constant.
 *
 * `data` (constants only) is row-major, little-endian, of any alignment, and
 * belongs to the description. A constant without data has a shape that can be
 * analysed but no values.
 */
typedef struct rf_tensor {
    const char *name; /**< unique among a network's tensors */
    rf_dtype dtype;   /**< of its elements */
    rf_shape shape;   /**< a rank of -1 says that not even the rank is known */
    const char *const *dim_names; /**< NULL, or `rank` names of unknown dimensions, each maybe NULL */
    const void *data;  /**< NULL where the elements are not known */
    size_t data_bytes; /**< exactly those of the shape */
} rf_tensor;

/** What an attribute holds. */
typedef enum rf_attribute_type {
    RF_ATTRIBUTE_NONE = 0, /**< ends a list */
    RF_ATTRIBUTE_INT,
    RF_ATTRIBUTE_FLOAT,
    RF_ATTRIBUTE_STRING,
    RF_ATTRIBUTE_INTS,
    RF_ATTRIBUTE_FLOATS,
    RF_ATTRIBUTE_STRINGS,
    RF_ATTRIBUTE_TENSOR,
    RF_ATTRIBUTE_OTHER /**< a graph, map or sparse tensor: named but not held */
} rf_attribute_type;

/** A named value that sets an operator up. */
typedef struct rf_attribute {
    const char *name;       /**< ONNX's, or `filters` or `bias` */
    rf_attribute_type type; /**< which member of `value` is set */
    size_t count; /**< of a list; bytes of a string */
    union {
        int64_t i;
        float f;
        const char *s; /**< NUL-terminated too */
        const int64_t *ints;
        const float *floats;
        const char *const *strings;
        const rf_tensor *tensor;
    } value; /**< what the attribute holds */
} rf_attribute;

/** An integer attribute, in an initialiser. */
#define RF_INT(name_, value_) {.name = (name_), .type = RF_ATTRIBUTE_INT, .count = 1, .value = {.i = (value_)}}
/** A float attribute, in an initialiser. */
#define RF_FLOAT(name_, value_) {.name = (name_), .type = RF_ATTRIBUTE_FLOAT, .count = 1, .value = {.f = (value_)}}
/** A string attribute (a literal), in an initialiser. */
#define RF_TEXT(name_, value_) \
    {.name = (name_), .type = RF_ATTRIBUTE_STRING, .count = sizeof(value_) - 1, .value = {.s = (value_)}}
/** A list of integers, in an initialiser: `RF_INTS("kernel_shape", 3, 3)`. */
#define RF_INTS(name_, ...)                                            \
    {                                                                  \
        .name = (name_), .type = RF_ATTRIBUTE_INTS,                    \
        .count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),   \
        .value = {.ints = (const int64_t[]){__VA_ARGS__} }             \
    }
/** A list of floats, in an initialiser. */
#define RF_FLOATS(name_, ...)                                          \
    {                                                                  \
        .name = (name_), .type = RF_ATTRIBUTE_FLOATS,                  \
        .count = sizeof((float[]){__VA_ARGS__}) / sizeof(float),       \
        .value = {.floats = (const float[]){__VA_ARGS__} }             \
    }
/** The attributes of a layer, ended as ::rf_layer expects. A `static` array may use it at file scope only,
 * where C gives such lists the lifetime of the program. */
#define RF_ATTRIBUTES(...) ((const rf_attribute[]){__VA_ARGS__, {.name = NULL}})
/** The tensor names of a layer, ended as ::rf_layer expects. */
#define RF_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/**
 * One operator applied once.
 *
 * - `inputs` NULL means "what the layer before put out" (the network's first
 *   input, for the first layer). An omitted optional input is "".
 * - `outputs` NULL means one tensor that carries the layer's name.
 * - `name` may be NULL; the layer is then called by its first output, or by
 *   its operator and position ("Conv_12") where it names none.
 *
 * Without a weight tensor among its inputs, Conv, ConvTranspose and Gemm take
 * the attribute `filters` (output channels or features) and `bias` (1, the
 * default, or 0); BatchNormalization and the other normalisations take their
 * channel count from their input. Such weights are counted like any other.
 */
typedef struct rf_layer {
    const char *name;                /**< may be NULL */
    const char *type;                /**< ONNX's operator name, such as "Conv" */
    const char *domain;              /**< NULL or "" for ONNX's own operators */
    const char *const *inputs;       /**< names, ended by NULL */
    const char *const *outputs;      /**< names, ended by NULL */
    const rf_attribute *attributes;  /**< ended by one whose name is NULL; NULL for none */
} rf_layer;

/**
 * What lies behind the memory of constants, tensors among attributes included: a file that is mapped there, say.
 * Both functions may be called by several threads at once.
 */
typedef struct rf_backing {
    /** Copies `bytes` bytes of a constant from `from` on, without touching the memory there; false where it cannot,
     * so that they must be read in place. */
    bool (*read)(void *context, const void *from, size_t bytes, void *to);
    /** Nothing needs the `bytes` bytes from `from` on soon: memory may be given up that comes back by itself when
     * it is looked at. NULL and SIZE_MAX mean all. */
    void (*forget)(void *context, const void *from, size_t bytes);
    /** Handed to both functions. */
    void *context;
} rf_backing;

/**
 * A network: what goes in, the layers in any order, what comes out.
 *
 * All pointers must outlive every object made from the network. A network is
 * never written to by the library, so any number of threads may read one.
 */
typedef struct rf_network {
    const char *name;          /**< may be NULL */
    const rf_tensor *inputs;   /**< what a caller provides */
    size_t input_count;        /**< entries of `inputs` */
    const rf_tensor *outputs; /**< none: every tensor that no layer reads is an output */
    size_t output_count;       /**< entries of `outputs` */
    const rf_tensor *constants; /**< weights and the like */
    size_t constant_count;     /**< entries of `constants` */
    const rf_tensor *declared; /**< shapes stated for tensors between layers; may be none */
    size_t declared_count;     /**< entries of `declared` */
    const rf_layer *layers;    /**< a layer without inputs reads the one before it here */
    size_t layer_count;        /**< entries of `layers` */
    int32_t opset; /**< version of ONNX's operators; 0 for the newest that rfield knows */
    const rf_backing *backing; /**< of the constants; NULL where they are ordinary memory */
} rf_network;

/** The shape (and so the unknown dimensions) that a caller gives to an input. */
typedef struct rf_binding {
    const char *name; /**< of the input */
    rf_shape shape;   /**< RF_UNKNOWN_DIM where the description's extent shall stand */
} rf_binding;

#ifdef __cplusplus
}
#endif
#endif
