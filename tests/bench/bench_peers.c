/* SPDX-License-Identifier: MIT */
/*
 * Whole networks, ours against ONNX Runtime's, in one process and by turns.
 *
 * Their library is opened by the path that the user gives; nothing of it is needed to build this.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/rfield.h>

#include "bench_tools.h"
#include "ort_library.h"

static const char help[] =
    "usage: bench_peers --ort LIBRARY [options] MODEL.onnx ...\n"
    "\n"
    "Prints, for each network and number of threads, the median and least milliseconds of a run of ours and\n"
    "of ONNX Runtime's (LIBRARY: its shared library), their ratio (below 1: ours is faster), the\n"
    "milliseconds from file to ready of both, and the largest difference of outputs over the largest output.\n"
    "\n"
    "  --threads LIST   1,2 by default\n"
    "  --runs N         timed runs of each side, 20 by default\n"
    "  --isa NAME       ours with no better instruction set\n"
    "  --exact          of ours, only algorithms that round as a sum of products does\n"
    "  --help\n";

enum { BURST = 5, REST = 200, MOST_RUNS = 10000, MOST_THREADS = 256, MOST_COUNTS = 8, STARTS = 5 };

typedef struct bench_request {
    const char *library, *isa;
    int threads[MOST_COUNTS];
    size_t counts;
    long runs;
    bool exact, help;
} bench_request;

/* ---- Our side ----------------------------------------------------------------------------- */

typedef struct ours {
    const char *path;
    const rf_network *network;
    rf_model *model;
    rf_threads *threads;
    rf_session *session;
    const rf_tensor *inputs, *outputs;
    size_t input_count, output_count;
    void **buffers; /* of the inputs */
    double start_ms;
} ours;

static void close_ours(ours *our)
{
    for (size_t i = 0; our->buffers && i < our->input_count; i++)
        free(our->buffers[i]);
    free(our->buffers);
    rf_session_free(our->session);
    rf_model_free(our->model);
    rf_threads_free(our->threads);
    rf_network_free(our->network);
    *our = (ours){.path = our->path};
}

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return false;
}

/* Extents that the file leaves open are 1: of an image network that is the batch. */
static rf_binding *bind_extents(const rf_network *network)
{
    rf_binding *bindings = calloc(network->input_count + 1, sizeof *bindings);
    for (size_t i = 0; bindings && i < network->input_count; i++) {
        bindings[i] = (rf_binding){.name = network->inputs[i].name, .shape = network->inputs[i].shape};
        for (int32_t k = 0; k < bindings[i].shape.rank; k++)
            if (bindings[i].shape.dims[k] < 0)
                bindings[i].shape.dims[k] = 1;
    }
    return bindings;
}

/* From the file to a model. */
static bool load_ours(ours *our, const bench_request *request)
{
    rf_error error = {.message = "no memory"};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    double begin = bench_now();
    if (rf_network_load(our->path, NULL, &our->network, &error) != RF_OK)
        return complain(our->path, error.message);
    rf_binding *bindings = bind_extents(our->network);
    options.bindings = bindings;
    options.binding_count = our->network->input_count;
    options.isa = request->isa;
    options.exact = request->exact;
    bool done = bindings && rf_compile(our->network, &options, &our->model, &error) == RF_OK;
    free(bindings);
    our->start_ms = bench_now() - begin;
    return done || complain(our->path, error.message);
}

static size_t elements_of(const rf_tensor *tensor)
{
    size_t count = 1;
    for (int32_t k = 0; k < tensor->shape.rank; k++)
        count *= (size_t)tensor->shape.dims[k];
    return count;
}

static bool bind_buffers(ours *our)
{
    rf_error error;
    our->buffers = calloc(our->input_count + 1, sizeof *our->buffers);
    for (size_t i = 0; our->buffers && i < our->input_count; i++) {
        size_t count = elements_of(&our->inputs[i]), bytes = count * sizeof(float);
        if (our->inputs[i].dtype != RF_FLOAT32)
            return complain(our->path, "an input is not float32");
        our->buffers[i] = bench_allocate(bytes);
        if (!our->buffers[i])
            return complain(our->path, "no memory");
        bench_fill(our->buffers[i], count, i + 1);
        if (rf_session_bind_input(our->session, our->inputs[i].name, our->buffers[i], bytes, &error) != RF_OK)
            return complain(our->path, error.message);
    }
    return our->buffers || complain(our->path, "no memory");
}

