/* SPDX-License-Identifier: MIT */
/* rfield-mpi run: the files of a directory, each through the network on one of the ranks. */
#include <getopt.h>
#include <rfield/readers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "element_text.h"
#include "file_list.h"
#include "mpi_commands.h"
#include "ranks.h"
#include "run_inputs.h"

static const char help[] =
    "usage: mpirun -n RANKS rfield-mpi run MODEL DIRECTORY [options]\n"
    "\n"
    "Runs a network of one input on every file of a directory, shared out over the ranks, and\n"
    "prints the greatest scores of its first output: a line for each file, by name.\n"
    "\n"
    "  -k, --top K              how many scores; default 5\n"
    "  -i, --input NAME=SHAPE   as for rfield analyze\n"
    "  -t, --threads N          workers of each rank; default 1\n"
    "  -h, --help\n"
    "\n"
    "a file is .npy, .pb or else a picture, which becomes (pixel / 255 - mean) / std:\n"
    "      --resize N           the shorter side to N, then the middle is cut out\n"
    "      --mean A,B,C         default 0; one number for all channels will do\n"
    "      --std A,B,C          default 1\n"
    "      --bgr                blue first\n"
    "\n"
    "exit code: 0; 1 for a bad model or input, also of a single file; 2 for a wrong command line\n";

enum { RESIZE = 256, MEAN, STD, BGR };

static const struct option options[] = {
    {"top", required_argument, NULL, 'k'},       {"input", required_argument, NULL, 'i'},
    {"threads", required_argument, NULL, 't'},   {"resize", required_argument, NULL, RESIZE},
    {"mean", required_argument, NULL, MEAN},     {"std", required_argument, NULL, STD},
    {"bgr", no_argument, NULL, BGR},             {"help", no_argument, NULL, 'h'},
    {0},
};

/* What the command line asks for, and what a rank holds. */
typedef struct run_job {
    const subcommand *command;
    int argc;
    char **argv;
    const char *model_path, *directory;
    input_options inputs;
    int64_t top, threads;
    rf_picture_options picture;
    bool help;
    const rf_network *network;
    rf_model *model;
    rf_threads *pool;
    rf_session *session;
    file_list files;
    char *word;            /* "INPUT=DIRECTORY/FILE" */
    size_t word_room;
    char *results;         /* of this rank's files, each ended by NUL */
    size_t result_count, result_room;
} run_job;

/* ---- Words -------------------------------------------------------------------------------- */

static int take_count(const subcommand *command, const char *option, int64_t *number)
{
    if (parse_integer(optarg, number) && *number > 0)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number of 1 or more", option, optarg);
}

static int take_channels(const subcommand *command, const char *option, bool zero_allowed, float numbers[3])
{
    bool good = parse_channels(optarg, numbers);
    for (int i = 0; i < 3 && good && !zero_allowed; i++)
        good = numbers[i] < 0 || numbers[i] > 0;
    return good ? DONE : misuse(command, "--%s: '%.80s' is not one number or three%s", option, optarg,
                                zero_allowed ? "" : " other than 0");
}

static int take_option(run_job *job, int answer)
{
    const subcommand *command = job->command;
    switch (answer) {
    case 'k': return take_count(command, "top", &job->top);
    case 'i': return add_input(command, &job->inputs, optarg);
    case 't': return take_count(command, "threads", &job->threads);
    case RESIZE: return take_count(command, "resize", &job->picture.shorter_side);
    case MEAN: return take_channels(command, "mean", true, job->picture.mean);
    case STD: return take_channels(command, "std", false, job->picture.deviation);
    case BGR: job->picture.order = RF_CHANNELS_BGR; return DONE;
    case 'h': job->help = true; return DONE;
    default: return bad_option(command, answer, job->argv);
    }
}

