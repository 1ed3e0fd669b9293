/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this folder share of Intel's multi-buffer library. */
#ifndef FAN_IPSEC_MB_LIBRARY_H
#define FAN_IPSEC_MB_LIBRARY_H

#include <intel-ipsec-mb.h>

/*
 * Lays the library's state out in imb_get_mb_mgr_size() octets of zeros and lets it choose its code for this CPU. Out: *library, which ends with
 * the memory. UNSUPPORTED: it cannot run here, or its self-test failed.
 */
int fan_ipsec_mb_library(IMB_MGR **library, void *memory);

#endif
