/* SPDX-License-Identifier: MIT */
/*
 * A fast kernel, prepared for one layer: what its maker fills in, and how it is called.
 *
 * Makers see shapes, strides and constant weights and choose; a run then has
 * nothing to decide. Work is split into units whose results don't depend on how
 * the units are shared out, so that the bits are the same for any thread count.
 */
#ifndef RF_KERNELS_KERNEL_H
#define RF_KERNELS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "ops/task.h"

/* Where the elements of a tensor lie: first element + SUM strides[k] * index[k], in elements.
 * A stride may be 0 (repeated) or negative in what is read, never in what is written. */
typedef struct rf_strided {
    int32_t rank;
    int64_t dims[RF_MAX_RANK];
    int64_t strides[RF_MAX_RANK];
} rf_strided;

typedef struct rf_kernel_call {
    void *const *data;  /* first elements of the operands, in the order that the spec states */
    const void *packed; /* what `pack` wrote, 64-byte aligned */
    void *scratch;      /* this worker's, 64-byte aligned */
    size_t begin, end;  /* units to do */
} rf_kernel_call;

/* What `pack` reads: weights as ONNX orders them, at any alignment, and NULL or a bias for each output channel. */
typedef struct rf_unpacked {
    const void *weights;
    const float *bias;
    uint64_t skipped; /* bytes of the weights that come before `weights`; 0 but for a part that doesn't read them */
} rf_unpacked;

typedef struct rf_work {
    const char *algorithm; /* static text for reports, such as "direct 14x32" */
    const void *plan;      /* the kernel's own, in the arena that its maker was given */
    void (*run)(const void *plan, const rf_kernel_call *call);
    size_t units;          /* at least 1, unless there is nothing to do */
    size_t grain;          /* units worth handing to a worker at once; at least 1 */
    uint64_t scratch_bytes; /* for each worker */
    uint64_t packed_bytes; /* 0: no weights to prepare */
    rf_unpacked unpacked;  /* the spec's; `pack` is given others of the same shapes where those are NULL */
    void (*pack)(const void *plan, const rf_unpacked *from, void *packed);
    size_t packing_parts;  /* 0, or the parts that `pack` can be done in instead, in any order or at once */
    void (*pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t part);
    uint64_t part_bytes;   /* of the weights that each part reads, one part's after another's; 0: from all over them */
    uint64_t operations;   /* about how many multiply-adds in all, to decide whether threads pay */
    uint64_t packing;      /* tells apart what `pack` makes of a layer's weights for different extents of its
                              tensors, where `algorithm` does not; 0 where it makes the same */
} rf_work;

/* What is done to an element before it is stored: map(x + residual). */
typedef struct rf_epilogue {
    bool residual; /* an operand of the output's shape is added */
    rf_map map;
} rf_epilogue;

/* operands: input, output, residual and factors (where there are any). Input is [N, C, spatial...]. */
typedef struct rf_convolution_spec {
    int32_t axes; /* 1 to 3 */
    rf_window windows[RF_MAX_SPATIAL];
    bool transposed;
    int64_t groups;
    rf_strided input, output, residual;
    const void *weights; /* float32 as ONNX orders them, any alignment; alive as long as the model. NULL where
                            they are known only in a run, and so may the bias be: see rf_work.unpacked */
    bool reversed;       /* of makers alone: a transposed convolution done as one that isn't, by its weights */
    const float *scale;  /* NULL, or a factor for each output channel's weights */
    const float *bias;   /* NULL, or one for each output channel */
    rf_epilogue epilogue;
    bool factors;        /* an operand has a number for each input channel, which the input is multiplied by */
    int64_t factor_stride; /* in elements, from one to the next */
    bool exact;          /* no algorithm that rounds differently from a sum of products */
    bool bfloat16;       /* products of numbers rounded to bfloat16 will do; only where rf_machine_has_bfloat16() */
    int32_t candidate;   /* 0: the way that should be fastest. From 1 to RF_CONVOLUTION_CANDIDATES: one of all the
                            ways that are as accurate as asked for, in an order of the maker's own; false where
                            it has none of that number */
} rf_convolution_spec;

