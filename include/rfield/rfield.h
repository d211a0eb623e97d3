/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Everything that rfield offers, in order of use: describe or load a network,
 * analyse it, report on it; run it on tensors and pictures; save it; or call a kernel directly.
 */
#ifndef RFIELD_RFIELD_H
#define RFIELD_RFIELD_H

#include <rfield/status.h>
#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/readers.h>
#include <rfield/analysis.h>
#include <rfield/report.h>
#include <rfield/kernels.h>
#include <rfield/run.h>
#include <rfield/gradient.h>
#include <rfield/gradient_report.h>
#include <rfield/training.h>
#include <rfield/effective_field.h>
#include <rfield/tensors.h>
#include <rfield/writers.h>
#include <rfield/random.h>
#include <rfield/initialize.h>
#include <rfield/optimizer.h>

#endif