static bool open_ours(ours *our, const bench_request *request, int threads)
{
    rf_error error;
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    rf_executor executor;
    if (!load_ours(our, request))
        return false;
    our->inputs = rf_model_inputs(our->model, &our->input_count);
    our->outputs = rf_model_outputs(our->model, &our->output_count);
    if (threads > 1) {
        if (rf_threads_make((size_t)threads, &our->threads, &error) != RF_OK)
            return complain(our->path, error.message);
        executor = rf_threads_executor(our->threads);
        options.executor = &executor;
    }
    if (rf_session_make(our->model, &options, &our->session, &error) != RF_OK)
        return complain(our->path, error.message);
    return bind_buffers(our);
}

static bool run_ours(const ours *our)
{
    rf_error error;
    return rf_run(our->session, &error) == RF_OK || complain(our->path, error.message);
}

/* ---- Both sides --------------------------------------------------------------------------- */

typedef struct pair {
    ours our;
    ort_session their;
    double their_start_ms;
} pair;

static void close_pair(pair *both)
{
    if (both->their.library)
        ort_session_close(&both->their);
    close_ours(&both->our);
}

static bool open_pair(pair *both, const char *path, const ort_library *library, const bench_request *request,
                      int threads)
{
    *both = (pair){.our.path = path};
    if (!open_ours(&both->our, request, threads))
        return false;
    const ours *our = &both->our;
    double begin = bench_now();
    bool done = ort_session_open(library, path, threads, our->inputs, our->buffers, our->input_count, our->outputs,
                                 our->output_count, &both->their);
    both->their_start_ms = bench_now() - begin;
    return done;
}

/* Starts both several times and keeps the least times, with the last pair open. */
static bool open_best(pair *both, const char *path, const ort_library *library, const bench_request *request,
                      int threads)
{
    double our_ms = INFINITY, their_ms = INFINITY;
    for (int i = 0; i < STARTS; i++) {
        if (i)
            close_pair(both);
        if (!open_pair(both, path, library, request, threads))
            return false;
        our_ms = fmin(our_ms, both->our.start_ms);
        their_ms = fmin(their_ms, both->their_start_ms);
    }
    both->our.start_ms = our_ms;
    both->their_start_ms = their_ms;
    return true;
}

static bool run_side(pair *both, bool ours_turn)
{
    return ours_turn ? run_ours(&both->our) : ort_session_run(&both->their);
}

/* A burst begins with a run that does not count: the other side has just had the caches. */
static bool take_burst(pair *both, bool ours_turn, double *times, long done, long runs)
{
    bool good = run_side(both, ours_turn);
    for (long r = done; good && r < done + BURST && r < runs; r++) {
        double begin = bench_now();
        good = run_side(both, ours_turn);
        times[r] = bench_now() - begin;
    }
    bench_rest(REST);
    return good;
}

static bool take_turns(pair *both, double *our_times, double *their_times, long runs)
{
    for (long done = 0; done < runs; done += BURST)
        if (!take_burst(both, true, our_times, done, runs) || !take_burst(both, false, their_times, done, runs))
            return false;
    return true;
}

/* Over all outputs of float32 of the last runs; NAN where they can't be compared. */
static double largest_error(const pair *both)
{
    double error = 0, largest = 0;
    for (size_t o = 0; o < both->our.output_count; o++) {
        rf_tensor output;
        const float *their;
        size_t count;
        if (both->our.outputs[o].dtype != RF_FLOAT32)
            continue;
        if (rf_session_output(both->our.session, both->our.outputs[o].name, &output, NULL) != RF_OK
            || !ort_session_output(&both->their, o, &their, &count) || count != elements_of(&output))
            return NAN;
        const float *our = output.data;
        for (size_t i = 0; i < count; i++) {
            error = fmax(error, fabs((double)our[i] - (double)their[i]));
            largest = fmax(largest, fabs((double)their[i]));
        }
    }
    return error / largest;
}

/* ---- Results ------------------------------------------------------------------------------ */

typedef struct outcome {
    double our_ms, their_ms; /* medians */
} outcome;

static void print_row(const pair *both, int threads, double *our_times, double *their_times, size_t runs,
                      outcome *found)
{
    const char *slash = strrchr(both->our.path, '/');
    double our_start = both->our.start_ms, their_start = both->their_start_ms;
    *found = (outcome){bench_median(our_times, runs), bench_median(their_times, runs)};
    printf("%-26.26s %3d %9.3f %9.3f %9.3f %9.3f %6.3f %6.3f %8.0f %8.0f %6.2f %8.1e\n",
           slash ? slash + 1 : both->our.path, threads, found->our_ms, our_times[0], found->their_ms, their_times[0],
           found->our_ms / found->their_ms, our_times[0] / their_times[0], our_start, their_start,
           our_start / their_start, largest_error(both));
    fflush(stdout);
}

