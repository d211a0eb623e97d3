/* SPDX-License-Identifier: MIT */
/**
 * @file
 * What a network sees and costs, layer by layer, without running it.
 *
 * docs/receptive-fields.md and docs/counting.md define every number here.
 */
#ifndef RFIELD_ANALYSIS_H
#define RFIELD_ANALYSIS_H

#include <stdbool.h>

#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most spatial axes that a network input may have. */
#define RF_MAX_SPATIAL 3

/** Operations by kind. A multiply-accumulate counts in three of them. */
typedef struct rf_counts {
    uint64_t multiplications; /**< squares and scalings too */
    uint64_t additions;      /**< subtractions too */
    uint64_t activations;    /**< elements that an activation function is evaluated on */
    uint64_t comparisons;    /**< of maxima, minima and comparing operators */
    uint64_t divisions;      /**< reciprocals and remainders too */
    uint64_t exponentials;   /**< exponentials, logarithms and powers outside activations */
    uint64_t square_roots;   /**< reciprocal roots are a root and a division */
    uint64_t macs;           /**< taps of convolutions and matrix products, biases left out */
} rf_counts;

/** How an output index of one axis decides what it sees. */
typedef enum rf_axis_kind {
    RF_AXIS_AFFINE,   /**< stride * i + u0 .. stride * i + v0 */
    RF_AXIS_INTERVAL, /**< an interval per output, of size_min to size_max */
    RF_AXIS_WHOLE     /**< the whole input, for every output */
} rf_axis_kind;

/**
 * The receptive field along one spatial axis of a network input.
 *
 * Bounds are unclipped: positions below 0 or past the end are padding. For
 * RF_AXIS_AFFINE all members are exact. For RF_AXIS_WHOLE, `u0` and `v0` are 0
 * and the last index, `size` the extent, `stride` and `padding` 0. For
 * RF_AXIS_INTERVAL, `u0` and `v0` bound all outputs together, and
 * rf_field_at() answers for one.
 */
typedef struct rf_field_axis {
    rf_axis_kind kind;     /**< which of the members below mean something */
    int32_t output_axis;   /**< axis of the layer's output that i counts along; -1 for none */
    int64_t stride;        /**< effective stride S */
    int64_t u0;            /**< first input index seen by output 0 */
    int64_t v0;            /**< last input index seen by output 0 */
    int64_t size;          /**< r = v0 - u0 + 1 */
    int64_t padding;       /**< effective padding P = -u0 */
    int64_t size_min;      /**< smallest interval of any output */
    int64_t size_max;      /**< largest interval of any output */
    int64_t support;       /**< inputs within `size` that count; 0 for RF_AXIS_INTERVAL, or where finding
                                out would have taken too long */
    int64_t full_context;  /**< smallest input extent for which some output sees no padding; 0 if none */
} rf_field_axis;

/** What one layer sees of one network input. */
typedef struct rf_field {
    size_t input;          /**< index into rf_analysis::inputs */
    bool aligned;          /**< all paths from the input share stride and centre */
    int32_t axis_count;    /**< spatial axes of that input */
    rf_field_axis axes[RF_MAX_SPATIAL]; /**< rows before columns */
} rf_field;

/** One layer's account. Names belong to the network analysed. */
typedef struct rf_layer_analysis {
    const char *name;          /**< never NULL */
    const char *type;          /**< ONNX's operator name */
    const char *const *inputs; /**< tensor names; "" for one omitted */
    size_t input_count;        /**< omitted ones included */
    const rf_tensor *outputs;  /**< names, types and shapes */
    size_t output_count;       /**< omitted ones included */
    uint64_t parameters;       /**< trainable; a tensor shared by layers counts at the first */
    uint64_t statistics;       /**< batch norm's running mean and variance */
    uint64_t weight_bytes;     /**< of both */
    uint64_t activation_bytes; /**< of the outputs */
    uint64_t moved_bytes;      /**< activations and weights read, outputs written, each once */
    rf_counts dense;           /**< taps on padding counted, as papers do */
    rf_counts valid;           /**< only what falls on real elements */
    const rf_field *fields;    /**< one for each network input that the layer sees */
    size_t field_count;        /**< 0 for a constant */
    bool folded;               /**< depends on constants only: costs nothing at run time */
    bool uncounted;            /**< no rule for its operator: costs unknown, field assumed whole */
    bool unproductive;         /**< its incoming field already covers the input along every axis */
} rf_layer_analysis;

/** The whole account, and with it everything needed for further questions. */
typedef struct rf_analysis {
    const char *name;          /**< the network's; "" for none */
    const rf_tensor *inputs;   /**< with shapes bound */
    size_t input_count;        /**< as in the network */
    const rf_tensor *outputs;  /**< those stated, or every tensor that no layer reads */
    size_t output_count;       /**< entries of `outputs` */
    const rf_layer_analysis *layers; /**< in an order in which they can run */
    size_t layer_count;        /**< as in the network */
    uint64_t parameters;             /**< sum over layers */
    uint64_t statistics;             /**< sum over layers */
    uint64_t weight_bytes;           /**< sum over layers */
    uint64_t activation_bytes;       /**< sum over layers */
    uint64_t peak_activation_bytes;  /**< most that must live at once when layers run in this order */
    rf_counts dense;                 /**< sum over layers */
    rf_counts valid;                 /**< sum over layers */
    const char *const *uncounted;    /**< operators without a rule, each once */
    size_t uncounted_count;          /**< 0: every operator was counted */
    size_t border_layer;             /**< first layer from which all are unproductive; layer_count if none */
    const struct rf_graph *graph;    /**< internal */
} rf_analysis;

