#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_loop, sp_suite_stream, sp_suite_stream_bulk, sp_suite_tcp,
						     sp_suite_dial, sp_suite_tls, sp_suite_tls_data, sp_suite_fetch, sp_suite_websocket, NULL });
}
