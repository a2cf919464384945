/* Takes its time over one name, and finds it on this machine then: preloaded, it stands in for a
   resolver whose servers are slow or silent. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    const char *slow = getenv("SLOW_NAME"), *seconds = getenv("SLOW_SECONDS");
    if (node && slow && seconds && strcmp(node, slow) == 0) {
        sleep((unsigned)atoi(seconds));
        node = "127.0.0.1";
    }
    return real(node, service, hints, found);
}