/** How to analyse. Start from RF_ANALYZE_OPTIONS_DEFAULT. */
typedef struct rf_analyze_options {
    size_t size;                   /**< sizeof(rf_analyze_options) */
    const rf_binding *bindings;    /**< shapes for inputs; override those of the description */
    size_t binding_count;          /**< entries of `bindings` */
    bool allow_unknown;            /**< list operators without a rule instead of failing */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< of the analysis, and of questions about it later */
} rf_analyze_options;

/** No bindings, unknown operators refused, default allocator and limits. */
#define RF_ANALYZE_OPTIONS_DEFAULT \
    {.size = sizeof(rf_analyze_options), .limits = RF_LIMITS_DEFAULT}

/**
 * Walks `network` and accounts for every layer.
 *
 * An input's unknown first dimension becomes 1 unless bound; any other must be
 * bound. `network` must outlive `*analysis`, which the caller gives back with
 * rf_analysis_free() and which is NULL after a failure. Time and memory grow
 * linearly with the layers. Thread-safe.
 *
 * @param network  what to analyse
 * @param options  NULL for the defaults
 * @param analysis receives the account
 * @param error    may be NULL
 */
RF_API rf_status rf_analyze(const rf_network *network, const rf_analyze_options *options,
                            const rf_analysis **analysis, rf_error *error);

/** Gives back an analysis; NULL is allowed. */
RF_API void rf_analysis_free(const rf_analysis *analysis);

/** The layer called `name`, or the layer that puts out a tensor of that name; layer_count if none. */
RF_API size_t rf_analysis_find_layer(const rf_analysis *analysis, const char *name);

/** Inclusive bounds; empty where last < first. */
typedef struct rf_range {
    int64_t first; /**< counts */
    int64_t last;  /**< counts too */
} rf_range;

/** Which output element of a layer a question is about. */
typedef struct rf_field_query {
    size_t layer;              /**< index into rf_analysis::layers */
    size_t output;             /**< which of the layer's outputs */
    size_t input;              /**< index into rf_analysis::inputs */
    int64_t channel;           /**< channel of the output, from 0; -1 for all channels */
    const int64_t *at;         /**< one index for each spatial axis of the output */
    size_t at_count;           /**< spatial axes of the output */
} rf_field_query;

/** What one output element sees of one network input. */
typedef struct rf_field_at_result {
    int32_t axis_count;                 /**< spatial axes of the input, rows before columns */
    rf_range channels;                  /**< input channels seen */
    rf_range axes[RF_MAX_SPATIAL];      /**< unclipped: padding included */
    rf_range clipped[RF_MAX_SPATIAL];   /**< the same, cut to the input */
    /** Hull of the input positions that truly count. Where a Pad or Resize repeats elements at its
     * borders it may lie outside `axes`, which takes such positions for padding. */
    rf_range exact[RF_MAX_SPATIAL];
    uint64_t support;                   /**< positions (pixels) that truly count */
} rf_field_at_result;

/**
 * Answers for one output element, exactly: padding inserted by any layer on
 * the way is left out of `exact` and `support`.
 *
 * @return RF_ERROR_NOT_FOUND if no path leads from the input to the layer,
 *         RF_ERROR_ARGUMENT for an index outside the output
 */
RF_API rf_status rf_field_at(const rf_analysis *analysis, const rf_field_query *query,
                             rf_field_at_result *result, rf_error *error);

/**
 * How many paths lead from each input position to one output element: the
 * field's weight when every weight of the network is one.
 *
 * Positions are those of the box `axes` (the `exact` bounds of rf_field_at()),
 * row-major, summed over the input's channels. Counts are exact below 2^53.
 */
typedef struct rf_field_map {
    int32_t axis_count;   /**< spatial axes of the input, rows before columns */
    rf_range axes[RF_MAX_SPATIAL]; /**< the box */
    size_t count;         /**< positions in the box */
    const double *paths;  /**< 0 where the position does not count */
} rf_field_map;

/** Makes a map, which the caller gives back with rf_field_map_free(). */
RF_API rf_status rf_field_map_make(const rf_analysis *analysis, const rf_field_query *query,
                                   const rf_field_map **map, rf_error *error);

/** Gives back a map; NULL is allowed. */
RF_API void rf_field_map_free(const rf_field_map *map);

/** A published way of counting; see docs/counting.md. */
typedef struct rf_convention {
    const char *name;     /**< such as "torchvision" */
    const char *quantity; /**< what the tool calls the number, such as "FLOPs" */
    const char *rule;     /**< one line */
} rf_convention;

/** All conventions; `*count` receives how many. */
RF_API const rf_convention *rf_conventions(size_t *count);

/**
 * Counts a layer, or with `layer` equal to layer_count the network, as the
 * tool called `convention` would.
 */
RF_API rf_status rf_convention_count(const rf_analysis *analysis, const char *convention,
                                     size_t layer, uint64_t *count, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
