/* SPDX-License-Identifier: BSD-3-Clause */
/* What rte_rawdev_pmd.h of DPDK 22.11 includes and distributions do not ship: names alone are enough for it. */
#ifndef FAN_DPDK_DEV_DRIVER_H
#define FAN_DPDK_DEV_DRIVER_H

struct rte_device;
struct rte_driver;

#endif