static int read_words(void *context)
{
    run_job *job = context;
    int answer;
    opterr = 0;
    while ((answer = getopt_long(job->argc, job->argv, ":k:i:t:h", options, NULL)) != -1) {
        int code = take_option(job, answer);
        if (code != DONE || job->help)
            return code;
    }
    if (job->argc - optind < 2)
        return misuse(job->command, "a model file and a directory are needed");
    if (job->argc - optind > 2)
        return misuse(job->command, "'%.80s' is one word too many", job->argv[optind + 2]);
    job->model_path = job->argv[optind];
    job->directory = job->argv[optind + 1];
    return DONE;
}

/* ---- The model ---------------------------------------------------------------------------- */

static int compile(run_job *job)
{
    rf_error error;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    rf_session_options session = RF_SESSION_OPTIONS_DEFAULT;
    for (size_t i = 0; i < job->inputs.count; i++)
        if (!job->inputs.bindings[i].name)
            job->inputs.bindings[i].name = job->network->inputs[0].name;
    how.bindings = job->inputs.bindings;
    how.binding_count = job->inputs.count;
    rf_status status = rf_threads_make((size_t)job->threads, &job->pool, &error);
    rf_executor executor = {.workers = 1};
    if (status == RF_OK)
        executor = rf_threads_executor(job->pool);
    how.executor = session.executor = &executor;
    if (status == RF_OK)
        status = rf_compile(job->network, &how, &job->model, &error);
    if (status == RF_OK)
        status = rf_session_make(job->model, &session, &job->session, &error);
    return status == RF_OK ? DONE : complain(job->model_path, "%s", error.message);
}

static int open_network(void *context)
{
    run_job *job = context;
    rf_error error;
    size_t count;
    if (rf_network_load(job->model_path, NULL, &job->network, &error) != RF_OK)
        return complain(job->model_path, "%s", error.message);
    if (job->network->input_count != 1)
        return complain(job->model_path, "the network has %zu inputs; files can feed one", job->network->input_count);
    int code = compile(job);
    if (code != DONE)
        return code;
    const rf_tensor *outputs = rf_model_outputs(job->model, &count);
    if (count == 0 || !has_element_text(outputs[0].dtype))
        return complain(job->model_path, "the network has no output to take scores from");
    return DONE;
}

/* ---- Files -------------------------------------------------------------------------------- */

static bool make_room(char **bytes, size_t *room, size_t needed)
{
    if (needed <= *room)
        return true;
    char *grown = realloc(*bytes, 2 * needed);
    if (!grown)
        return false;
    *bytes = grown;
    *room = 2 * needed;
    return true;
}

static int run_file(run_job *job, const char *name)
{
    const char *input = job->network->inputs[0].name;
    size_t needed = strlen(input) + strlen(job->directory) + strlen(name) + 3;
    run_inputs inputs;
    rf_error error;
    if (!make_room(&job->word, &job->word_room, needed))
        return complain(name, "no memory for its path");
    snprintf(job->word, job->word_room, "%s=%s/%s", input, job->directory, name);
    const run_words words = {.at = (const char *[]){job->word}, .count = 1};
    int code = inputs_open(&inputs, job->model_path, job->network, &words, &job->picture);
    if (code == DONE)
        code = inputs_bind(&inputs, job->model, job->session);
    if (code == DONE && rf_run(job->session, &error) != RF_OK)
        code = complain(job->word + strlen(input) + 1, "%s", error.message);
    inputs_close(&inputs);
    return code;
}

/* The best element that comes after `last` in the order of falling values, equal ones by their index. */
static size_t next_best(const rf_tensor *output, size_t count, size_t last)
{
    size_t best = count;
    double bound = last < count ? element_as_double(output, last) : 0, value = 0;
    for (size_t i = 0; i < count; i++) {
        double at = element_as_double(output, i);
        bool later = last == count || at < bound || (at <= bound && i > last);
        if (later && (best == count ? at <= at : at > value)) {
            best = i;
            value = at;
        }
    }
    return best;
}

/* Appends to the results of this rank; an empty text says that the file failed. */
static bool add_result(run_job *job, const char *text, bool ended)
{
    size_t length = strlen(text) + (ended ? 1 : 0);
    if (!make_room(&job->results, &job->result_room, job->result_count + length + 1))
        return false;
    memcpy(job->results + job->result_count, text, length);
    job->result_count += length;
    return true;
}

