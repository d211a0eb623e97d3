/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_result.h"
#include "trial.h"

static const char help[] =
    "usage: rfield bench MODEL [options]\n"
    "\n"
    "Times a network on numbers of its own. MODEL is an .onnx file with weights.\n"
    "\n"
    "  -i, --input NAME=SHAPE   shape of an input, such as data=1x3x224x224; repeatable\n"
    "  -t, --threads N          threads, 1 by default\n"
    "  -r, --runs R             timed runs, 20 by default, after two that are not\n"
    "  -l, --layers             also the median time of each step, and its share of the processor's peak\n"
    "      --isa NAME           no better instruction set than avx512, avx2 or baseline\n"
    "      --exact              only algorithms that round as a sum of products does\n"
    "      --precision NAME     float32 (default), or bf16: products of rounded numbers\n"
    "      --tune               times all algorithms for each layer first, and takes the fastest\n"
    "  -f, --format FORMAT      text (default) or json\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'},  {"threads", required_argument, NULL, 't'},
    {"runs", required_argument, NULL, 'r'},   {"layers", no_argument, NULL, 'l'},
    {"isa", required_argument, NULL, 'I'},    {"exact", no_argument, NULL, 'E'},
    {"tune", no_argument, NULL, 'T'},         {"precision", required_argument, NULL, 'P'},
    {"format", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static const char *const formats[] = {"text", "json", NULL};
enum { TEXT, JSON, WARM_UPS = 2, MOST_RUNS = 1000000, MOST_THREADS = 1024 };

/* What the command line asks for. */
typedef struct bench_request {
    const char *model, *isa;
    input_options inputs;
    int64_t threads, runs;
    rf_precision precision;
    int format;
    bool layers, exact, tune, help;
} bench_request;

static int take_number(const subcommand *command, const char *option, int64_t most, int64_t *number)
{
    if (parse_integer(optarg, number) && *number >= 1 && *number <= most)
        return DONE;
    return misuse(command, "%s: '%.80s' is not a number from 1 to %lld", option, optarg, (long long)most);
}

static int take_format(const subcommand *command, bench_request *request)
{
    request->format = find_word(formats, optarg);
    return request->format >= 0 ? DONE : misuse(command, "--format: '%.80s' is neither text nor json", optarg);
}

static int take_option(const subcommand *command, bench_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'i': return add_input(command, &request->inputs, optarg);
    case 't': return take_number(command, "--threads", MOST_THREADS, &request->threads);
    case 'r': return take_number(command, "--runs", MOST_RUNS, &request->runs);
    case 'l': request->layers = true; return DONE;
    case 'I': request->isa = optarg; return DONE;
    case 'E': request->exact = true; return DONE;
    case 'T': request->tune = true; return DONE;
    case 'P': return take_precision(command, optarg, &request->precision);
    case 'f': return take_format(command, request);
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, bench_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:t:r:lf:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    return take_model(command, argc, argv, &request->model);
}

/* ---- Timing ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    return count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
}

/* When each step of a run began. */
typedef struct stopwatch {
    double *begun; /* one for each step */
} stopwatch;

static bool note_step(void *context, const rf_session *session, size_t step)
{
    (void)session;
    ((stopwatch *)context)->begun[step] = trial_clock();
    return true;
}

static int time_runs(trial *it, size_t runs, bench_result *result)
{
    rf_error error;
    double *times = calloc(runs, sizeof *times);
    if (!times)
        return complain(it->path, "no memory for %zu runs", runs);
    for (size_t r = 0; r < runs + WARM_UPS; r++) {
        double start = trial_clock();
        if (rf_run(it->session, &error) != RF_OK) {
            free(times);
            return complain(it->path, "%s", error.message);
        }
        if (r >= WARM_UPS)
            times[r - WARM_UPS] = trial_clock() - start;
    }
    result->median_ms = median(times, runs);
    result->min_ms = times[0];
    result->max_ms = times[runs - 1];
    free(times);
    return DONE;
}

/* Step after step, each timed `runs` times: the observer's clock is read between them. */
static int time_steps(trial *it, size_t runs, bench_result *result)
{
    rf_error error;
    size_t steps = result->step_count;
    double *begun = calloc(steps + 1, sizeof *begun), *times = calloc(steps * runs + 1, sizeof *times);
    result->step_ms = calloc(steps + 1, sizeof *result->step_ms);
    rf_status status = RF_OK;
    int code = begun && times && result->step_ms ? DONE : complain(it->path, "no memory for %zu steps", steps);
    stopwatch watch = {begun};
    rf_session_observe(it->session, note_step, &watch);
    for (size_t r = 0; r < runs && code == DONE && status == RF_OK; r++) {
        status = rf_run(it->session, &error);
        begun[steps] = trial_clock();
        for (size_t s = 0; s < steps; s++)
            times[s * runs + r] = begun[s + 1] - begun[s];
    }
    for (size_t s = 0; s < steps && code == DONE; s++)
        result->step_ms[s] = median(times + s * runs, runs);
    free(begun);
    free(times);
    return status == RF_OK ? code : complain(it->path, "%s", error.message);
}

/* ---- Speeds ------------------------------------------------------------------------------- */

uint64_t bench_macs(const bench_result *result, const rf_model_step *step)
{
    const rf_analysis *analysis = result->analysis;
    return step->index < analysis->layer_count ? analysis->layers[step->index].dense.macs : 0;
}

double bench_gflops(uint64_t macs, double ms)
{
    return ms > 0 ? 2e-6 * (double)macs / ms : 0;
}

double bench_share(const bench_result *result, double gflops)
{
    return result->peak_gflops > 0 ? gflops / (result->peak_gflops * (double)result->threads) : 0;
}

/* The best of several stretches, each long enough for the clock and short enough not to be disturbed. */
static double measure_peak(const rf_model *model)
{
    enum { STRETCHES = 60, STEPS = 20000 };
    double best = 0;
    for (int i = 0; i < STRETCHES; i++) {
        double start = trial_clock();
        uint64_t macs = rf_model_spin(model, STEPS);
        double reached = bench_gflops(macs, trial_clock() - start);
        best = reached > best ? reached : best;
    }
    return best;
}

static int measure(const bench_request *request, const open_model *model, double load_ms)
{
    trial it;
    bench_result result = {.path = request->model, .threads = request->threads, .runs = request->runs,
                           .load_ms = load_ms};
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.isa = request->isa;
    how.exact = request->exact;
    how.tune = request->tune;
    how.precision = request->precision;
    int code = trial_open(&it, model, &how, (size_t)request->threads);
    if (code == DONE) {
        rf_model_memory memory = rf_model_memory_needed(it.model);
        result.model = it.model;
        result.analysis = model->analysis;
        result.compile_ms = it.compile_ms;
        result.arena_bytes = memory.arena_bytes + memory.worker_bytes * (uint64_t)(request->threads - 1);
        result.packed_bytes = memory.packed_bytes;
        result.step_count = rf_model_step_count(it.model);
        code = time_runs(&it, (size_t)request->runs, &result);
    }
    if (code == DONE && request->layers)
        code = time_steps(&it, (size_t)request->runs, &result);
    if (result.step_ms)
        result.peak_gflops = measure_peak(it.model);
    if (code == DONE)
        code = request->format == JSON ? print_bench_json(&result) : print_bench_text(&result);
    free(result.step_ms);
    trial_close(&it);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    bench_request request = {.threads = 1, .runs = 20};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE && request.help) {
        code = print_help(command);
    } else if (code == DONE) {
        open_model model;
        double start = trial_clock();
        code = model_open(&model, request.model, &request.inputs, false);
        double load_ms = trial_clock() - start;
        if (code == DONE)
            code = measure(&request, &model, load_ms);
        model_close(&model);
    }
    free_inputs(&request.inputs);
    return code;
}

const subcommand bench_command = {"bench", "times a network, and each of its steps", help, run};
