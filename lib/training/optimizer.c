/* SPDX-License-Identifier: MIT */
/*
 * Parameters are cut into blocks, once, so that workers may share them out; a step looks through all
 * gradients first, block by block, and changes nothing before every one is known to be finite.
 */
#include <rfield/optimizer.h>

#include <math.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/failure.h"
#include "base/options.h"
#include "kernels/machine.h"
#include "kernels/update.h"
#include "plan/model.h"

/* With all that is remembered, a block lies in the first level of the cache or close by. */
enum { BLOCK = 4096 };

typedef struct block {
    size_t tensor, start, count;
    double square_sum; /* of the gradients in the present step */
} block;

struct rf_optimizer {
    rf_arena arena;                /* owns everything, this struct included */
    rf_optimizer_options options;
    rf_executor executor;
    const rf_updates *updates;
    rf_update update;
    float *first, *second;         /* of all parameters, in the tensors' order; NULL where not needed */
    size_t *offsets;               /* of each tensor in those, and after the last */
    size_t tensor_count;
    block *blocks;
    size_t block_count;
    double power1, power2;         /* beta1 and beta2 to the number of steps */
    double norm;
    /* Of the present step. */
    rf_update_rule rule;
    float *const *parameters;
    const float *const *gradients;
    void (*work)(rf_optimizer *optimizer, block *of);
};

/* ---- Options ---------------------------------------------------------------------------- */

static rf_status check_range(const char *name, double number, double least, double below, rf_error *error)
{
    if (number >= least && number < below)
        return RF_OK;
    return rf_fail(error, RF_ERROR_ARGUMENT, name, "%s is %g, but must be at least %g and below %g", name, number,
                   least, below);
}

static rf_status check_options(const rf_optimizer_options *options, rf_error *error)
{
    if ((int)options->kind < 0 || options->kind > RF_OPTIMIZER_ADAMW)
        return rf_fail(error, RF_ERROR_ARGUMENT, "kind", "kind is %d; 0 to %d are known", (int)options->kind,
                       RF_OPTIMIZER_ADAMW);
    RF_TRY(check_range("momentum", options->momentum, 0, 1, error));
    RF_TRY(check_range("beta1", options->beta1, 0, 1, error));
    RF_TRY(check_range("beta2", options->beta2, 0, 1, error));
    RF_TRY(check_range("weight_decay", options->weight_decay, 0, HUGE_VAL, error));
    RF_TRY(check_range("clip_norm", options->clip_norm, 0, HUGE_VAL, error));
    if (!(options->epsilon > 0) || !isfinite(options->epsilon))
        return rf_fail(error, RF_ERROR_ARGUMENT, "epsilon", "epsilon is %g, but must be above 0", options->epsilon);
    return options->executor ? rf_executor_check(options->executor, error) : RF_OK;
}

/* ---- Making ----------------------------------------------------------------------------- */

static bool is_adam(const rf_optimizer *optimizer)
{
    return optimizer->options.kind >= RF_OPTIMIZER_ADAM;
}

static rf_update update_of(const rf_updates *updates, rf_optimizer_kind kind)
{
    const rf_update all[] = {
        [RF_OPTIMIZER_SGD] = updates->plain,           [RF_OPTIMIZER_MOMENTUM_I] = updates->momentum_1,
        [RF_OPTIMIZER_MOMENTUM_II] = updates->momentum_2, [RF_OPTIMIZER_NESTEROV] = updates->nesterov,
        [RF_OPTIMIZER_ADAM] = updates->adam,           [RF_OPTIMIZER_ADAMW] = updates->adam,
    };
    return all[kind];
}

static rf_status find_offsets(rf_optimizer *optimizer, const size_t *sizes, rf_error *error)
{
    optimizer->offsets = RF_TAKE(&optimizer->arena, size_t, optimizer->tensor_count + 1);
    if (!optimizer->offsets)
        return rf_arena_fail(&optimizer->arena, error, "an optimiser");
    for (size_t t = 0; t < optimizer->tensor_count; t++) {
        if (!rf_checked_add(optimizer->offsets[t], sizes[t], &optimizer->offsets[t + 1]))
            return rf_fail(error, RF_ERROR_OVERFLOW, "sizes", "the tensors up to %zu have too many elements to "
                           "count", t);
        optimizer->block_count += sizes[t] / BLOCK + (sizes[t] % BLOCK != 0);
    }
    return RF_OK;
}