static bool bench_pair(const char *path, const ort_library *library, const bench_request *request, int threads,
                       outcome *found)
{
    pair both;
    size_t runs = (size_t)request->runs;
    double *times = calloc(2 * runs, sizeof *times);
    bool done = times && open_best(&both, path, library, request, threads);
    if (done && (done = take_turns(&both, times, times + runs, request->runs)))
        print_row(&both, threads, times, times + runs, runs, found);
    if (times)
        close_pair(&both);
    free(times);
    return done;
}

/* How both sides gain by threads, where a row of 1 came first. */
static void print_gain(const bench_request *request, const outcome *found)
{
    for (size_t t = 1; t < request->counts; t++)
        if (request->threads[0] == 1)
            printf("%26s %d threads take %.3f of the time of 1 (theirs %.3f)\n", "", request->threads[t],
                   found[t].our_ms / found[0].our_ms, found[t].their_ms / found[0].their_ms);
}

/* ---- The command line --------------------------------------------------------------------- */

static bool take_threads(bench_request *request)
{
    const char *at = optarg;
    char *end;
    for (request->counts = 0; request->counts < MOST_COUNTS; at = end + 1) {
        long count = strtol(at, &end, 10);
        if (end == at || count < 1 || count > MOST_THREADS || (*end && *end != ','))
            break;
        request->threads[request->counts++] = (int)count;
        if (!*end)
            return true;
    }
    return complain("--threads", "not a list of at most 8 numbers from 1 to 256");
}

static bool take_runs(bench_request *request)
{
    char *end;
    request->runs = strtol(optarg, &end, 10);
    return (*optarg && !*end && request->runs >= 1 && request->runs <= MOST_RUNS)
        || complain("--runs", "not a number from 1 to 10000");
}

static bool take_option(int answer, bench_request *request)
{
    switch (answer) {
    case 'o': request->library = optarg; return true;
    case 'i': request->isa = optarg; return true;
    case 'e': request->exact = true; return true;
    case 'h': request->help = true; return true;
    case 't': return take_threads(request);
    case 'r': return take_runs(request);
    default: return false;
    }
}

static bool read_words(int argc, char **argv, bench_request *request)
{
    static const struct option options[] = {
        {"ort", required_argument, NULL, 'o'}, {"threads", required_argument, NULL, 't'},
        {"runs", required_argument, NULL, 'r'}, {"isa", required_argument, NULL, 'i'},
        {"exact", no_argument, NULL, 'e'},      {"help", no_argument, NULL, 'h'},
        {0},
    };
    int answer;
    while ((answer = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(answer, request))
            return false;
    return request->help || (request->library && optind < argc);
}

static bool bench_models(int count, char **paths, const ort_library *library, const bench_request *request)
{
    bool done = true;
    double logs[MOST_COUNTS] = {0};
    int networks = 0;
    for (int i = 0; i < count; i++) {
        outcome found[MOST_COUNTS];
        bool good = true;
        for (size_t t = 0; t < request->counts && good; t++)
            good = bench_pair(paths[i], library, request, request->threads[t], &found[t]);
        done &= good;
        if (!good)
            continue;
        print_gain(request, found);
        networks++;
        for (size_t t = 0; t < request->counts; t++)
            logs[t] += log(found[t].our_ms / found[t].their_ms);
    }
    for (size_t t = 0; networks && t < request->counts; t++)
        printf("geometric mean of %d networks, %d thread%s: %.3f\n", networks, request->threads[t],
               request->threads[t] == 1 ? "" : "s", exp(logs[t] / networks));
    return done;
}

int main(int argc, char **argv)
{
    bench_request request = {.threads = {1, 2}, .counts = 2, .runs = 20};
    ort_library library = {0};
    if (!read_words(argc, argv, &request) || request.help) {
        fputs(help, request.help ? stdout : stderr);
        return request.help ? 0 : 2;
    }
    bool done = ort_open(request.library, &library);
    if (done) {
        printf("rfield %s against ONNX Runtime %s, milliseconds\n%-26s %3s %19s %19s %13s %17s %6s %8s\n",
               rf_version(), library.version, "network", "thr", "ours, median least", "theirs, median least",
               "ratio, least", "start ours theirs", "ratio", "error");
        done = bench_models(argc - optind, argv + optind, &library, &request);
    }
    ort_close(&library);
    return done ? 0 : 1;
}
