/* SPDX-License-Identifier: MIT */
/* The convolution as oneDNN computes it, through its C interface of version 2. */
#include "convolution_case.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <dnnl.h>

#include "bench_tools.h"

enum { SOURCE, WEIGHTS, BIAS, DESTINATION, ROLES };

/* One set of tensors; the memory is ours, so that both sides get the same kind of pages. */
typedef struct copy_set {
    void *bytes[ROLES];
    dnnl_memory_t memory[ROLES];
} copy_set;

typedef struct dnnl_side {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t plain[ROLES], chosen[ROLES];
    size_t copies;
    copy_set *sets;
} dnnl_side;

static void free_all(void *self)
{
    dnnl_side *side = self;
    if (!side)
        return;
    for (size_t i = 0; side->sets && i < side->copies; i++)
        for (int role = 0; role < ROLES; role++) {
            if (side->sets[i].memory[role])
                dnnl_memory_destroy(side->sets[i].memory[role]);
            free(side->sets[i].bytes[role]);
        }
    free(side->sets);
    if (side->primitive)
        dnnl_primitive_destroy(side->primitive);
    if (side->description)
        dnnl_primitive_desc_destroy(side->description);
    if (side->stream)
        dnnl_stream_destroy(side->stream);
    if (side->engine)
        dnnl_engine_destroy(side->engine);
    free(side);
}

/* ---- Shapes and layouts ------------------------------------------------------------------- */

typedef struct tensor_dims {
    int rank;
    dnnl_dims_t dims;
    dnnl_format_tag_t plain;
} tensor_dims;

static void dims_of(const convolution_case *problem, tensor_dims of[ROLES])
{
    const convolution_shape *s = &problem->shape;
    of[SOURCE] = (tensor_dims){4, {1, s->channels, s->extent, s->extent}, dnnl_nhwc};
    of[DESTINATION] = (tensor_dims){4, {1, s->outputs, problem->output_extent, problem->output_extent}, dnnl_nhwc};
    of[BIAS] = (tensor_dims){1, {s->outputs}, dnnl_a};
    of[WEIGHTS] = (tensor_dims){4, {s->outputs, s->channels, s->kernel, s->kernel}, dnnl_oihw};
    if (s->groups > 1)
        of[WEIGHTS] = (tensor_dims){
            5, {s->groups, s->outputs / s->groups, s->channels / s->groups, s->kernel, s->kernel}, dnnl_goihw};
}

/* Plain layouts are those of the case; oneDNN chooses its own, but for the bias. */
static bool describe(dnnl_side *side, const convolution_case *problem, bool winograd)
{
    const convolution_shape *shape = &problem->shape;
    const dnnl_dims_t strides = {shape->stride, shape->stride}, pads = {shape->pad, shape->pad};
    dnnl_convolution_desc_t wanted;
    dnnl_memory_desc_t any[ROLES];
    tensor_dims of[ROLES];
    dims_of(problem, of);
    for (int role = 0; role < ROLES; role++) {
        dnnl_format_tag_t tag = role == BIAS ? dnnl_a : dnnl_format_tag_any;
        if (dnnl_memory_desc_init_by_tag(&side->plain[role], of[role].rank, of[role].dims, dnnl_f32, of[role].plain)
            || dnnl_memory_desc_init_by_tag(&any[role], of[role].rank, of[role].dims, dnnl_f32, tag))
            return false;
    }
    return dnnl_convolution_forward_desc_init(
               &wanted, dnnl_forward_inference, winograd ? dnnl_convolution_winograd : dnnl_convolution_auto,
               &any[SOURCE], &any[WEIGHTS], &any[BIAS], &any[DESTINATION], strides, pads, pads) == dnnl_success
        && dnnl_primitive_desc_create(&side->description, &wanted, NULL, side->engine, NULL) == dnnl_success;
}

static void ask_layouts(dnnl_side *side)
{
    static const dnnl_query_t queries[] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_weights_md,
                                           dnnl_query_dst_md};
    for (int role = 0; role < ROLES; role++)
        side->chosen[role] = *dnnl_primitive_desc_query_md(side->description, queries[role], role == BIAS);
}

/* ---- Tensors ------------------------------------------------------------------------------ */

