/* SPDX-License-Identifier: MIT */
/*
 * Lesson 9: one network in two shapes, on threads and in your own memory. A model is for one shape
 * of its inputs; models of the same network share their prepared weights.
 *
 *     09_threads_and_shapes fashion_mnist.onnx
 *
 * Pictures run one by one must get the same scores as all together on two threads.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <rfield/rfield.h>

enum { PICTURES = 32, PIXELS = 28 * 28, CLASSES = 10, THREADS = 2, ALIGNMENT = 64 };

static float pixels[PICTURES][PIXELS], alone[PICTURES][CLASSES], together[PICTURES][CLASSES];

static rf_status compile(const rf_network *network, int64_t pictures, const rf_model *share,
                         rf_model **model, rf_error *error)
{
    rf_binding binding = {.name = "pixels", .shape = RF_SHAPE(pictures, 1, 28, 28)};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    options.share = share;
    return rf_compile(network, &options, model, error);
}

/* Binding is cheap: a session goes from buffer to buffer without copying. */
static rf_status run(rf_session *session, float *input, float *scores, size_t pictures, rf_error *error)
{
    rf_status status = rf_session_bind_input(session, "pixels", input, pictures * sizeof *pixels, error);
    if (status == RF_OK)
        status = rf_session_bind(session, "scores", scores, pictures * sizeof *alone, error);
    return status == RF_OK ? rf_run(session, error) : status;
}

static rf_status run_alone(const rf_model *model, rf_error *error)
{
    rf_session *session = NULL;
    rf_status status = rf_session_make(model, NULL, &session, error);
    for (size_t n = 0; n < PICTURES && status == RF_OK; n++)
        status = run(session, pixels[n], alone[n], 1, error);
    rf_session_free(session);
    return status;
}

static rf_status run_together(const rf_model *model, rf_threads *threads, rf_error *error)
{
    rf_model_memory needed = rf_model_memory_needed(model);
    rf_executor executor = rf_threads_executor(threads);
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = &executor;
    options.memory_bytes = (size_t)(needed.arena_bytes + (executor.workers - 1) * needed.worker_bytes);
    /* aligned_alloc() wants a multiple of the alignment. */
    options.memory = aligned_alloc(ALIGNMENT, (options.memory_bytes / ALIGNMENT + 1) * ALIGNMENT);
    printf("%zu bytes of ours, %" PRIu64 " of weights\n", options.memory_bytes, needed.packed_bytes);

    rf_session *session = NULL;
    rf_status status = rf_session_make(model, &options, &session, error);
    if (status == RF_OK)
        status = run(session, pixels[0], together[0], PICTURES, error);
    rf_session_free(session);
    free(options.memory);
    return status;
}

int main(int argc, char **argv)
{
    const rf_network *network = NULL;
    rf_model *one = NULL, *many = NULL;
    rf_threads *threads = NULL;
    rf_error error;
    for (size_t k = 0; k < PICTURES * PIXELS; k++)
        pixels[k / PIXELS][k % PIXELS] = (float)(k * k % 257) / 256;

    bool failed = rf_network_load(argc > 1 ? argv[1] : "", NULL, &network, &error) != RF_OK
                  || compile(network, 1, NULL, &one, &error) != RF_OK
                  || compile(network, PICTURES, one, &many, &error) != RF_OK
                  || rf_threads_make(THREADS, &threads, &error) != RF_OK
                  || run_alone(one, &error) != RF_OK || run_together(many, threads, &error) != RF_OK;
    size_t alike = 0;
    for (size_t k = 0; k < PICTURES * CLASSES; k++) {
        float difference = alone[k / CLASSES][k % CLASSES] - together[k / CLASSES][k % CLASSES];
        alike += difference > -1e-4F && difference < 1e-4F;
    }
    if (failed)
        fprintf(stderr, "%s: %s\n", rf_status_name(error.status), error.message);
    else
        printf("the same scores: %zu of %d\n", alike, PICTURES * CLASSES);
    rf_threads_free(threads);
    rf_model_free(many);
    rf_model_free(one);
    rf_network_free(network);
    return failed || alike != PICTURES * CLASSES;
}
