/* SPDX-License-Identifier: MIT */
/*
 * Lesson 8: run a network. Compile it once, make a session, bind your buffers to its inputs and
 * outputs by name, run, and print the classes with the highest scores.
 *
 *     08_run_onnx MODEL
 *
 * MODEL is an ONNX file with one float32 input, which is given 0/n, 1/n, 2/n ...: a picture of your
 * own is what rf_picture_to_tensor() is for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rfield/rfield.h>

enum { TOP = 5 };

static size_t count_of(const rf_tensor *tensor)
{
    size_t count = 1;
    for (int32_t k = 0; k < tensor->shape.rank; k++)
        count *= (size_t)tensor->shape.dims[k];
    return count;
}

static void print_top(const float *scores, size_t count)
{
    size_t taken[TOP];
    for (size_t n = 0; n < TOP && n < count; n++) {
        size_t best = count;
        for (size_t k = 0; k < count; k++) {
            size_t seen = 0;
            while (seen < n && taken[seen] != k)
                seen++;
            if (seen == n && (best == count || scores[k] > scores[best]))
                best = k;
        }
        taken[n] = best;
        printf("class %zu: %.4g\n", best, (double)scores[best]);
    }
}

/* Everything that a run needs is taken here; rf_run() itself allocates nothing. */
static rf_status run(const rf_model *model, rf_error *error)
{
    size_t inputs, outputs;
    const rf_tensor *input = rf_model_inputs(model, &inputs), *output = rf_model_outputs(model, &outputs);
    if (inputs != 1 || outputs < 1 || input->dtype != RF_FLOAT32 || output->dtype != RF_FLOAT32) {
        *error = (rf_error){.status = RF_ERROR_UNSUPPORTED, .message = "expected float32, and one input"};
        return error->status;
    }
    size_t elements = count_of(input), classes = count_of(output);
    float *pixels = calloc(elements ? elements : 1, sizeof *pixels);
    float *scores = calloc(classes ? classes : 1, sizeof *scores);
    rf_session *session = NULL;
    rf_status status = rf_session_make(model, NULL, &session, error);
    for (size_t k = 0; pixels && k < elements; k++)
        pixels[k] = (float)k / (float)elements;
    if (status == RF_OK)
        status = rf_session_bind_input(session, input->name, pixels, elements * sizeof *pixels, error);
    if (status == RF_OK)
        status = rf_session_bind(session, output->name, scores, classes * sizeof *scores, error);
    if (status == RF_OK)
        status = rf_run(session, error);
    if (status == RF_OK)
        print_top(scores, classes);
    rf_session_free(session);
    free(pixels);
    free(scores);
    return status;
}

int main(int argc, char **argv)
{
    const rf_network *network = NULL;
    rf_model *model = NULL;
    rf_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL\n", argv[0]);
        return 2;
    }
    rf_status status = rf_network_load(argv[1], NULL, &network, &error);
    if (status == RF_OK)
        status = rf_compile(network, NULL, &model, &error);
    if (status == RF_OK)
        status = run(model, &error);
    if (status == RF_OK)
        printf("%zu steps in %" PRIu64 " bytes\n", rf_model_step_count(model),
               rf_model_memory_needed(model).arena_bytes);
    else
        fprintf(stderr, "%s: %s\n", rf_status_name(status), error.message);
    rf_model_free(model); /* before the network, whose weights it may point to */
    rf_network_free(network);
    return status != RF_OK;
}
