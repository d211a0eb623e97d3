/* SPDX-License-Identifier: MIT */
/*
 * rfield-mpi train: each rank computes the gradient of its part of a batch, and all take the same step by the
 * mean. Parts are equal, so that the mean of the parts' gradients is the batch's.
 */
#include <getopt.h>
#include <math.h>
#include <rfield/initialize.h>
#include <rfield/random.h>
#include <rfield/readers.h>
#include <rfield/training.h>
#include <rfield/writers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "mpi_commands.h"
#include "ranks.h"
#include "training_data.h"

static const char help[] =
    "usage: mpirun -n RANKS rfield-mpi train MODEL --data FILE --labels FILE -o OUT.onnx [options]\n"
    "\n"
    "Trains a classifier of one input, each batch shared out over the ranks, and saves it after\n"
    "every epoch. The same seed and number of ranks give the same weights.\n"
    "\n"
    "  -d, --data FILE          examples: .npy or .pb, float32 or uint8 (divided by 255), N first\n"
    "  -l, --labels FILE        their classes: integers, N\n"
    "  -o, --output FILE        the trained network, as ONNX\n"
    "  -e, --epochs N           how often all examples are seen; default 1\n"
    "  -b, --batch B            examples of a step, over all ranks; default 64\n"
    "  -r, --rate R             learning rate; default 0.01\n"
    "  -m, --momentum M         from 0 (default) to below 1\n"
    "      --decay D            weight decay; default 0\n"
    "      --seed N             of the order and of weights that the model lacks; default 1\n"
    "  -t, --threads N          workers of each rank; default 1\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

enum { SEED = 256, DECAY };

static const struct option options[] = {
    {"data", required_argument, NULL, 'd'},     {"labels", required_argument, NULL, 'l'},
    {"output", required_argument, NULL, 'o'},   {"epochs", required_argument, NULL, 'e'},
    {"batch", required_argument, NULL, 'b'},    {"rate", required_argument, NULL, 'r'},
    {"momentum", required_argument, NULL, 'm'}, {"decay", required_argument, NULL, DECAY},
    {"seed", required_argument, NULL, SEED},    {"threads", required_argument, NULL, 't'},
    {"help", no_argument, NULL, 'h'},           {0},
};

/* What the command line asks for, and what a rank holds. */
typedef struct train_job {
    const subcommand *command;
    int argc;
    char **argv;
    const char *model, *data_path, *label_path, *output;
    int64_t epochs, batch, seed, threads;
    double rate, momentum, decay;
    bool help;
    training_data data;
    size_t share;                        /* examples of a step on each rank */
    const rf_network *plain, *network;   /* as loaded, and with weights */
    rf_threads *pool;
    rf_trainer *trainer;
    size_t *order;
    float *examples;                     /* of the share */
    int64_t *labels;
    rf_random random;
} train_job;

/* ---- Words -------------------------------------------------------------------------------- */

static int take_count(const subcommand *command, const char *option, int64_t least, int64_t *number)
{
    if (parse_integer(optarg, number) && *number >= least)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number of %d or more", option, optarg, (int)least);
}

static int take_real(const subcommand *command, const char *option, double below, double *number)
{
    char *end;
    *number = strtod(optarg, &end);
    if (end != optarg && *end == 0 && *number >= 0 && *number < below)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number from 0 to below %g", option, optarg, below);
}

static int take_option(train_job *job, int answer)
{
    const subcommand *command = job->command;
    switch (answer) {
    case 'd': job->data_path = optarg; return DONE;
    case 'l': job->label_path = optarg; return DONE;
    case 'o': job->output = optarg; return DONE;
    case 'e': return take_count(command, "epochs", 1, &job->epochs);
    case 'b': return take_count(command, "batch", 1, &job->batch);
    case 'r': return take_real(command, "rate", HUGE_VAL, &job->rate);
    case 'm': return take_real(command, "momentum", 1, &job->momentum);
    case DECAY: return take_real(command, "decay", HUGE_VAL, &job->decay);
    case SEED: return take_count(command, "seed", 0, &job->seed);
    case 't': return take_count(command, "threads", 1, &job->threads);
    case 'h': job->help = true; return DONE;
    default: return bad_option(command, answer, job->argv);
    }
}

