/* SPDX-License-Identifier: MIT */
#include "training_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 30 };

/* ---- Options ------------------------------------------------------------------------------- */

static bool read_count(const char *name, const char *text, unsigned long least, unsigned long *number)
{
    char *end;
    *number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *number >= least && *number <= 1000000)
        return true;
    fprintf(stderr, "%s is '%s', but must be a whole number from %lu to 1000000\n", name, text, least);
    return false;
}

bool training_options(training *it, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        bool known = true, good = value != NULL;
        if (good && strcmp(name, "--epochs") == 0)
            good = read_count(name, value, 1, &it->epochs);
        else if (good && strcmp(name, "--seed") == 0)
            good = read_count(name, value, 0, &it->seed);
        else if (good && strcmp(name, "--threads") == 0)
            good = read_count(name, value, 1, &it->threads);
        else if (good && strcmp(name, "--data") == 0)
            it->data = value;
        else if (good && strcmp(name, "--output") == 0)
            it->output = value;
        else
            known = false;
        if (known && good)
            continue;
        if (!known)
            fprintf(stderr, "usage: %s [--epochs N] [--seed N] [--threads N] [--data PATH] [--output FILE.onnx]\n", argv[0]);
        return false;
    }
    return true;
}

/* ---- Data ---------------------------------------------------------------------------------- */

bool labelled_make(labelled *made, size_t count, size_t pixels_each)
{
    *made = (labelled){.count = count, .pixels_each = pixels_each};
    made->pixels = malloc(count * pixels_each * sizeof *made->pixels);
    made->classes = malloc(count * sizeof *made->classes);
    return made->pixels && made->classes;
}

void labelled_free(labelled *of)
{
    free(of->pixels);
    free(of->classes);
}

/* ---- One run of the program ------------------------------------------------------------------ */

typedef struct run {
    training *it;
    rf_random random;
    rf_threads *threads;
    rf_executor executor;
    const rf_network *network; /* with weights */
    rf_trainer *trainer;
    size_t batch;
    float *pixels;             /* of a batch */
    int64_t *classes;
    size_t *order;
    rf_schedule schedule;
    uint64_t step;
} run;

static rf_status out_of_memory(rf_error *error)
{
    *error = (rf_error){.status = RF_ERROR_MEMORY, .message = "no memory for a batch"};
    return RF_ERROR_MEMORY;
}

static rf_status make_weights(run *r, rf_error *error)
{
    rf_binding binding = {.name = "pixels", .shape = r->it->shape};
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.seed = r->it->seed;
    how.bindings = &binding;
    how.binding_count = 1;
    return rf_network_initialize(r->it->network, &how, &r->network, error);
}

static rf_status make_trainer(run *r, rf_error *error)
{
    rf_binding binding = {.name = "pixels", .shape = r->it->shape};
    rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    options.executor = r->threads ? &r->executor : NULL;
    options.optimizer.kind = RF_OPTIMIZER_NESTEROV;
    options.optimizer.weight_decay = r->it->decay;
    rf_status status = rf_trainer_make(r->network, &options, &r->trainer, error);
    if (status == RF_OK)
        status = rf_trainer_bind(r->trainer, "pixels", r->pixels, r->batch * r->it->learn.pixels_each * sizeof(float), error);
    if (status == RF_OK)
        status = rf_trainer_bind(r->trainer, RF_TARGET, r->classes, r->batch * sizeof(int64_t), error);
    return status;
}

static rf_status open_run(run *r, rf_error *error)
{
    training *it = r->it;
    r->batch = (size_t)it->shape.dims[0];
    r->random = rf_random_named(it->seed, "order");
    r->pixels = malloc(r->batch * it->learn.pixels_each * sizeof *r->pixels);
    r->classes = malloc(r->batch * sizeof *r->classes);
    r->order = malloc(it->learn.count * sizeof *r->order);
    if (!r->pixels || !r->classes || !r->order)
        return out_of_memory(error);
    for (size_t i = 0; i < it->learn.count; i++)
        r->order[i] = i;
    uint64_t steps = it->epochs * (it->learn.count / r->batch);
    r->schedule = (rf_schedule){.kind = RF_SCHEDULE_ONE_CYCLE, .rate = it->rate, .initial_rate = it->rate / 10,
                                .final_rate = it->rate / 1000, .steps = steps, .peak = steps / 4};
    rf_status status = RF_OK;
    if (it->threads > 1)
        status = rf_threads_make(it->threads, &r->threads, error);
    /* A library that was built without threads learns the same with one. */
    if (status == RF_ERROR_UNSUPPORTED)
        status = RF_OK;
    if (status == RF_OK && r->threads)
        r->executor = rf_threads_executor(r->threads);
    if (status == RF_OK)
        status = make_weights(r, error);
    return status == RF_OK ? make_trainer(r, error) : status;
}

static void close_run(run *r)
{
    rf_trainer_free(r->trainer);
    rf_network_free(r->network);
    rf_threads_free(r->threads);
    free(r->pixels);
    free(r->classes);
    free(r->order);
}

/* ---- Learning ------------------------------------------------------------------------------ */

static void mirror(float *pixels, size_t count, size_t row)
{
    for (size_t first = 0; first < count; first += row)
        for (size_t i = 0; i < row / 2; i++) {
            float kept = pixels[first + i];
            pixels[first + i] = pixels[first + row - 1 - i];
            pixels[first + row - 1 - i] = kept;
        }
}