enum { RF_CONVOLUTION_CANDIDATES = 22 };

/*
 * operands: a, output, residual (where there is one), and after them b where it has no `constant`.
 * Output [.., m, n] = alpha * a [.., m, k] b [.., k, n] + bias, batch axes broadcast by strides:
 * a, b and output have the same rank, with a batch stride of 0 where repeated.
 */
typedef struct rf_matmul_spec {
    rf_strided a, b, output, residual;
    const void *constant; /* b's elements (any alignment) where they are constant, else NULL */
    float alpha;
    const float *scale;   /* NULL, or a factor for each column n of b */
    const float *bias;    /* NULL, or one for each column n */
    rf_epilogue epilogue;
    bool bfloat16;        /* as a convolution's; of a constant b */
} rf_matmul_spec;

/*
 * operands: input, output, and the input's zero point where that is not known. A convolution of 8-bit
 * integers less their zero points by constants; without axes a product of [rows, C] by a matrix.
 * Outputs are the sums, as int32 that wraps around, or 8 bits: limit(scale * sum + shift), rounded with
 * halves to even, plus the output's zero point.
 */
typedef struct rf_integer_sum_spec {
    int32_t axes;
    rf_window windows[RF_MAX_SPATIAL];
    int64_t groups;
    rf_strided input, output;
    rf_dtype input_type, weight_type; /* int8 or uint8 */
    rf_dtype output_type;             /* int32, int8 or uint8 */
    const void *weights;              /* alive as long as the model; taps are next to each other */
    int64_t weight_output, weight_channel; /* elements from one to the next */
    const int32_t *weight_zero;       /* NULL, or one for each output channel, alive as long as the model */
    bool input_zero_known;
    int32_t input_zero;
    const int32_t *bias;              /* NULL, or one for each output channel, added to its sums */
    const double *scale, *shift;      /* finite, one for each output channel; shift may be NULL */
    double low, high;                 /* the limits, which leave what fits the type once the zero point is added */
    int32_t output_zero;
} rf_integer_sum_spec;

/* operands: first, second where `paired`, output; inputs have the output's rank, stride 0 where broadcast.
 * Computed in float32, each function rounded once; levels are the quotient's nearest, halves to even, and
 * the nearest that there is. The map is RF_MAP_NONE, RF_MAP_RELU or RF_MAP_CLIP. */
typedef struct rf_levels_spec {
    bool paired;
    rf_pair_function function; /* RF_PAIR_ADD, RF_PAIR_SUB or RF_PAIR_MUL */
    rf_map map;
    rf_levels levels[3];       /* of first, second and output */
    rf_strided first, second, output;
} rf_levels_spec;

/* operands: input, output. */
typedef struct rf_pool_spec {
    rf_dtype dtype; /* of elements; of other ones than float32, which are int8 or uint8, maxima alone */
    int32_t axes;
    rf_window windows[RF_MAX_SPATIAL];
    bool average, count_include_pad;
    rf_strided input, output;
    rf_map map;
} rf_pool_spec;

/* The gradient of a convolution's weights from its input [N, C_in, ...] and dL/d(output), [N, C_out, ...],
 * of no more positions than the windows state. */
typedef struct rf_weight_gradient_spec {
    int32_t axes;
    rf_window windows[RF_MAX_SPATIAL];
    int64_t groups;
    rf_strided input, gradient, output; /* the output as the weights: [C_out, C_in / groups, kernel...] */
} rf_weight_gradient_spec;

/* Two works, one after the other, with a buffer of floats between them. Operands of the first: input, gradient,
 * the buffer; of the second: the buffer, output. */
typedef struct rf_weight_gradient_work {
    rf_work sum, join;
    int64_t partial_floats;
} rf_weight_gradient_work;

/* operands: gradient by the pool's output, input where maxima, output. The output has the input's dims. */
typedef struct rf_pool_gradient_spec {
    int32_t axes;
    rf_window windows[RF_MAX_SPATIAL];
    bool average, count_include_pad;
    rf_strided gradient, input, output; /* `input` of maxima only */
} rf_pool_gradient_spec;