static int read_words(void *context)
{
    train_job *job = context;
    int answer;
    opterr = 0;
    while ((answer = getopt_long(job->argc, job->argv, ":d:l:o:e:b:r:m:t:h", options, NULL)) != -1) {
        int code = take_option(job, answer);
        if (code != DONE || job->help)
            return code;
    }
    int code = take_model(job->command, job->argc, job->argv, &job->model);
    if (code != DONE)
        return code;
    if (!job->data_path || !job->label_path || !job->output)
        return misuse(job->command, "--data, --labels and --output are needed");
    if (job->batch % rank_count() != 0)
        return misuse(job->command, "--batch: %lld examples don't divide by %d ranks", (long long)job->batch,
                      rank_count());
    return DONE;
}

/* ---- The trainer -------------------------------------------------------------------------- */

static int open_data(train_job *job)
{
    int code = data_open(&job->data, job->data_path, job->label_path);
    if (code != DONE)
        return code;
    if (job->data.count < (uint64_t)job->batch)
        return complain(job->data_path, "it holds %zu examples, fewer than a batch of %lld", job->data.count,
                        (long long)job->batch);
    job->share = (size_t)job->batch / (size_t)rank_count();
    job->order = calloc(job->data.count, sizeof *job->order);
    job->examples = calloc(job->share * job->data.each, sizeof *job->examples);
    job->labels = calloc(job->share, sizeof *job->labels);
    if (!job->order || !job->examples || !job->labels)
        return complain(job->data_path, "no memory for a batch of it");
    for (size_t i = 0; i < job->data.count; i++)
        job->order[i] = i;
    return DONE;
}

static rf_status bind_batch(train_job *job, rf_error *error)
{
    rf_status status = rf_trainer_bind(job->trainer, job->network->inputs[0].name, job->examples,
                                       job->share * job->data.each * sizeof *job->examples, error);
    if (status != RF_OK)
        return status;
    return rf_trainer_bind(job->trainer, RF_TARGET, job->labels, job->share * sizeof *job->labels, error);
}

static rf_status make_trainer(train_job *job, const rf_binding *shape, rf_error *error)
{
    rf_initialization weights = RF_INITIALIZATION_DEFAULT;
    rf_trainer_options how = RF_TRAINER_OPTIONS_DEFAULT;
    weights.seed = (uint64_t)job->seed;
    weights.bindings = how.bindings = shape;
    weights.binding_count = how.binding_count = 1;
    how.optimizer.kind = job->momentum > 0 ? RF_OPTIMIZER_MOMENTUM_II : RF_OPTIMIZER_SGD;
    how.optimizer.momentum = job->momentum;
    how.optimizer.weight_decay = job->decay;
    rf_status status = rf_network_initialize(job->plain, &weights, &job->network, error);
    if (status == RF_OK)
        status = rf_threads_make((size_t)job->threads, &job->pool, error);
    if (status != RF_OK)
        return status;
    rf_executor executor = rf_threads_executor(job->pool);
    how.executor = &executor;
    status = rf_trainer_make(job->network, &how, &job->trainer, error);
    return status == RF_OK ? bind_batch(job, error) : status;
}

static int prepare(void *context)
{
    train_job *job = context;
    rf_error error;
    int code = open_data(job);
    if (code != DONE)
        return code;
    if (rf_network_load(job->model, NULL, &job->plain, &error) != RF_OK)
        return complain(job->model, "%s", error.message);
    if (job->plain->input_count != 1)
        return complain(job->model, "the network has %zu inputs; --data feeds one", job->plain->input_count);
    rf_binding shape = {job->plain->inputs[0].name, job->data.examples->shape};
    shape.shape.dims[0] = (int64_t)job->share;
    if (make_trainer(job, &shape, &error) != RF_OK)
        return complain(job->model, "%s", error.message);
    job->random = rf_random_named((uint64_t)job->seed, "order");
    return DONE;
}