static void fill_batch(run *r, const size_t *chosen)
{
    const labelled *from = &r->it->learn;
    for (size_t n = 0; n < r->batch; n++) {
        float *to = r->pixels + n * from->pixels_each;
        memcpy(to, from->pixels + chosen[n] * from->pixels_each, from->pixels_each * sizeof *to);
        r->classes[n] = from->classes[chosen[n]];
        if (r->it->mirror_row && rf_random_below(&r->random, 2))
            mirror(to, from->pixels_each, r->it->mirror_row);
    }
}

/* On a terminal only. */
static void show_bar(unsigned long epoch, size_t done, size_t all, double loss)
{
    if (!isatty(STDERR_FILENO))
        return;
    char bar[BAR + 1];
    size_t full = done * BAR / all;
    memset(bar, '=', full);
    memset(bar + full, ' ', BAR - full);
    bar[BAR] = '\0';
    fprintf(stderr, done < all ? "\repoch %lu [%s] loss %.4f" : "\r\033[K", epoch, bar, loss);
}

/* Pictures that are left over after whole batches come another time: the order is a new one in each epoch. */
static rf_status learn_epoch(run *r, unsigned long epoch, double *mean_loss, rf_error *error)
{
    size_t batches = r->it->learn.count / r->batch;
    double sum = 0, loss = 0;
    rf_random_shuffle(&r->random, r->order, r->it->learn.count);
    for (size_t b = 0; b < batches; b++) {
        fill_batch(r, r->order + b * r->batch);
        rf_status status = rf_backward(r->trainer, &loss, error);
        if (status == RF_OK)
            status = rf_trainer_step(r->trainer, rf_schedule_rate(&r->schedule, r->step++), error);
        if (status != RF_OK)
            return status;
        sum += loss;
        show_bar(epoch, b + 1, batches, sum / (double)(b + 1));
    }
    *mean_loss = sum / (double)batches;
    return RF_OK;
}

/* ---- Testing ------------------------------------------------------------------------------- */

static size_t best_of(const float *scores, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* The last batch may hold fewer pictures than are run. */
static rf_status count_right(run *r, rf_session *session, const float *scores, size_t *right, rf_error *error)
{
    const labelled *test = &r->it->test;
    *right = 0;
    for (size_t first = 0; first < test->count; first += r->batch) {
        size_t here = test->count - first < r->batch ? test->count - first : r->batch;
        memcpy(r->pixels, test->pixels + first * test->pixels_each, here * test->pixels_each * sizeof *r->pixels);
        rf_status status = rf_run(session, error);
        if (status != RF_OK)
            return status;
        for (size_t n = 0; n < here; n++)
            *right += best_of(scores + n * r->it->classes, r->it->classes) == (size_t)test->classes[first + n];
    }
    return RF_OK;
}

static rf_status test_model(run *r, const rf_model *model, double *accuracy, rf_error *error)
{
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    rf_session *session;
    size_t right = 0, bytes = r->batch * r->it->classes * sizeof(float);
    float *scores = malloc(bytes);
    if (!scores)
        return out_of_memory(error);
    options.executor = r->threads ? &r->executor : NULL;
    rf_status status = rf_session_make(model, &options, &session, error);
    if (status == RF_OK)
        status = rf_session_bind_input(session, "pixels", r->pixels, r->batch * r->it->test.pixels_each * sizeof(float), error);
    if (status == RF_OK)
        status = rf_session_bind(session, "scores", scores, bytes, error);
    if (status == RF_OK)
        status = count_right(r, session, scores, &right, error);
    *accuracy = (double)right / (double)r->it->test.count;
    rf_session_free(session);
    free(scores);
    return status;
}

/* Nothing where no file was asked for. */
static rf_status save(const run *r, const rf_network *now, rf_error *error)
{
    return r->it->output ? rf_network_save_onnx(now, r->it->output, NULL, error) : RF_OK;
}

/* What has been learnt so far: saved, and run as any network is. */
static rf_status test_now(run *r, double *accuracy, rf_error *error)
{
    const rf_network *now = NULL;
    rf_model *model = NULL;
    rf_binding binding = {.name = "pixels", .shape = r->it->shape};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    rf_status status = rf_trainer_network(r->trainer, &now, error);
    if (status == RF_OK)
        status = save(r, now, error);
    if (status == RF_OK)
        status = rf_compile(now, &options, &model, error);
    if (status == RF_OK)
        status = test_model(r, model, accuracy, error);
    rf_model_free(model);
    rf_network_free(now);
    return status;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A loss or gradient that is no number ends the learning; the weights before that step are kept. */
static rf_status learn(run *r, double *accuracy, rf_error *error)
{
    for (unsigned long epoch = 1; epoch <= r->it->epochs; epoch++) {
        double loss = 0, start = seconds();
        rf_status status = learn_epoch(r, epoch, &loss, error);
        double took = seconds() - start;
        if (status == RF_ERROR_NUMBER) {
            fprintf(stderr, "stopped in epoch %lu: %s\n", epoch, error->message);
            return test_now(r, accuracy, error);
        }
        if (status == RF_OK)
            status = test_now(r, accuracy, error);
        if (status != RF_OK)
            return status;
        printf("epoch %lu: %.2f s, loss %.4f, %.4f of the test set right\n", epoch, took, loss, *accuracy);
        fflush(stdout);
    }
    return RF_OK;
}

int training_run(training *it)
{
    run r = {.it = it};
    double accuracy = 0;
    rf_error error;
    rf_status status = open_run(&r, &error);
    /* A file that cannot be written is told before the first step. */
    if (status == RF_OK)
        status = save(&r, r.network, &error);
    if (status == RF_OK)
        status = learn(&r, &accuracy, &error);
    if (status != RF_OK)
        fprintf(stderr, "%s: %s\n", rf_status_name(status), error.message);
    else
        printf("test accuracy: %.4f\n", accuracy);
    close_run(&r);
    return status != RF_OK;
}
