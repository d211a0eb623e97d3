/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <rfield/readers.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "run_inputs.h"
#include "run_outputs.h"
#include "run_progress.h"

static const char help[] =
    "usage: rfield run MODEL --input NAME=FILE ... [options]\n"
    "\n"
    "Runs a network once. MODEL is an .onnx or .json file with weights.\n"
    "\n"
    "  -i, --input NAME=FILE    an input: .npy, .pb (ONNX TensorProto) or else a picture;\n"
    "                           repeatable. NAME= may be left out where there is one input\n"
    "  -i, --input NAME=SHAPE   the shape of an input, such as data=1x3x224x224\n"
    "  -o, --output NAME=FILE   writes an output to a file ending in .npy, .pb or .txt;\n"
    "                           repeatable. Without any, all are printed\n"
    "  -t, --threads N          workers; default one for each processor\n"
    "      --precision NAME     float32 (default), or bf16: products of rounded numbers\n"
    "      --tune               times all algorithms for each layer first, and takes the fastest\n"
    "  -k, --top K              prints the K greatest elements of the first output\n"
    "  -l, --labels FILE        their names: line 1 is element 0\n"
    "  -h, --help\n"
    "\n"
    "pictures become (pixel / 255 - mean) / std, resized to the input's size:\n"
    "      --resize N           the shorter side to N, then the middle is cut out\n"
    "      --mean A,B,C         default 0; one number for all channels will do\n"
    "      --std A,B,C          default 1\n"
    "      --bgr                blue first\n"
    "      --no-antialias       plain bilinear interpolation when shrinking\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

enum { RESIZE = 256, MEAN, STD, BGR, NO_ANTIALIAS, TUNE, PRECISION };

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'},    {"output", required_argument, NULL, 'o'},
    {"threads", required_argument, NULL, 't'},  {"top", required_argument, NULL, 'k'},
    {"labels", required_argument, NULL, 'l'},   {"help", no_argument, NULL, 'h'},
    {"resize", required_argument, NULL, RESIZE}, {"mean", required_argument, NULL, MEAN},
    {"std", required_argument, NULL, STD},      {"bgr", no_argument, NULL, BGR},
    {"no-antialias", no_argument, NULL, NO_ANTIALIAS}, {"tune", no_argument, NULL, TUNE},
    {"precision", required_argument, NULL, PRECISION},
    {0},
};

/* What the command line asks for. */
typedef struct run_request {
    const char *model, *labels;
    run_words inputs, outputs;
    int64_t threads; /* 0: one for each processor */
    int64_t top;     /* 0: none */
    rf_picture_options picture;
    rf_precision precision;
    bool tune, help;
} run_request;

/* ---- Words --------------------------------------------------------------------------------- */

static int take_count(const subcommand *command, const char *option, int64_t *number)
{
    if (parse_integer(optarg, number) && *number > 0)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number of 1 or more", option, optarg);
}

static int take_floats(const subcommand *command, const char *option, bool zero_allowed, float numbers[3])
{
    bool good = parse_channels(optarg, numbers);
    for (int i = 0; i < 3 && good && !zero_allowed; i++)
        good = numbers[i] < 0 || numbers[i] > 0;
    return good ? DONE : misuse(command, "--%s: '%.80s' is not one number or three%s", option, optarg,
                                zero_allowed ? "" : " other than 0");
}

static int take_output(const subcommand *command, run_request *request)
{
    if (!is_output_file(optarg))
        return misuse(command, "--output: '%.80s' does not end in .npy, .pb or .txt", optarg);
    request->outputs.at[request->outputs.count++] = optarg;
    return DONE;
}