static void cut_blocks(rf_optimizer *optimizer)
{
    block *next = optimizer->blocks;
    for (size_t t = 0; t < optimizer->tensor_count; t++) {
        size_t count = optimizer->offsets[t + 1] - optimizer->offsets[t];
        for (size_t start = 0; start < count; start += BLOCK)
            *next++ = (block){t, start, count - start < BLOCK ? count - start : BLOCK, 0};
    }
}

static rf_status fill(rf_optimizer *optimizer, const size_t *sizes, rf_error *error)
{
    rf_arena *arena = &optimizer->arena;
    RF_TRY(find_offsets(optimizer, sizes, error));
    size_t elements = optimizer->offsets[optimizer->tensor_count];
    optimizer->blocks = RF_TAKE(arena, block, optimizer->block_count);
    if (optimizer->options.kind != RF_OPTIMIZER_SGD)
        optimizer->first = RF_TAKE(arena, float, elements);
    if (is_adam(optimizer))
        optimizer->second = RF_TAKE(arena, float, elements);
    if (arena->refused)
        return rf_arena_fail(arena, error, "an optimiser's state");
    cut_blocks(optimizer);
    return RF_OK;
}

rf_status rf_optimizer_make(const rf_optimizer_options *options, const size_t *sizes, size_t tensor_count,
                            rf_optimizer **optimizer, rf_error *error)
{
    rf_optimizer_options complete = RF_OPTIMIZER_OPTIONS_DEFAULT;
    if (!optimizer || (tensor_count && !sizes))
        return rf_fail(error, RF_ERROR_ARGUMENT, optimizer ? "sizes" : "optimizer", "rf_optimizer_make: %s is NULL",
                       optimizer ? "sizes" : "optimizer");
    *optimizer = NULL;
    RF_TRY(rf_options_take(&complete, sizeof complete, options, "rf_optimizer_options",
                           "RF_OPTIMIZER_OPTIONS_DEFAULT", error));
    RF_TRY(check_options(&complete, error));
    rf_arena arena;
    rf_arena_init(&arena, complete.allocator, complete.limits.memory_bytes);
    rf_optimizer *made = RF_TAKE(&arena, rf_optimizer, 1);
    if (!made)
        return rf_arena_fail(&arena, error, "an optimiser");
    const rf_updates *updates = (*rf_machine_kernels())->updates;
    *made = (rf_optimizer){
        .arena = arena, .options = complete, .executor = {.workers = 1}, .updates = updates,
        .update = update_of(updates, complete.kind), .tensor_count = tensor_count, .power1 = 1, .power2 = 1,
    };
    if (complete.executor)
        made->executor = *complete.executor;
    rf_status status = fill(made, sizes, error);
    if (status == RF_OK)
        *optimizer = made;
    else
        rf_optimizer_free(made);
    return status;
}

void rf_optimizer_free(rf_optimizer *optimizer)
{
    if (!optimizer)
        return;
    rf_arena arena = optimizer->arena;
    rf_arena_release(&arena);
}

/* ---- Work on blocks --------------------------------------------------------------------- */

static void measure(rf_optimizer *optimizer, block *of)
{
    of->square_sum = optimizer->updates->square_sum(optimizer->gradients[of->tensor] + of->start, of->count);
}

static void change(rf_optimizer *optimizer, block *of)
{
    size_t at = optimizer->offsets[of->tensor] + of->start;
    rf_update_block piece = {
        .at = optimizer->parameters[of->tensor] + of->start,
        .gradient = optimizer->gradients[of->tensor] + of->start,
        .first = optimizer->first ? optimizer->first + at : NULL,
        .second = optimizer->second ? optimizer->second + at : NULL,
        .count = of->count,
    };
    optimizer->update(&optimizer->rule, &piece);
}

/* Each worker takes blocks that lie together. */
static void work_on_share(void *argument, size_t worker)
{
    rf_optimizer *optimizer = argument;
    size_t workers = optimizer->executor.workers, count = optimizer->block_count;
    size_t each = count / workers, more = count % workers;
    size_t begin = worker * each + (worker < more ? worker : more), end = begin + each + (worker < more);
    for (size_t b = begin; b < end; b++)
        optimizer->work(optimizer, &optimizer->blocks[b]);
}

