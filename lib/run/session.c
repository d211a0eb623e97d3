/* SPDX-License-Identifier: MIT */
#include "run/session.h"

#include <string.h>

#include "base/options.h"

enum { ALIGNMENT = 64 };

/* ---- Addresses ---------------------------------------------------------------------------- */

static void *output_address(const rf_session *session, uint32_t number)
{
    return session->outputs[number] ? session->outputs[number] : session->own_outputs[number];
}

/* The model's number of an input that is a value of the graph; their count for none. */
static size_t number_of_input(const rf_model *model, uint32_t value)
{
    size_t low = 0, high = model->input_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (model->input_values[middle] == value)
            return middle;
        if (model->input_values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return model->input_count;
}

static void *input_address(const rf_session *session, uint32_t value)
{
    size_t i = number_of_input(session->model, value);
    return i < session->model->input_count ? session->inputs[i] : NULL;
}

void *rf_session_address(const rf_session *session, const rf_operand *operand)
{
    const rf_buffer *buffer = &session->model->plan.buffers[operand->buffer];
    char *start = NULL;
    if (buffer->home == RF_HOME_ARENA)
        start = session->memory + buffer->offset;
    else if (buffer->home == RF_HOME_CONSTANT)
        start = (char *)buffer->constant;
    else if (buffer->home == RF_HOME_OUTPUT)
        start = output_address(session, buffer->index);
    else
        start = input_address(session, buffer->index);
    return start ? start + operand->offset : NULL;
}

/* ---- Making ------------------------------------------------------------------------------- */

static rf_status no_memory(const rf_session *session, rf_error *error)
{
    return rf_arena_fail(&session->arena, error, "a session");
}

static rf_status bind_node(rf_session *session, const rf_step *step, rf_bound_node **bound)
{
    rf_bound_node *made = RF_TAKE(&session->arena, rf_bound_node, 1);
    if (!made)
        return RF_ERROR_MEMORY;
    const rf_node *node = step->reference;
    made->node = *node;
    made->node.arena = NULL;
    made->node.inputs = RF_TAKE(&session->arena, rf_value *, node->input_count);
    made->node.outputs = RF_TAKE(&session->arena, rf_value *, node->output_count);
    made->values = RF_TAKE(&session->arena, rf_value, step->operand_count);
    if (!made->node.inputs || !made->node.outputs || !made->values)
        return RF_ERROR_MEMORY;
    for (uint32_t i = 0; i < node->input_count + node->output_count; i++) {
        bool is_input = i < node->input_count;
        const rf_value *value = is_input ? node->inputs[i] : node->outputs[i - node->input_count];
        rf_value **place = is_input ? &made->node.inputs[i] : &made->node.outputs[i - node->input_count];
        if (!value)
            continue;
        made->values[made->count] = *value;
        made->values[made->count].data_bytes = (size_t)value->bytes;
        *place = &made->values[made->count++];
    }
    *bound = made;
    return RF_OK;
}

/* Of all steps together: 16 MiB. */
enum { MOST_SHARES = 1 << 18 };

static rf_status make_crew(rf_session *session, rf_error *error)
{
    rf_crew *crew = &session->crew;
    size_t steps = session->model->plan.step_count, most = MOST_SHARES / (steps + 1);
    size_t workers = session->executor.workers;
    crew->share_count = workers < most ? workers : most ? most : 1;
    crew->shares = RF_TAKE(&session->arena, rf_crew_share, steps * crew->share_count);
    crew->done = RF_TAKE(&session->arena, rf_crew_share, steps);
    if (!crew->shares || !crew->done)
        return no_memory(session, error);
    for (size_t i = 0; i < steps * crew->share_count; i++)
        atomic_init(&crew->shares[i].next, 0);
    for (size_t s = 0; s < steps; s++)
        atomic_init(&crew->done[s].next, 0);
    return RF_OK;
}

static rf_status bind_steps(rf_session *session, rf_error *error)
{
    const rf_plan *plan = &session->model->plan;
    size_t count = 0;
    for (size_t s = 0; s < plan->step_count; s++)
        count += plan->steps[s].operand_count;
    session->pointers = RF_TAKE(&session->arena, void *, count);
    session->first_pointer = RF_TAKE(&session->arena, size_t, plan->step_count);
    session->bound = RF_TAKE(&session->arena, rf_bound_node *, plan->step_count);
    if (plan->reference)
        session->counts = RF_TAKE(&session->arena, rf_counts, plan->step_count);
    if (!session->pointers || !session->first_pointer || !session->bound || (plan->reference && !session->counts))
        return no_memory(session, error);
    count = 0;
    for (size_t s = 0; s < plan->step_count; s++) {
        session->first_pointer[s] = count;
        count += plan->steps[s].operand_count;
        if (plan->steps[s].reference && bind_node(session, &plan->steps[s], &session->bound[s]) != RF_OK)
            return no_memory(session, error);
    }
    session->stale = true;
    return RF_OK;
}

static rf_status take_buffers(rf_session *session, rf_error *error)
{
    const rf_model *model = session->model;
    session->inputs = RF_TAKE(&session->arena, void *, model->input_count);
    session->outputs = RF_TAKE(&session->arena, void *, model->output_count);
    session->own_outputs = RF_TAKE(&session->arena, void *, model->output_count);
    session->output_shapes = RF_TAKE(&session->arena, rf_shape, model->output_count);
    if (!session->inputs || !session->outputs || !session->own_outputs || !session->output_shapes)
        return no_memory(session, error);
    for (size_t o = 0; o < model->output_count; o++) {
        uint64_t bytes = 0;
        rf_tensor_bytes(model->outputs[o].dtype, &model->outputs[o].shape, &bytes);
        session->output_shapes[o] = model->outputs[o].shape;
        session->own_outputs[o] = rf_arena_take(&session->arena, 1, bytes);
        if (!session->own_outputs[o])
            return no_memory(session, error);
    }
    return RF_OK;
}

static char *aligned(void *memory)
{
    return (char *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static rf_status take_memory(rf_session *session, const rf_session_options *options, rf_error *error)
{
    rf_model_memory needed = rf_model_memory_needed(session->model);
    uint64_t bytes;
    if (!rf_checked_mul(needed.worker_bytes, (uint64_t)session->executor.workers - 1, &bytes)
        || !rf_checked_add(bytes, needed.arena_bytes, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        return rf_fail(error, RF_ERROR_OVERFLOW, "workers", "%zu workers need more memory than can be counted",
                       session->executor.workers);
    if (!options->memory) {
        void *memory = rf_arena_take(&session->arena, 1, (size_t)bytes + ALIGNMENT);
        session->memory = memory ? aligned(memory) : NULL;
        return memory ? RF_OK : no_memory(session, error);
    }
    if ((uintptr_t)options->memory % ALIGNMENT)
        return rf_fail(error, RF_ERROR_ARGUMENT, "memory", "the arena given is not aligned to %d bytes", ALIGNMENT);
    if (options->memory_bytes < bytes)
        return rf_fail(error, RF_ERROR_ARGUMENT, "memory_bytes", "%zu bytes of memory are given, but %llu are needed",
                       options->memory_bytes, (unsigned long long)bytes);
    session->memory = options->memory;
    return RF_OK;
}

static rf_status build(rf_session *session, const rf_session_options *options, rf_error *error)
{
    session->executor = (rf_executor){.workers = 1};
    if (options->executor)
        session->executor = *options->executor;
    RF_TRY(rf_executor_check(&session->executor, error));
    RF_TRY(take_buffers(session, error));
    RF_TRY(bind_steps(session, error));
    if (session->executor.workers > 1)
        RF_TRY(make_crew(session, error));
    return take_memory(session, options, error);
}

rf_status rf_session_make(const rf_model *model, const rf_session_options *options, rf_session **session,
                          rf_error *error)
{
    if (!session)
        return rf_fail(error, RF_ERROR_ARGUMENT, "session", "session must not be NULL");
    *session = NULL;
    if (!model)
        return rf_fail(error, RF_ERROR_ARGUMENT, "model", "model must not be NULL");
    rf_session_options given = RF_SESSION_OPTIONS_DEFAULT;
    RF_TRY(rf_options_take(&given, sizeof given, options, "rf_session_options", "RF_SESSION_OPTIONS_DEFAULT", error));
    rf_arena arena;
    rf_arena_init(&arena, given.allocator, UINT64_MAX);
    rf_session *made = RF_TAKE(&arena, rf_session, 1);
    if (!made) {
        rf_status status = rf_arena_fail(&arena, error, "a session");
        rf_arena_release(&arena);
        return status;
    }
    made->arena = arena;
    made->model = model;
    rf_status status = build(made, &given, error);
    if (status == RF_OK)
        *session = made;
    else
        rf_session_free(made);
    return status;
}

void rf_session_free(rf_session *session)
{
    if (!session)
        return;
    rf_arena arena = session->arena; /* the struct itself lies in the arena */
    rf_arena_release(&arena);
}

/* ---- Binding ------------------------------------------------------------------------------ */

static rf_status check_buffer(const rf_tensor *tensor, const char *what, const void *data, size_t bytes,
                              rf_error *error)
{
    uint64_t needed = 0;
    uint32_t element = rf_dtype_bits(tensor->dtype) / 8;
    rf_tensor_bytes(tensor->dtype, &tensor->shape, &needed);
    if (!data)
        return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name, "the buffer of %s '%.100s' is NULL", what, tensor->name);
    if (element > 8)
        element = 8;
    if (element && (uintptr_t)data % element)
        return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name, "the buffer of %s '%.100s' is not aligned to %u bytes",
                       what, tensor->name, element);
    if (bytes < needed)
        return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name,
                       "the buffer of %s '%.100s' has %zu bytes, but %s of shape %s takes %llu", what, tensor->name,
                       bytes, rf_dtype_name(tensor->dtype), rf_shape_print(&tensor->shape).text,
                       (unsigned long long)needed);
    return RF_OK;
}

static rf_status check_session(const rf_session *session, rf_error *error)
{
    return session ? RF_OK : rf_fail(error, RF_ERROR_ARGUMENT, "session", "session must not be NULL");
}

/* The number of an input or output by name; their count for none. */
static size_t find_input(const rf_model *model, const char *name)
{
    return name ? number_of_input(model, rf_names_find(&model->plan.graph->names, name)) : model->input_count;
}

static size_t find_output(const rf_model *model, const char *name)
{
    uint32_t value = name ? rf_names_find(&model->plan.graph->names, name) : RF_NO_NUMBER;
    int32_t output = value == RF_NO_NUMBER ? -1 : model->plan.values[value].output;
    return output < 0 ? model->output_count : (size_t)output;
}

rf_status rf_session_bind_input(rf_session *session, const char *name, const void *data, size_t bytes,
                                rf_error *error)
{
    RF_TRY(check_session(session, error));
    const rf_model *model = session->model;
    size_t i = find_input(model, name);
    if (i == model->input_count)
        return rf_fail(error, RF_ERROR_NOT_FOUND, name, "the model has no input '%.100s'; it has %zu, the first '%.80s'",
                       name ? name : "", model->input_count, model->input_count ? model->inputs[0].name : "");
    RF_TRY(check_buffer(&model->inputs[i], "input", data, bytes, error));
    session->inputs[i] = (void *)data;
    session->stale = true;
    return RF_OK;
}

static rf_status bind_output(rf_session *session, size_t o, void *data, size_t bytes, rf_error *error)
{
    RF_TRY(check_buffer(&session->model->outputs[o], "output", data, bytes, error));
    session->outputs[o] = data;
    session->stale = true;
    return RF_OK;
}

rf_status rf_session_bind(rf_session *session, const char *name, void *data, size_t bytes, rf_error *error)
{
    RF_TRY(check_session(session, error));
    const rf_model *model = session->model;
    size_t o = find_output(model, name);
    if (o < model->output_count)
        return bind_output(session, o, data, bytes, error);
    if (find_input(model, name) < model->input_count)
        return rf_session_bind_input(session, name, data, bytes, error);
    return rf_fail(error, RF_ERROR_NOT_FOUND, name, "the model has neither an input nor an output '%.100s'",
                   name ? name : "");
}

rf_status rf_session_output(const rf_session *session, const char *name, rf_tensor *output, rf_error *error)
{
    RF_TRY(check_session(session, error));
    if (!output)
        return rf_fail(error, RF_ERROR_ARGUMENT, "output", "output must not be NULL");
    const rf_model *model = session->model;
    size_t o = find_output(model, name);
    if (o == model->output_count)
        return rf_fail(error, RF_ERROR_NOT_FOUND, name, "the model has no output '%.100s'", name ? name : "");
    *output = model->outputs[o];
    output->shape = session->output_shapes[rf_plan_value_of(&model->plan, model->plan.graph->outputs[o])->output];
    output->data = output_address(session, (uint32_t)o);
    uint64_t bytes = 0;
    rf_tensor_bytes(output->dtype, &output->shape, &bytes);
    output->data_bytes = (size_t)bytes;
    return RF_OK;
}

rf_counts rf_session_counts(const rf_session *session, size_t i)
{
    bool counted = session && session->counts && i < session->model->plan.step_count;
    return counted ? session->counts[i] : (rf_counts){.macs = 0};
}

void rf_session_observe(rf_session *session, rf_step_observer observer, void *context)
{
    session->observer = observer;
    session->observer_context = context;
}
