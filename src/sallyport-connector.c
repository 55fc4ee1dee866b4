/* sallyport-connector: runs inside the private network, dials out, exposes exactly what its file lists. */
#include "server/server.h"

int main(int argc, char **argv)
{
	return sp_server_main(argc, argv, SP_CONF_CONNECTOR, SP_SYSCONFDIR "/sallyport/connector.conf");
}