static int add_scores(run_job *job, const char *name)
{
    size_t outputs;
    rf_tensor output;
    rf_error error;
    char text[64];
    if (rf_session_output(job->session, rf_model_outputs(job->model, &outputs)[0].name, &output, &error) != RF_OK)
        return complain(name, "%s", error.message);
    size_t count = element_count(&output), last = count;
    bool enough = true;
    if (next_best(&output, count, count) == count)
        return complain(name, "none of its scores is a number");
    for (int64_t k = 0; k < job->top && enough; k++) {
        last = next_best(&output, count, last);
        if (last == count)
            break;
        snprintf(text, sizeof text, "\t%zu %.6g", last, element_as_double(&output, last));
        enough = add_result(job, text, false);
    }
    return enough ? DONE : complain(name, "no memory for its scores");
}

/* All files of this rank. A file that fails leaves an empty result. */
static int run_share(run_job *job)
{
    int worst = DONE;
    for (size_t i = (size_t)rank_here(); i < job->files.count; i += (size_t)rank_count()) {
        size_t before = job->result_count;
        int code = run_file(job, job->files.names[i]);
        if (code == DONE)
            code = add_scores(job, job->files.names[i]);
        if (code != DONE) {
            job->result_count = before;
            worst = code;
        }
        if (!add_result(job, "", true))
            return -complain(job->files.names[i], "no memory for its result");
    }
    return worst;
}

/* ---- Results ------------------------------------------------------------------------------ */

static int print_results(const run_job *job, char **parts)
{
    for (size_t i = 0; i < job->files.count; i++) {
        char **part = &parts[i % (size_t)rank_count()];
        print_name(job->files.names[i]);
        printf("%s\n", **part ? *part : "\tfailed");
        *part += strlen(*part) + 1;
    }
    return finish_stdout();
}

static int gather_results(const run_job *job)
{
    size_t ranks = (size_t)rank_count();
    char **parts = calloc(ranks, sizeof *parts), **at = calloc(ranks, sizeof *at);
    size_t *counts = calloc(ranks, sizeof *counts);
    int code = ranks_agree(parts && at && counts ? DONE : BAD_INPUT);
    if (code == DONE && !ranks_gather(job->results ? job->results : "", job->result_count, parts, counts))
        code = BAD_INPUT;
    if (code != DONE && rank_here() == 0)
        complain(job->directory, "no memory for the results");
    if (code == DONE && rank_here() == 0) {
        memcpy(at, parts, ranks * sizeof *at);
        code = print_results(job, at);
    }
    for (size_t r = 0; parts && r < ranks; r++)
        free(parts[r]);
    free(parts);
    free(at);
    free(counts);
    return code;
}

static int do_job(run_job *job)
{
    int code = ranks_in_turn(open_network, job);
    if (code == DONE)
        code = files_open(&job->files, job->directory);
    if (code != DONE)
        return code;
    int failed = run_share(job);
    if (ranks_agree(failed < 0) != 0)
        return BAD_INPUT;
    code = gather_results(job);
    return code == DONE ? ranks_agree(failed) : code;
}

static void release(run_job *job)
{
    rf_session_free(job->session);
    rf_model_free(job->model);
    rf_threads_free(job->pool);
    rf_network_free(job->network);
    files_close(&job->files);
    free_inputs(&job->inputs);
    free(job->word);
    free(job->results);
}

static int run(const subcommand *command, int argc, char **argv)
{
    run_job job = {.command = command, .argc = argc, .argv = argv, .top = 5, .threads = 1,
                   .picture = RF_PICTURE_OPTIONS_DEFAULT};
    int code = ranks_in_turn(read_words, &job);
    if (code == DONE && job.help)
        code = rank_here() == 0 ? print_help(command) : DONE;
    else if (code == DONE)
        code = do_job(&job);
    release(&job);
    return code;
}

const subcommand mpi_run_command = {"run", "runs a network on the files of a directory", help, run};