/* operands: gradient, x, output, of equal dims: gradient * rf_map_slope(x). The output may be the same memory
 * with the same strides as one of the others. */
typedef struct rf_slope_spec {
    rf_strided gradient, x, output;
    rf_map map;
    bool of_output;
} rf_slope_spec;

/* operands: input, output, of equal dims. They may be the same memory with the same strides. */
typedef struct rf_map_spec {
    rf_strided input, output;
    rf_map map;
} rf_map_spec;

/* operands: first, second, output; inputs have the output's rank, stride 0 where broadcast. The
 * output may be the same memory with the same strides as an input. */
typedef struct rf_pair_spec {
    rf_pair_function function;
    rf_strided first, second, output;
    rf_map map; /* applied to the result */
} rf_pair_spec;

/* operands: input, output. output = map(scale[c] * input + shift[c]), c along axis 1. May be in place. */
typedef struct rf_scale_spec {
    rf_strided input, output;
    const float *scale, *shift;
    rf_map map;
} rf_scale_spec;

/* operands: input, output. The output has the input's rank, with extent 1 on reduced axes. */
typedef struct rf_reduce_spec {
    rf_reduce_function function;
    uint32_t axes;
    rf_strided input, output;
} rf_reduce_spec;

/* operands: input, output, of equal dims. May be in place. */
typedef struct rf_softmax_spec {
    int32_t first, last;
    bool logarithm;
    rf_strided input, output;
} rf_softmax_spec;

/* operands: input, output. */
typedef struct rf_resample_spec {
    rf_strided input, output;
    rf_axis_taps taps[RF_MAX_RANK];
} rf_resample_spec;

/* operands: input, output, of equal dims and any element type of 1, 2, 4 or 8 bytes (16: complex). */
typedef struct rf_copy_spec {
    size_t element_bytes;
    rf_strided input, output;
} rf_copy_spec;

/* operands: output, whose elements all get the value. */
typedef struct rf_fill_spec {
    size_t element_bytes;
    unsigned char value[16];
    rf_strided output;
} rf_fill_spec;

/*
 * The kernels of one instruction set. A maker returns false where its kernel cannot do what the
 * spec asks (or the arena has no memory: see rf_arena.refused); the plan then tries another way.
 */
typedef struct rf_kernels {
    const char *isa; /* "avx512", "avx2", "baseline", "neon" */
    int vector_bytes;
    bool (*convolution)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);
    bool (*matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work);
    bool (*integer_sum)(const rf_integer_sum_spec *spec, rf_arena *arena, rf_work *work);
    bool (*levels)(const rf_levels_spec *spec, rf_arena *arena, rf_work *work);
    bool (*pool)(const rf_pool_spec *spec, rf_arena *arena, rf_work *work);
    bool (*weight_gradient)(const rf_weight_gradient_spec *spec, rf_arena *arena, rf_weight_gradient_work *work);
    bool (*pool_gradient)(const rf_pool_gradient_spec *spec, rf_arena *arena, rf_work *work);
    bool (*slope)(const rf_slope_spec *spec, rf_arena *arena, rf_work *work);
    bool (*map)(const rf_map_spec *spec, rf_arena *arena, rf_work *work);
    bool (*pair)(const rf_pair_spec *spec, rf_arena *arena, rf_work *work);
    bool (*scale)(const rf_scale_spec *spec, rf_arena *arena, rf_work *work);
    bool (*reduce)(const rf_reduce_spec *spec, rf_arena *arena, rf_work *work);
    bool (*softmax)(const rf_softmax_spec *spec, rf_arena *arena, rf_work *work);
    bool (*resample)(const rf_resample_spec *spec, rf_arena *arena, rf_work *work);
    bool (*copy)(const rf_copy_spec *spec, rf_arena *arena, rf_work *work);
    bool (*fill)(const rf_fill_spec *spec, rf_arena *arena, rf_work *work);
    /* Does multiply-adds that wait for nothing, in proportion to `steps`, and tells how many: over the
     * time, the processor's peak. */
    uint64_t (*spin)(uint64_t steps);
    const struct rf_updates *updates; /* kernels/update.h */
} rf_kernels;

#endif