/* ---- Steps -------------------------------------------------------------------------------- */

/* Every rank must get here, whatever has happened to it: those that fail stop the others. */
static int take_step(train_job *job, size_t first, double *loss)
{
    size_t count;
    rf_error error;
    const rf_parameter *parameters = rf_trainer_parameters(job->trainer, &count);
    data_take(&job->data, job->order + first + (size_t)rank_here() * job->share, job->share, job->examples,
              job->labels);
    int code = rf_backward(job->trainer, loss, &error) == RF_OK ? DONE : complain(job->data_path, "%s", error.message);
    code = ranks_agree(code);
    if (code != DONE)
        return code;
    for (size_t i = 0; i < count; i++)
        ranks_average(parameters[i].gradient, parameters[i].count);
    /* What fails here does so on all ranks, by the same numbers. */
    if (rf_trainer_step(job->trainer, job->rate, &error) != RF_OK)
        code = rank_here() == 0 ? complain(job->data_path, "%s", error.message) : BAD_INPUT;
    return ranks_agree(code);
}

static int save(const train_job *job)
{
    const rf_network *trained;
    rf_error error;
    rf_status status = rf_trainer_network(job->trainer, &trained, &error);
    if (status == RF_OK)
        status = rf_network_save_onnx(trained, job->output, NULL, &error);
    rf_network_free(trained);
    return status == RF_OK ? DONE : complain(job->output, "%s", error.message);
}

static int finish_epoch(const train_job *job, int64_t epoch, double loss)
{
    size_t count;
    const rf_parameter *parameters = rf_trainer_parameters(job->trainer, &count);
    /* Sums are the same on all ranks with every MPI that we know of; this doesn't rest on it. */
    for (size_t i = 0; i < count; i++)
        ranks_copy(parameters[i].values, parameters[i].count);
    loss = ranks_mean(loss);
    int code = DONE;
    if (rank_here() == 0) {
        code = save(job);
        if (code == DONE) {
            printf("epoch %lld: loss %.6f\n", (long long)epoch, loss);
            code = finish_stdout();
        }
    }
    return ranks_agree(code);
}

/* All ranks shuffle alike; what is left of a batch waits for the next epoch's order. */
static int train(train_job *job)
{
    size_t batch = (size_t)job->batch, steps = job->data.count / batch;
    int code = DONE;
    for (int64_t epoch = 1; epoch <= job->epochs && code == DONE; epoch++) {
        double sum = 0, loss = 0;
        rf_random_shuffle(&job->random, job->order, job->data.count);
        for (size_t s = 0; s < steps && code == DONE; s++) {
            code = take_step(job, s * batch, &loss);
            sum += loss;
        }
        if (code == DONE)
            code = finish_epoch(job, epoch, sum / (double)steps);
    }
    return code;
}

static void release(train_job *job)
{
    rf_trainer_free(job->trainer);
    rf_threads_free(job->pool);
    rf_network_free(job->network);
    rf_network_free(job->plain);
    data_close(&job->data);
    free(job->order);
    free(job->examples);
    free(job->labels);
}

static int run(const subcommand *command, int argc, char **argv)
{
    train_job job = {.command = command, .argc = argc, .argv = argv, .epochs = 1, .batch = 64, .seed = 1, .threads = 1,
                     .rate = 0.01};
    int code = ranks_in_turn(read_words, &job);
    if (code == DONE && job.help) {
        code = rank_here() == 0 ? print_help(command) : DONE;
    } else if (code == DONE) {
        code = ranks_in_turn(prepare, &job);
        if (code == DONE)
            code = train(&job);
    }
    release(&job);
    return code;
}

const subcommand mpi_train_command = {"train", "trains a classifier on shared out batches", help, run};