static void work_on_all(rf_optimizer *optimizer, void (*work)(rf_optimizer *, block *))
{
    optimizer->work = work;
    if (optimizer->executor.workers > 1 && optimizer->block_count > 1)
        optimizer->executor.run(optimizer->executor.context, work_on_share, optimizer, optimizer->executor.workers);
    else
        for (size_t b = 0; b < optimizer->block_count; b++)
            work(optimizer, &optimizer->blocks[b]);
}

/* ---- A step ----------------------------------------------------------------------------- */

static rf_status check_arrays(const rf_optimizer *optimizer, double rate, rf_error *error)
{
    if (!isfinite(rate) || !isfinite((float)rate))
        return rf_fail(error, RF_ERROR_ARGUMENT, "rate", "rate is %g, but must be finite", rate);
    if (optimizer->block_count == 0)
        return RF_OK;
    if (!optimizer->parameters || !optimizer->gradients)
        return rf_fail(error, RF_ERROR_ARGUMENT, optimizer->parameters ? "gradients" : "parameters",
                       "rf_optimizer_step: %s is NULL", optimizer->parameters ? "gradients" : "parameters");
    for (size_t t = 0; t < optimizer->tensor_count; t++) {
        bool empty = optimizer->offsets[t + 1] == optimizer->offsets[t];
        if (!empty && (!optimizer->parameters[t] || !optimizer->gradients[t]))
            return rf_fail(error, RF_ERROR_ARGUMENT, optimizer->parameters[t] ? "gradients" : "parameters",
                           "%s[%zu] is NULL", optimizer->parameters[t] ? "gradients" : "parameters", t);
    }
    return RF_OK;
}

static rf_status not_finite(const rf_optimizer *optimizer, const block *of, rf_error *error)
{
    const float *at = optimizer->gradients[of->tensor];
    size_t i = of->start;
    while (isfinite(at[i]))
        i++;
    return rf_fail(error, RF_ERROR_NUMBER, "gradients", "element %zu of gradient %zu is %g; parameters are as before",
                   i, of->tensor, (double)at[i]);
}

/* Squares of floats can't overflow a double, so that a sum is finite where all of its terms are. */
static rf_status find_norm(const rf_optimizer *optimizer, double *norm, rf_error *error)
{
    double sum = 0;
    for (size_t b = 0; b < optimizer->block_count; b++) {
        if (!isfinite(optimizer->blocks[b].square_sum))
            return not_finite(optimizer, &optimizer->blocks[b], error);
        sum += optimizer->blocks[b].square_sum;
    }
    *norm = sqrt(sum);
    return RF_OK;
}

static void set_rule(rf_optimizer *optimizer, double rate)
{
    const rf_optimizer_options *options = &optimizer->options;
    bool clips = options->clip_norm > 0 && optimizer->norm > options->clip_norm;
    bool apart = options->kind == RF_OPTIMIZER_ADAMW;
    double scale = clips ? options->clip_norm / optimizer->norm : 1;
    optimizer->power1 *= options->beta1;
    optimizer->power2 *= options->beta2;
    optimizer->rule = (rf_update_rule){
        .scale = (float)scale,
        .decay = apart ? 0 : (float)options->weight_decay,
        .rate = (float)(is_adam(optimizer) ? rate / (1 - optimizer->power1) : rate),
        .momentum = (float)options->momentum,
        .shrink = apart ? (float)(1 - rate * options->weight_decay) : 1,
        .beta1 = (float)options->beta1,
        .rest1 = (float)(1 - options->beta1),
        .beta2 = (float)options->beta2,
        .rest2 = (float)(1 - options->beta2),
        .root_scale = (float)(1 / sqrt(1 - optimizer->power2)),
        .epsilon = (float)options->epsilon,
    };
}

rf_status rf_optimizer_step(rf_optimizer *optimizer, float *const *parameters, const float *const *gradients,
                            double rate, rf_error *error)
{
    double norm = 0;
    if (!optimizer)
        return rf_fail(error, RF_ERROR_ARGUMENT, "optimizer", "rf_optimizer_step: optimizer is NULL");
    optimizer->parameters = parameters;
    optimizer->gradients = gradients;
    RF_TRY(check_arrays(optimizer, rate, error));
    work_on_all(optimizer, measure);
    RF_TRY(find_norm(optimizer, &norm, error));
    optimizer->norm = norm;
    set_rule(optimizer, rate);
    work_on_all(optimizer, change);
    return RF_OK;
}

double rf_optimizer_gradient_norm(const rf_optimizer *optimizer)
{
    return optimizer ? optimizer->norm : 0;
}
