/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes what a model has counted when it ends, into the directory that FAN_COVERAGE names. The linker puts it around
 * Vfan_engine::final(), because the counters live no longer than the model and the tests need not know of them.
 */
#include "Vfan_engine.h"
#include "verilated.h"
#include "verilated_cov.h"

#include <cstdlib>
#include <string>

#include <unistd.h>

extern "C" {
void __real__ZN11Vfan_engine5finalEv(Vfan_engine *model);
void __wrap__ZN11Vfan_engine5finalEv(Vfan_engine *model);
}

void
__wrap__ZN11Vfan_engine5finalEv(Vfan_engine *model)
{
	const char *const directory = getenv("FAN_COVERAGE");
	static unsigned count;

	__real__ZN11Vfan_engine5finalEv(model);
	if (directory != nullptr)
		model->contextp()->coveragep()->write(
			(std::string(directory) + "/" + std::to_string(getpid()) + "-" + std::to_string(count++) + ".dat").c_str());
}
