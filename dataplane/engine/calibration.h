/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which engine is fastest for a shape on this CPU, found out by trying: the order of preference behind "--engine auto".
 */
#ifndef FAN_CALIBRATION_H
#define FAN_CALIBRATION_H

#include "engine.h"

struct fan_calibration;

/* Takes over nothing: the engines belong to the caller, are the calibration's alone while it exists, and outlive it. MEMORY. */
int fan_calibration_make(struct fan_calibration **calibration, struct fan_engine *const *engines, unsigned engine_count);
/* NULL is ignored. */
void fan_calibration_free(struct fan_calibration *calibration);

/*
 * Out: preference[], a permutation of 0 .. engine_count - 1: engines that take the shape, fastest first, then the others. The first
 * call for a combination of algorithms, sequence and class of length takes some 0.3 ms, further ones nothing. Control thread.
 */
void fan_calibration_rank(struct fan_calibration *calibration, uint8_t *preference, const struct fan_shape *shape);

#endif