static int take_option(const subcommand *command, run_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'i': request->inputs.at[request->inputs.count++] = optarg; return DONE;
    case 'o': return take_output(command, request);
    case 't': return take_count(command, "threads", &request->threads);
    case 'k': return take_count(command, "top", &request->top);
    case 'l': request->labels = optarg; return DONE;
    case RESIZE: return take_count(command, "resize", &request->picture.shorter_side);
    case MEAN: return take_floats(command, "mean", true, request->picture.mean);
    case STD: return take_floats(command, "std", false, request->picture.deviation);
    case BGR: request->picture.order = RF_CHANNELS_BGR; return DONE;
    case NO_ANTIALIAS: request->picture.antialias = false; return DONE;
    case TUNE: request->tune = true; return DONE;
    case PRECISION: return take_precision(command, optarg, &request->precision);
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, run_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:o:t:k:l:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    int code = take_model(command, argc, argv, &request->model);
    if (code != DONE)
        return code;
    if (request->labels && !request->top)
        return misuse(command, "--labels needs --top");
    return DONE;
}

/* ---- The run ------------------------------------------------------------------------------- */

/* What a run holds, each NULL until it is made. */
typedef struct run_job {
    const run_request *request;
    const rf_network *network;
    run_inputs inputs;
    rf_model *model;
    rf_threads *threads;
    rf_session *session;
} run_job;

static int make_model(run_job *job)
{
    rf_error error;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    if (rf_threads_make((size_t)job->request->threads, &job->threads, &error) != RF_OK)
        return complain(job->request->model, "%s", error.message);
    rf_executor executor = rf_threads_executor(job->threads);
    how.executor = &executor;
    how.tune = job->request->tune;
    how.precision = job->request->precision;
    return inputs_compile(&job->inputs, job->network, &how, &job->model);
}

static int make_session(run_job *job)
{
    rf_error error;
    rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
    rf_executor executor = rf_threads_executor(job->threads);
    how.executor = &executor;
    if (rf_session_make(job->model, &how, &job->session, &error) != RF_OK)
        return complain(job->request->model, "%s", error.message);
    return inputs_bind(&job->inputs, job->model, job->session);
}

static int run_session(run_job *job)
{
    rf_error error;
    run_progress progress;
    progress_start(&progress, job->model, job->session);
    rf_status status = rf_run(job->session, &error);
    progress_end(&progress);
    return status == RF_OK ? DONE : complain(job->request->model, "%s", error.message);
}

static int write_outputs(const run_job *job)
{
    const run_request *request = job->request;
    int code = outputs_save(request->model, &request->outputs, job->model, job->session);
    if (code == DONE && request->top)
        return outputs_print_top(request->model, job->model, job->session, (size_t)request->top, request->labels);
    if (code == DONE && request->outputs.count == 0)
        return outputs_print(request->model, job->model, job->session);
    return code;
}

static int do_job(run_job *job)
{
    const run_request *request = job->request;
    rf_error error;
    if (rf_network_load(request->model, NULL, &job->network, &error) != RF_OK)
        return complain(request->model, "%s", error.message);
    int code = inputs_open(&job->inputs, request->model, job->network, &request->inputs, &request->picture);
    if (code == DONE)
        code = make_model(job);
    if (code == DONE)
        code = outputs_check(request->model, &request->outputs, job->model);
    if (code == DONE)
        code = make_session(job);
    if (code == DONE)
        code = run_session(job);
    return code == DONE ? write_outputs(job) : code;
}

static void release(run_job *job)
{
    rf_session_free(job->session);
    rf_threads_free(job->threads);
    rf_model_free(job->model);
    inputs_close(&job->inputs);
    rf_network_free(job->network);
}

static int run(const subcommand *command, int argc, char **argv)
{
    run_request request = {.picture = RF_PICTURE_OPTIONS_DEFAULT};
    run_job job = {.request = &request};
    /* No option can be given more often than there are words. */
    request.inputs.at = calloc((size_t)argc, sizeof *request.inputs.at);
    request.outputs.at = calloc((size_t)argc, sizeof *request.outputs.at);
    int code = request.inputs.at && request.outputs.at ? read_words(command, &request, argc, argv)
                                                       : complain("rfield", "no memory for the options");
    if (code == DONE)
        code = request.help ? print_help(command) : do_job(&job);
    release(&job);
    free(request.inputs.at);
    free(request.outputs.at);
    return code;
}

const subcommand run_command = {"run", "runs a network on tensors and pictures", help, run};