static bool reorder(const dnnl_side *side, dnnl_memory_t from, const dnnl_memory_desc_t *from_layout,
                    dnnl_memory_t to, const dnnl_memory_desc_t *to_layout)
{
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (dnnl_reorder_primitive_desc_create(&description, from_layout, side->engine, to_layout, side->engine, NULL))
        return false;
    dnnl_status_t status = dnnl_primitive_create(&primitive, description);
    dnnl_primitive_desc_destroy(description);
    if (status != dnnl_success)
        return false;
    status = dnnl_primitive_execute(primitive, side->stream, 2, arguments);
    dnnl_stream_wait(side->stream);
    dnnl_primitive_destroy(primitive);
    return status == dnnl_success;
}

static bool bring(const dnnl_side *side, int role, float *plain, dnnl_memory_t to)
{
    dnnl_memory_t from;
    if (dnnl_memory_create(&from, &side->plain[role], side->engine, plain) != dnnl_success)
        return false;
    bool done = reorder(side, from, &side->plain[role], to, &side->chosen[role]);
    dnnl_memory_destroy(from);
    return done;
}

static bool fill_set(const dnnl_side *side, const convolution_case *problem, copy_set *set)
{
    float *const plain[ROLES] = {problem->input, problem->weights, problem->bias, NULL};
    for (int role = 0; role < ROLES; role++) {
        const dnnl_memory_desc_t *layout = &side->chosen[role];
        size_t bytes = dnnl_memory_desc_get_size(layout);
        set->bytes[role] = bench_allocate(bytes);
        if (!set->bytes[role]
            || dnnl_memory_create(&set->memory[role], layout, side->engine, set->bytes[role]) != dnnl_success)
            return false;
        memset(set->bytes[role], 0, bytes);
        if (plain[role] && !bring(side, role, plain[role], set->memory[role]))
            return false;
    }
    return true;
}

/* ---- A contender -------------------------------------------------------------------------- */

static void run(void *self, size_t copy)
{
    const dnnl_side *side = self;
    const dnnl_memory_t *memory = side->sets[copy].memory;
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, memory[SOURCE]}, {DNNL_ARG_WEIGHTS, memory[WEIGHTS]}, {DNNL_ARG_BIAS, memory[BIAS]},
        {DNNL_ARG_DST, memory[DESTINATION]},
    };
    dnnl_primitive_execute(side->primitive, side->stream, ROLES, arguments);
    dnnl_stream_wait(side->stream);
}

static bool result(void *self, float *output)
{
    const dnnl_side *side = self;
    dnnl_memory_t to;
    if (dnnl_memory_create(&to, &side->plain[DESTINATION], side->engine, output) != dnnl_success)
        return false;
    bool done = reorder(side, side->sets[0].memory[DESTINATION], &side->chosen[DESTINATION], to,
                        &side->plain[DESTINATION]);
    dnnl_memory_destroy(to);
    return done;
}

static bool prepare(dnnl_side *side, const convolution_case *problem, bool winograd)
{
    side->sets = calloc(side->copies, sizeof *side->sets);
    if (!side->sets || dnnl_engine_create(&side->engine, dnnl_cpu, 0) != dnnl_success
        || dnnl_stream_create(&side->stream, side->engine, dnnl_stream_default_flags) != dnnl_success
        || !describe(side, problem, winograd)
        || dnnl_primitive_create(&side->primitive, side->description) != dnnl_success)
        return false;
    ask_layouts(side);
    for (size_t i = 0; i < side->copies; i++)
        if (!fill_set(side, problem, &side->sets[i]))
            return false;
    return true;
}

bool contender_dnnl(const convolution_case *problem, bool winograd, size_t copies, contender *made)
{
    dnnl_side *side = calloc(1, sizeof *side);
    const char *name = "";
    if (!side)
        return false;
    side->copies = copies;
    if (!prepare(side, problem, winograd)) {
        free_all(side);
        return false;
    }
    dnnl_primitive_desc_query(side->description, dnnl_query_impl_info_str, 0, &name);
    *made = (contender){name, side, copies, run, result, free_all};
    return true;
}

bool contender_dnnl_threads(size_t threads)
{
    void (*set)(int) = NULL;
    void *program = dlopen(NULL, RTLD_LAZY);
    void *found = program ? dlsym(program, "omp_set_num_threads") : NULL;
    memcpy(&set, &found, sizeof set);
    if (set)
        set((int)threads);
    if (program)
        dlclose(program);
    return set || threads == 1;
}
